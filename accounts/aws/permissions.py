"""Which of the permissions that we need does a role really have?

EC2 alone can be asked without doing anything (DryRun); of the others the reads are simply made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore import xform_name

from accounts.aws.client import AwsSession
from accounts.aws.errors import AwsError, Denied, RegionNotEnabled, translated_errors

BOTOCORE_NAMES = {"elasticloadbalancing": "elbv2"}  # where IAM's prefix is not the service's name
NO_INSTANCE = "i-00000000000000000"
NO_GROUP = "spotopt-permission-probe"
NO_TARGET_GROUP = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/spotopt-probe/0000000000000000"


class Verdict(StrEnum):
    GRANTED = "granted"
    MISSING = "missing"
    UNPROVEN = "unproven"  # AWS answered neither yes nor no


@dataclass(frozen=True, slots=True)
class Proof:
    missing: tuple[str, ...]
    unproven: tuple[str, ...]


def prove(session: AwsSession, actions: Iterable[str]) -> Proof:
    """Try each action. RegionNotEnabled goes through: it says nothing about permissions."""
    verdicts = {action: _try(session, action) for action in sorted(set(actions))}
    return Proof(
        missing=tuple(action for action, verdict in verdicts.items() if verdict is Verdict.MISSING),
        unproven=tuple(action for action, verdict in verdicts.items() if verdict is Verdict.UNPROVEN),
    )


def has_dry_run(session: AwsSession, action: str) -> bool:
    """Whether the call can be asked without being made; of the services we use only EC2 has that."""
    service, _, operation = action.partition(":")
    client = session.client(BOTOCORE_NAMES.get(service, service))
    shape = client.meta.service_model.operation_model(operation).input_shape
    return shape is not None and "DryRun" in shape.members


def _try(session: AwsSession, action: str) -> Verdict:
    service, _, operation = action.partition(":")
    try:
        request = _smallest_request(session, operation)
        if has_dry_run(session, action):
            request["DryRun"] = True
        with translated_errors(operation):
            client = session.client(BOTOCORE_NAMES.get(service, service))
            getattr(client, xform_name(operation))(**request)
    except RegionNotEnabled:
        raise
    except Denied:
        return Verdict.MISSING
    except AwsError as error:
        return Verdict.GRANTED if error.code == "DryRunOperation" else Verdict.UNPROVEN
    return Verdict.GRANTED


def _smallest_request(session: AwsSession, operation: str) -> dict[str, Any]:
    """What a call cannot do without. A made-up id proves nothing when AWS looks for it first, so a real one if any."""
    if operation == "DescribeInstanceAttribute":
        return {"InstanceId": _any_instance(session), "Attribute": "disableApiTermination"}
    if operation == "DescribeAutoScalingGroups":
        return {"MaxRecords": 1}
    if operation in {"DescribeTargetHealth", "DescribeTargetGroupAttributes"}:
        return {"TargetGroupArn": _any_target_group(session)}
    if operation in {"DescribeLifecycleHooks", "DescribeInstanceRefreshes"}:
        return {"AutoScalingGroupName": _any_group(session)}
    return {}


def _any_instance(session: AwsSession) -> str:
    try:
        with translated_errors("DescribeInstances"):
            answer = session.client("ec2").describe_instances(MaxResults=5)
    except AwsError:
        return NO_INSTANCE
    found = [each["InstanceId"] for reservation in answer["Reservations"] for each in reservation["Instances"]]
    return str(found[0]) if found else NO_INSTANCE


def _any_target_group(session: AwsSession) -> str:
    try:
        with translated_errors("DescribeTargetGroups"):
            answer = session.client("elbv2").describe_target_groups(PageSize=1)
    except AwsError:
        return NO_TARGET_GROUP
    found = answer["TargetGroups"]
    return str(found[0]["TargetGroupArn"]) if found else NO_TARGET_GROUP


def _any_group(session: AwsSession) -> str:
    try:
        with translated_errors("DescribeAutoScalingGroups"):
            answer = session.client("autoscaling").describe_auto_scaling_groups(MaxRecords=1)
    except AwsError:
        return NO_GROUP
    found = answer["AutoScalingGroups"]
    return str(found[0]["AutoScalingGroupName"]) if found else NO_GROUP
