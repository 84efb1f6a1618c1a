"""Which permissions does a call need, on which resources, with which tags? Service Authorization Reference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spotopt.local.images import CreatedImage
from spotopt.local.wire import Call

from moto.autoscaling.models import autoscaling_backends  # isort: skip
from moto.ec2.models import ec2_backends  # isort: skip
from moto.iam.models import iam_backends  # isort: skip

KINDS = {  # prefix of an id → the resource's type in its ARN
    "i": "instance",
    "ami": "image",
    "snap": "snapshot",
    "vol": "volume",
    "eni": "network-interface",
    "eipalloc": "elastic-ip",
    "sir": "spot-instances-request",
    "subnet": "subnet",
    "sg": "security-group",
    "lt": "launch-template",
}
LAUNCHED = ("instance", "volume", "network-interface")  # what RunInstances creates
TAG = re.compile(r"(?:TagSpecification\.\d+\.)?Tag\.(\d+)\.(Key|Value)$")
PROFILE = re.compile(r"arn:aws:iam::\d{12}:instance-profile/(?:.*/)?([\w+=,.@-]+)$")
ID = re.compile(rf"(?:{'|'.join(KINDS)})-[0-9a-f]+$")


@dataclass(frozen=True, slots=True)
class Question:
    action: str
    resource: str
    context: Mapping[str, str]


def questions(call: Call, account_id: str) -> Iterator[Question]:
    """Every one must be allowed. Calls that only read are asked about as a whole."""
    if not call.is_change and not call.is_dry_run:
        yield Question(call.name, "*", {})
        return
    if call.service == "autoscaling":
        yield from _of_groups(call, account_id)
    elif call.service == "elasticloadbalancing" and "TargetGroupArn" in call.params:
        yield Question(call.name, str(call.params["TargetGroupArn"]), {})
    elif call.service == "ec2":
        yield from _of_ec2(call, account_id)
    else:
        yield Question(call.name, "*", {})


def _of_ec2(call: Call, account_id: str) -> Iterator[Question]:
    asked = request_tags(call)
    resources = list(_named(call, account_id))
    if call.action in ("RunInstances", "CreateFleet"):
        resources += [(arn(call, account_id, kind, "*"), {}) for kind in LAUNCHED]
    if call.action == "CreateFleet":
        yield Question("ec2:RunInstances", arn(call, account_id, "instance", "*"), asked)
    for resource, tags in resources or [("*", {})]:
        yield Question(call.name, resource, asked | tags)
    if asked and call.action not in ("CreateTags", "DeleteTags"):
        # EC2 guide, "Grant permission to tag Amazon EC2 resources during creation"
        for kind in _tagged_kinds(call):
            context = asked | {"ec2:CreateAction": call.action}
            yield Question("ec2:CreateTags", arn(call, account_id, kind, "*"), context)
    role = _passed_role(call, account_id)
    if role is not None:
        yield Question("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})
    if call.action == "DeregisterImage" and str(call.params.get("DeleteAssociatedSnapshots", "")).lower() == "true":
        image = ec2_backends[account_id][call.region].amis.get(str(call.params.get("ImageId")))
        for snapshot_id in image.snapshot_ids if isinstance(image, CreatedImage) else []:
            held = ec2_backends[account_id][call.region].tags.get(snapshot_id, {})
            context = {f"{who}:ResourceTag/{key}": text for key, text in held.items() for who in ("aws", "ec2")}
            yield Question("ec2:DeleteSnapshot", arn(call, account_id, "snapshot", snapshot_id), context)


def _named(call: Call, account_id: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(ARN, its tags as condition keys) of each resource that the call names by id."""
    tags = ec2_backends[account_id][call.region].tags
    for value in dict.fromkeys(str(one) for one in call.params.values()):
        if ID.match(value):
            held = tags.get(value, {})
            context = {f"{who}:ResourceTag/{key}": text for key, text in held.items() for who in ("aws", "ec2")}
            yield arn(call, account_id, KINDS[value.partition("-")[0]], value), context


def arn(call: Call, account_id: str, kind: str, name: str) -> str:
    owner = "" if kind in ("image", "snapshot") else account_id
    return f"arn:aws:ec2:{call.region}:{owner}:{kind}/{name}"


def request_tags(call: Call) -> dict[str, str]:
    """The tags that the call sets, as condition keys."""
    found: dict[str, dict[str, str]] = {}
    for name, value in call.params.items():
        if match := TAG.search(name):
            found.setdefault(name[: match.end(1)], {})[match[2]] = str(value)
    return {f"aws:RequestTag/{one['Key']}": one.get("Value", "") for one in found.values() if "Key" in one}


def _tagged_kinds(call: Call) -> list[str]:
    named = [str(value) for name, value in call.params.items() if name.endswith(".ResourceType")]
    return sorted(set(named)) or ["*"]


def _passed_role(call: Call, account_id: str) -> str | None:
    """The role behind the instance profile of a launch; one that is not there is refused by the launch itself."""
    named = str(call.params.get("IamInstanceProfile.Arn") or call.params.get("IamInstanceProfile.Name") or "")
    if not named:
        return None
    match = PROFILE.match(named)
    name = match[1] if match else named
    for profile in iam_backends[account_id]["aws"].instance_profiles.values():
        if profile.name == name and profile.roles:
            return str(profile.roles[0].arn)
    return f"arn:aws:iam::{account_id}:role/{name}"


def _of_groups(call: Call, account_id: str) -> Iterator[Question]:
    group = _group(call, account_id)
    if group is None:
        yield Question(call.name, "*", {})
        return
    tags = {
        f"{who}:ResourceTag/{tag['Key']}": str(tag.get("Value", ""))
        for tag in group.tags
        for who in ("aws", "autoscaling")
    }
    yield Question(call.name, group.arn, tags)


def _group(call: Call, account_id: str) -> Any:
    groups = autoscaling_backends[account_id][call.region].autoscaling_groups
    if "AutoScalingGroupName" in call.params:
        return groups.get(str(call.params["AutoScalingGroupName"]))
    wanted = call.params.get("InstanceId")
    for group in groups.values():
        if any(member.instance.id == wanted for member in group.instance_states):
            return group
    return None
