"""What does whoever changes something look at, directly before and after each call?"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.aws.client import AwsSession
from accounts.aws.errors import Gone, translated_errors
from accounts.aws.read.instances import InstanceFacts, instance_facts
from accounts.aws.read.paging import batches, filters, pages, tags_of

ACTIONS: tuple[str, ...] = (
    "ec2:DescribeAddresses",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceCreditSpecifications",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeVolumes",
)
MOST_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Described:
    """One instance: its facts, and every field as AWS gave it, for a copy must forget none."""

    facts: InstanceFacts
    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.facts.id

    @property
    def is_alive(self) -> bool:
        """Not ended, nor ending: it runs, starts, or is stopped."""
        return self.facts.state not in {"shutting-down", "terminated"}


@dataclass(frozen=True, slots=True)
class Checks:
    """Status checks by AWS's words ("ok", "initializing", "impaired" …); None = AWS said nothing yet."""

    state: str | None = None
    system: str | None = None
    instance: str | None = None
    attached_ebs: str | None = None  # not on every type

    @property
    def are_passed(self) -> bool:
        """2/2, and the disks' own check where there is one."""
        own = self.state == "running" and self.system == "ok" and self.instance == "ok"
        return own and self.attached_ebs in {None, "ok", "not-applicable"}


@dataclass(frozen=True, slots=True)
class OwnImage:
    id: str
    name: str
    state: str  # "pending", "available", "failed" …
    tags: Mapping[str, str]
    snapshot_ids: tuple[str, ...]
    created_at: str  # as AWS writes it


@dataclass(frozen=True, slots=True)
class SpotRequest:
    id: str
    instance_id: str | None


@dataclass(frozen=True, slots=True)
class Address:
    allocation_id: str
    public_ip: str
    association_id: str | None
    instance_id: str | None


def described(session: AwsSession, instance_id: str) -> Described | None:
    """The instance; None when AWS shows none of that id, which soon after its launch means nothing.

    ValueError for no id, which AWS takes for all.
    """
    _named(instance_id)
    try:
        with translated_errors("DescribeInstances"):
            answer = session.client("ec2").describe_instances(InstanceIds=[instance_id])
    except Gone:
        return None
    return next(iter(_instances(answer)), None)


def tagged(session: AwsSession, key: str, value: str = "") -> list[Described]:
    """Every instance with that tag, of any value where none is given; ended ones too while AWS shows them."""
    wanted = filters(**{f"tag:{key}": value}) if value else filters(tag_key=key)
    found: list[Described] = []
    for page in pages(session, "ec2", "DescribeInstances", Filters=wanted, MaxResults=MOST_PER_PAGE):
        found += _instances(page)
    return found


def _instances(answer: dict[str, Any]) -> list[Described]:
    return [
        Described(instance_facts(each, reservation), each)
        for reservation in answer["Reservations"]
        for each in reservation["Instances"]
    ]


def checks(session: AwsSession, instance_id: str) -> Checks:
    """The status checks now; all None while AWS has none for the id."""
    _named(instance_id)
    try:
        with translated_errors("DescribeInstanceStatus"):
            answer = session.client("ec2").describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)
    except Gone:
        return Checks()
    for each in answer["InstanceStatuses"]:
        return Checks(
            state=(each.get("InstanceState") or {}).get("Name"),
            system=(each.get("SystemStatus") or {}).get("Status"),
            instance=(each.get("InstanceStatus") or {}).get("Status"),
            attached_ebs=(each.get("AttachedEbsStatus") or {}).get("Status"),
        )
    return Checks()


def user_data(session: AwsSession, instance_id: str) -> str:
    """The user data in base64, as AWS keeps it; empty when there is none. Decode before a launch: it encodes again."""
    value = _attribute(session, instance_id, "userData")
    base64.b64decode(value, validate=True)
    return value


def is_termination_protected(session: AwsSession, instance_id: str) -> bool | None:
    """None when AWS does not say."""
    _named(instance_id)
    with translated_errors("DescribeInstanceAttribute"):
        answer = session.client("ec2").describe_instance_attribute(
            InstanceId=instance_id, Attribute="disableApiTermination"
        )
    value: bool | None = (answer.get("DisableApiTermination") or {}).get("Value")
    return value


def shutdown_behavior(session: AwsSession, instance_id: str) -> str:
    """ "stop" or "terminate"; empty when AWS does not say."""
    return _attribute(session, instance_id, "instanceInitiatedShutdownBehavior")


def _attribute(session: AwsSession, instance_id: str, attribute: str) -> str:
    _named(instance_id)
    with translated_errors("DescribeInstanceAttribute"):
        answer = session.client("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute=attribute)
    return str((answer.get(attribute[0].upper() + attribute[1:]) or {}).get("Value") or "")


def credit_mode(session: AwsSession, instance_id: str) -> str | None:
    """ "standard" or "unlimited" of a burstable instance; None when it has none."""
    _named(instance_id)
    with translated_errors("DescribeInstanceCreditSpecifications"):
        answer = session.client("ec2").describe_instance_credit_specifications(InstanceIds=[instance_id])
    return next((each.get("CpuCredits") for each in answer["InstanceCreditSpecifications"]), None)


def volumes(session: AwsSession, volume_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The volumes with every field. ValueError for no ids."""
    found: list[dict[str, Any]] = []
    for batch in batches(volume_ids, "volume ids"):
        for page in pages(session, "ec2", "DescribeVolumes", Filters=filters(volume_id=batch), MaxResults=500):
            found += page["Volumes"]
    return found


def image_named(session: AwsSession, name: str) -> OwnImage | None:
    """The account's own image of that name: names are unique in an account and region."""
    _named(name)
    return next(iter(_own_images(session, filters(name=name))), None)


def tagged_images(session: AwsSession, key: str) -> list[OwnImage]:
    """The account's own images with that tag."""
    return _own_images(session, filters(tag_key=key))


def _own_images(session: AwsSession, wanted: list[dict[str, Any]]) -> list[OwnImage]:
    found: list[OwnImage] = []
    for page in pages(session, "ec2", "DescribeImages", Owners=["self"], Filters=wanted, IncludeDisabled=True):
        found += map(_own_image, page["Images"])
    return found


def _own_image(answer: dict[str, Any]) -> OwnImage:
    disks = [each.get("Ebs") or {} for each in answer.get("BlockDeviceMappings") or ()]
    return OwnImage(
        id=answer["ImageId"],
        name=answer.get("Name", ""),
        state=answer.get("State", "unknown"),
        tags=tags_of(answer),
        snapshot_ids=tuple(disk["SnapshotId"] for disk in disks if disk.get("SnapshotId")),
        created_at=answer.get("CreationDate", ""),
    )


def open_spot_requests(session: AwsSession, key: str, value: str) -> list[SpotRequest]:
    """The Spot requests with that tag that AWS may still fill, or holds active."""
    wanted = [*filters(**{f"tag:{key}": value}), *filters(state=["open", "active"])]
    found: list[SpotRequest] = []
    for page in pages(session, "ec2", "DescribeSpotInstanceRequests", Filters=wanted, MaxResults=MOST_PER_PAGE):
        found += [
            SpotRequest(each["SpotInstanceRequestId"], each.get("InstanceId") or None)
            for each in page["SpotInstanceRequests"]
        ]
    return found


def addresses(session: AwsSession, instance_id: str) -> list[Address]:
    """The Elastic IPs that the instance has. Not paginated by AWS."""
    _named(instance_id)
    return _addresses(session, filters(instance_id=instance_id))


def address(session: AwsSession, allocation_id: str) -> Address | None:
    """The Elastic IP; None when it is no longer ours."""
    _named(allocation_id)
    return next(iter(_addresses(session, filters(allocation_id=allocation_id))), None)


def _addresses(session: AwsSession, wanted: list[dict[str, Any]]) -> list[Address]:
    with translated_errors("DescribeAddresses"):
        answer = session.client("ec2").describe_addresses(Filters=wanted)
    return [
        Address(
            each["AllocationId"],
            each.get("PublicIp", ""),
            each.get("AssociationId") or None,
            each.get("InstanceId") or None,
        )
        for each in answer["Addresses"]
        if each.get("AllocationId")
    ]


def _named(name: str) -> None:
    if not name:
        raise ValueError("nothing is named; to AWS an empty list means all")
