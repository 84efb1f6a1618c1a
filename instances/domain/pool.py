"""What is a pool, and how do zone names and zone ids differ?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

# `use1-az1`, `euw3-az2`, local zones such as `use1-bos1-az1`
ZONE_ID = re.compile(r"^[a-z]{2,5}\d(?:-[a-z]{3}\d)?-az\d{1,2}$")
# `us-east-1a`, `us-gov-west-1b`, local zones such as `us-east-1-bos-1a`
ZONE_NAME = re.compile(r"^[a-z]{2}(?:-[a-z]+)+-\d(?:-[a-z]+-\d)?[a-z]$")
INSTANCE_TYPE = re.compile(r"^[a-z][a-z0-9-]{0,20}\.[a-z0-9-]{2,14}$")


class Product(StrEnum):
    """The `ProductDescription` of DescribeSpotPriceHistory; part of a pool's key."""

    LINUX = "Linux/UNIX"
    RHEL = "Red Hat Enterprise Linux"
    SUSE = "SUSE Linux"
    WINDOWS = "Windows"


@dataclass(frozen=True, slots=True, order=True)
class Pool:
    """Instance type × zone id × product: the unit of Spot capacity, price and risk."""

    instance_type: str
    zone_id: str
    product: Product = Product.LINUX

    def __post_init__(self) -> None:
        if not INSTANCE_TYPE.match(self.instance_type):
            raise ValueError(f"{self.instance_type!r} is not an instance type such as m5.large")
        if not ZONE_ID.match(self.zone_id):
            raise ValueError(f"{self.zone_id!r} is not a zone id such as use1-az1")

    def __str__(self) -> str:
        return f"{self.instance_type} in {self.zone_id} ({self.product.value})"

    @property
    def family(self) -> str:
        return family_of(self.instance_type)


def family_of(instance_type: str) -> str:
    """`m5d` of `m5d.2xlarge`."""
    return instance_type.partition(".")[0]


def region_of_zone_name(name: str) -> str:
    """`us-east-1` of `us-east-1a`. ValueError for what is no zone name."""
    if not ZONE_NAME.match(name):
        raise ValueError(f"{name!r} is not a zone name such as us-east-1a")
    return re.sub(r"(-[a-z]+-\d)?[a-z]$", "", name) if name.count("-") > 3 else name[:-1]
