"""What runs in an account's EC2, what could run in a region, and what has Spot cost there?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from accounts.aws.client import AwsSession
from accounts.aws.errors import Gone, translated_errors
from accounts.aws.read.instance_types import InstanceTypeFacts, instance_type_facts
from accounts.aws.read.instances import InstanceFacts, instance_facts
from accounts.aws.read.paging import batches, filters, pages, tags_of
from accounts.aws.read.shapes import (
    Attachment,
    Image,
    NetworkAcl,
    Region,
    Rejected,
    ReservedInstances,
    RouteTable,
    SpotPriceChange,
    SpotPricePage,
    Subnet,
    Volume,
    Zone,
)

# Asked with a tenant's role.
FLEET_ACTIONS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribePlacementGroups",
    "ec2:DescribeRegions",
    "ec2:DescribeReservedInstances",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
)
# Asked with the installation's own identity.
MARKET_ACTIONS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeRegions",
    "ec2:DescribeSpotPriceHistory",
)
ACTIONS: tuple[str, ...] = tuple(sorted({*FLEET_ACTIONS, *MARKET_ACTIONS}))
MOST_PER_PAGE = 1000
MOST_TYPES_PER_PAGE = 100


def regions(session: AwsSession) -> list[Region]:
    """Every region, the ones the account has not opted into too."""
    with translated_errors("DescribeRegions"):
        answer = session.client("ec2").describe_regions(AllRegions=True)
    return [Region(each["RegionName"], each.get("OptInStatus") != "not-opted-in") for each in answer["Regions"]]


def zones(session: AwsSession) -> list[Zone]:
    """The zones of the session's region under this account's names."""
    with translated_errors("DescribeAvailabilityZones"):
        answer = session.client("ec2").describe_availability_zones()
    return [
        Zone(each["ZoneName"], each["ZoneId"], each["RegionName"], each.get("State", "unknown"), each.get("ZoneType"))
        for each in answer["AvailabilityZones"]
    ]


def instance_types(session: AwsSession) -> Iterator[InstanceTypeFacts]:
    """Every type that the region offers."""
    for page in pages(session, "ec2", "DescribeInstanceTypes", MaxResults=MOST_TYPES_PER_PAGE):
        yield from map(instance_type_facts, page["InstanceTypes"])


def offerings(session: AwsSession) -> Iterator[tuple[str, str]]:
    """(instance type, zone id) for each type that a zone of the region offers."""
    request: dict[str, Any] = {"LocationType": "availability-zone-id", "MaxResults": MOST_PER_PAGE}
    for page in pages(session, "ec2", "DescribeInstanceTypeOfferings", **request):
        for each in page["InstanceTypeOfferings"]:
            yield each["InstanceType"], each["Location"]


def instances(session: AwsSession) -> Iterator[InstanceFacts]:
    """Every instance of the account in the region, terminated ones too while EC2 still shows them."""
    for page in pages(session, "ec2", "DescribeInstances", MaxResults=MOST_PER_PAGE):
        for reservation in page["Reservations"]:
            for each in reservation["Instances"]:
                yield instance_facts(each, reservation)


def termination_protection(session: AwsSession, instance_id: str) -> bool | None:
    """Whether termination is switched off; None when AWS does not say. Raises Gone. One call for one instance."""
    return _protection(session, instance_id, "disableApiTermination", "DisableApiTermination")


def stop_protection(session: AwsSession, instance_id: str) -> bool | None:
    """Whether stopping is switched off; None when AWS does not say. Raises Gone. One call for one instance."""
    return _protection(session, instance_id, "disableApiStop", "DisableApiStop")


def _protection(session: AwsSession, instance_id: str, attribute: str, key: str) -> bool | None:
    with translated_errors("DescribeInstanceAttribute"):
        answer = session.client("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute=attribute)
    value: bool | None = (answer.get(key) or {}).get("Value")
    return value


def placement_groups(session: AwsSession) -> dict[str, str]:
    """Strategy ("cluster", "spread", "partition") by the group's name."""
    with translated_errors("DescribePlacementGroups"):
        answer = session.client("ec2").describe_placement_groups()
    return {each["GroupName"]: each.get("Strategy", "unknown") for each in answer["PlacementGroups"]}


def volumes(session: AwsSession, ids: Iterable[str]) -> Iterator[Volume]:
    """The volumes that still exist. ValueError for no ids.

    Asked by filter: one id that is gone would fail a request by ids as a whole.
    """
    for batch in batches(ids, "volume ids"):
        wanted = filters(volume_id=batch)
        for page in pages(session, "ec2", "DescribeVolumes", Filters=wanted, MaxResults=MOST_PER_PAGE):
            yield from map(_volume, page["Volumes"])


def _volume(answer: dict[str, Any]) -> Volume:
    return Volume(
        id=answer["VolumeId"],
        type=answer.get("VolumeType"),
        size_gib=answer.get("Size", 0),
        iops=answer.get("Iops"),
        throughput=answer.get("Throughput"),
        is_encrypted=bool(answer.get("Encrypted")),
        kms_key_id=answer.get("KmsKeyId"),
        is_multi_attach=bool(answer.get("MultiAttachEnabled")),
        state=answer.get("State"),
        zone=answer.get("AvailabilityZone"),
        attachments=tuple(
            Attachment(each.get("InstanceId"), each.get("Device"), each.get("State"), each.get("DeleteOnTermination"))
            for each in answer.get("Attachments") or ()
        ),
        tags=tags_of(answer),
    )


def images(session: AwsSession, ids: Iterable[str]) -> Iterator[Image]:
    """The images that still exist and may be seen, disabled ones too. ValueError for no ids."""
    for batch in batches(ids, "image ids"):
        yield from _images(session, batch)


def _images(session: AwsSession, ids: list[str]) -> Iterator[Image]:
    """One id that is gone fails the whole request, and a filter would search all public images: so halve and go on."""
    try:
        with translated_errors("DescribeImages"):
            answer = session.client("ec2").describe_images(ImageIds=ids, IncludeDisabled=True, IncludeDeprecated=True)
    except Gone:
        middle = len(ids) // 2
        if middle:
            yield from _images(session, ids[:middle])
            yield from _images(session, ids[middle:])
        return
    yield from map(_image, answer["Images"])


def _image(answer: dict[str, Any]) -> Image:
    mappings = answer.get("BlockDeviceMappings") or ()
    return Image(
        id=answer["ImageId"],
        state=answer.get("State"),
        owner_id=answer.get("OwnerId"),
        owner_alias=answer.get("ImageOwnerAlias"),
        architecture=answer.get("Architecture"),
        virtualization=answer.get("VirtualizationType"),
        has_ena_support=answer.get("EnaSupport"),
        boot_mode=answer.get("BootMode"),
        tpm_support=answer.get("TpmSupport"),
        imds_support=answer.get("ImdsSupport"),
        root_device_type=answer.get("RootDeviceType"),
        platform_details=answer.get("PlatformDetails"),
        product_codes=tuple(code["ProductCodeId"] for code in answer.get("ProductCodes") or ()),
        ephemeral_devices=tuple(
            each.get("DeviceName", "") for each in mappings if (each.get("VirtualName") or "").startswith("ephemeral")
        ),
    )


def subnets(session: AwsSession, vpc_ids: Iterable[str]) -> Iterator[Subnet]:
    """The subnets of these VPCs. ValueError for no ids."""
    for answer in _of_vpcs(session, "DescribeSubnets", "Subnets", vpc_ids):
        yield Subnet(
            id=answer["SubnetId"],
            vpc_id=answer["VpcId"],
            zone=answer.get("AvailabilityZone"),
            zone_id=answer.get("AvailabilityZoneId"),
            free_addresses=answer.get("AvailableIpAddressCount", 0),
            is_public_ip_mapped=bool(answer.get("MapPublicIpOnLaunch")),
            is_ipv6_native=bool(answer.get("Ipv6Native")),
            outpost_arn=answer.get("OutpostArn"),
            state=answer.get("State"),
        )


def route_tables(session: AwsSession, vpc_ids: Iterable[str]) -> Iterator[RouteTable]:
    """The route tables of these VPCs with the subnets they are explicitly associated with. ValueError for no ids."""
    for answer in _of_vpcs(session, "DescribeRouteTables", "RouteTables", vpc_ids):
        associations, routes = answer.get("Associations") or (), answer.get("Routes") or ()
        yield RouteTable(
            id=answer["RouteTableId"],
            vpc_id=answer["VpcId"],
            is_main=any(each.get("Main") for each in associations),
            subnet_ids=frozenset(each["SubnetId"] for each in associations if each.get("SubnetId")),
            target_instance_ids=frozenset(each["InstanceId"] for each in routes if each.get("InstanceId")),
            target_interface_ids=frozenset(
                each["NetworkInterfaceId"] for each in routes if each.get("NetworkInterfaceId")
            ),
        )


def network_acls(session: AwsSession, vpc_ids: Iterable[str]) -> Iterator[NetworkAcl]:
    """The network ACLs of these VPCs with their subnets; every subnet has exactly one. ValueError for no ids."""
    for answer in _of_vpcs(session, "DescribeNetworkAcls", "NetworkAcls", vpc_ids):
        associations = answer.get("Associations") or ()
        yield NetworkAcl(
            id=answer["NetworkAclId"],
            vpc_id=answer["VpcId"],
            is_default=bool(answer.get("IsDefault")),
            subnet_ids=frozenset(each["SubnetId"] for each in associations if each.get("SubnetId")),
        )


def _of_vpcs(session: AwsSession, operation: str, key: str, vpc_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    for batch in batches(vpc_ids, "VPC ids"):
        for page in pages(session, "ec2", operation, Filters=filters(vpc_id=batch), MaxResults=100):
            yield from page[key]


def reserved_instances(session: AwsSession) -> list[ReservedInstances]:
    """The active reservations that the account has bought in the region."""
    with translated_errors("DescribeReservedInstances"):
        answer = session.client("ec2").describe_reserved_instances(Filters=filters(state="active"))
    return [
        ReservedInstances(
            id=each["ReservedInstancesId"],
            instance_type=each.get("InstanceType", ""),
            count=each.get("InstanceCount", 0),
            scope=each.get("Scope"),
            zone=each.get("AvailabilityZone"),
            product=each.get("ProductDescription"),
            tenancy=each.get("InstanceTenancy"),
            offering_class=each.get("OfferingClass"),
            ends_at=each.get("End"),
        )
        for each in answer["ReservedInstances"]
    ]


def spot_price_pages(
    session: AwsSession,
    start: datetime,
    end: datetime,
    *,
    instance_types: list[str] | None = None,
    products: list[str] | None = None,
) -> Iterator[SpotPricePage]:
    """The region's price changes from `start` to `end`, newest first, up to the last page; None = all.

    AWS adds for each pool the price that held at `start`, so `at` may lie before it. Duplicates are passed on.
    ValueError for an empty list, which AWS takes for all, for naive times, and when start is after end.
    """
    if start.tzinfo is None or end.tzinfo is None or start > end:
        raise ValueError(f"{start} to {end} is not a span of time with a zone")
    request: dict[str, Any] = {"StartTime": start, "EndTime": end, "MaxResults": MOST_PER_PAGE}
    for name, values in (("InstanceTypes", instance_types), ("ProductDescriptions", products)):
        if values is not None:
            if not values:
                raise ValueError(f"no {name} given; to AWS an empty list means all")
            request[name] = values
    for number, page in enumerate(pages(session, "ec2", "DescribeSpotPriceHistory", **request), start=1):
        yield _spot_price_page(page["SpotPriceHistory"], number)


def _spot_price_page(rows: list[dict[str, Any]], number: int) -> SpotPricePage:
    page = SpotPricePage([], number, [])
    for row in rows:
        reason = _defect(row)
        if reason:
            page.rejected.append(Rejected(row, reason))
            continue
        page.changes.append(
            SpotPriceChange(
                row["InstanceType"],
                row["AvailabilityZoneId"],
                row.get("AvailabilityZone"),
                row["ProductDescription"],
                Decimal(row["SpotPrice"]),
                row["Timestamp"],
            )
        )
    return page


def _defect(row: dict[str, Any]) -> str:
    """Why a row of Spot prices cannot be used; empty when it can."""
    for key in ("InstanceType", "AvailabilityZoneId", "ProductDescription", "SpotPrice", "Timestamp"):
        if not row.get(key):
            return f"{key} is missing"
    try:
        price = Decimal(row["SpotPrice"])
    except InvalidOperation:
        return f"price {row['SpotPrice']!r} is not a number"
    if not price.is_finite() or price <= 0:
        return f"price {row['SpotPrice']} is not above zero"
    return "" if row["Timestamp"].tzinfo else "time has no zone"
