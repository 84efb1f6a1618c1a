"""Which launches does EC2 refuse? RunInstances reference and "Error codes for the Amazon EC2 API"."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spotopt.local.catalogue import described_type, types_by_zone
from spotopt.local.world import World

from moto.ec2.exceptions import EC2ClientError  # isort: skip
from moto.iam.models import iam_backends  # isort: skip

SPOT_ROLE = "AWSServiceRoleForEC2Spot"


@dataclass(frozen=True, slots=True)
class Launch:
    """What is asked, with the subnet already chosen."""

    backend: Any
    image: Any
    instance_type: str
    subnet: Any
    zone: str | None  # named in the request beside the subnet
    security_groups: tuple[str, ...]
    count: int
    is_spot: bool
    max_price: str | None
    is_protected: bool


def check(launch: Launch) -> None:
    """Raise EC2's own error for the first rule that is broken."""
    for rule in (_image, _architecture, _place, _network, _spot, _quota, _capacity):
        rule(launch)


def _image(launch: Launch) -> None:
    if launch.image.state != "available":
        raise EC2ClientError("InvalidAMIID.Unavailable", f"The image id '[{launch.image.id}]' is no longer available")


def _architecture(launch: Launch) -> None:
    """A type of which the catalogue knows no architecture is not judged."""
    described = described_type(launch.instance_type)
    supported = described.get("ProcessorInfo", {}).get("SupportedArchitectures")
    if supported and launch.image.architecture not in supported:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{','.join(supported)}' of the specified instance type does not match the architecture "
            f"'{launch.image.architecture}' of the specified AMI. Specify an instance type and an AMI that have "
            "matching architectures, and try again.",
        )
    needs_ena = described.get("NetworkInfo", {}).get("EnaSupport") == "required"
    if needs_ena and not getattr(launch.image, "ena_support", True):
        raise EC2ClientError(
            "InvalidParameterCombination",
            "Enhanced networking with the Elastic Network Adapter (ENA) is required for the "
            f"'{launch.instance_type}' instance type. Ensure that you are using an AMI that is enabled for ENA.",
        )


def _place(launch: Launch) -> None:
    subnet = launch.subnet
    if launch.zone and launch.zone not in (subnet.availability_zone, subnet.availability_zone_id):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The specified subnet {subnet.id} is in Availability Zone {subnet.availability_zone}, not {launch.zone}.",
        )
    offered = types_by_zone(launch.backend.region_name).get(subnet.availability_zone_id)
    if offered is not None and launch.instance_type not in offered:
        raise EC2ClientError(
            "Unsupported",
            f"Your requested instance type ({launch.instance_type}) is not supported in your requested Availability "
            f"Zone ({subnet.availability_zone}). Please retry your request by not specifying an Availability Zone "
            "or choosing another.",
        )


def _network(launch: Launch) -> None:
    subnet = launch.subnet
    for group_id in launch.security_groups:
        group = launch.backend.get_security_group_from_id(group_id)
        if group is not None and group.vpc_id != subnet.vpc_id:
            raise EC2ClientError(
                "InvalidParameter", f"Security group {group_id} and subnet {subnet.id} belong to different networks."
            )
    free = World.switches.free_addresses.get(subnet.id, subnet.available_ip_address_count)
    if free < launch.count:
        raise EC2ClientError(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number of "
            "instances.",
        )


def _spot(launch: Launch) -> None:
    if not launch.is_spot:
        return
    if launch.is_protected:
        raise EC2ClientError(
            "UnsupportedOperation", "Modifying 'disableApiTermination' is not supported for spot instances."
        )
    if not any(role.name == SPOT_ROLE for role in iam_backends[launch.backend.account_id]["aws"].roles.values()):
        raise EC2ClientError(  # EC2 guide, "Service-linked role for Spot Instance requests"
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.",
        )
    price = spot_price(launch.subnet, launch.instance_type)
    if launch.max_price is not None and price is not None and Decimal(launch.max_price) < price:
        raise EC2ClientError(
            "SpotMaxPriceTooLow",
            f"Your Spot request price of {launch.max_price} is lower than the minimum required Spot request "
            f"fulfillment price of {price}.",
        )


def spot_price(subnet: Any, instance_type: str) -> Decimal | None:
    """US dollars an hour now; None where no price is known."""
    now = World.clock.now()
    rows = World.market.history(
        subnet.ec2_backend.region_name,
        now,
        now,
        now=now,
        types=[instance_type],
        products=["Linux/UNIX"],
        zones=[subnet.availability_zone_id],
    )
    return Decimal(rows[0].micros) / 1_000_000 if rows else None


def _quota(launch: Launch) -> None:
    """vCPUs of the account's running instances, Spot and On-Demand apart; unlimited unless the control page says."""
    kind = "spot" if launch.is_spot else "on-demand"
    limit = World.switches.quotas.get((launch.backend.account_id, kind))
    if limit is None:
        return
    wanted = vcpus(launch.instance_type) * launch.count
    used = sum(
        vcpus(one.instance_type)
        for one in launch.backend.all_instances()
        if (one.lifecycle == "spot") == launch.is_spot and one.state in ("pending", "running")
    )
    if used + wanted <= limit:
        return
    if launch.is_spot:
        raise EC2ClientError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    raise EC2ClientError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance "
        "bucket that the specified instance type belongs to.",
    )


def vcpus(instance_type: str) -> int:
    return int(described_type(instance_type).get("VCpuInfo", {}).get("DefaultVCpus", 0))


def _capacity(launch: Launch) -> None:
    subnet = launch.subnet
    kind = "spot" if launch.is_spot else "on-demand"
    if not World.switches.is_dry(launch.instance_type, (subnet.availability_zone, subnet.availability_zone_id), kind):
        return
    if launch.is_spot:
        raise EC2ClientError(
            "InsufficientInstanceCapacity", "There is no Spot capacity available that matches your request."
        )
    raise EC2ClientError(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {launch.instance_type} capacity in the Availability Zone you "
        f"requested ({subnet.availability_zone}). Our system will be working on provisioning additional capacity.",
    )
