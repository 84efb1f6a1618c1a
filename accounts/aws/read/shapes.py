"""What do regions, zones, disks, images, networks and Spot prices look like, as EC2 tells them?

AWS's nouns in snake case; None = AWS did not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Region:
    name: str
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class Zone:
    """`name` is this account's alias of `zone_id`. `zone_type` tells Local and Wavelength Zones apart."""

    name: str
    zone_id: str
    region: str
    state: str
    zone_type: str | None


@dataclass(frozen=True, slots=True)
class Attachment:
    instance_id: str | None
    device: str | None
    state: str | None
    delete_on_termination: bool | None


@dataclass(frozen=True, slots=True)
class Volume:
    id: str
    type: str | None
    size_gib: int
    iops: int | None
    throughput: int | None  # MiB a second
    is_encrypted: bool
    kms_key_id: str | None
    is_multi_attach: bool
    state: str | None
    zone: str | None
    attachments: tuple[Attachment, ...]
    tags: Mapping[str, str]

    @property
    def delete_on_termination(self) -> bool | None:
        """Whether the volume goes with its instance; None when it is attached to none or AWS does not say."""
        answers = [attachment.delete_on_termination for attachment in self.attachments]
        if not answers or None in answers:
            return None
        return all(answers)


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    state: str | None
    owner_id: str | None
    owner_alias: str | None
    architecture: str | None
    virtualization: str | None
    has_ena_support: bool | None
    boot_mode: str | None
    tpm_support: str | None
    imds_support: str | None
    root_device_type: str | None
    platform_details: str | None
    product_codes: tuple[str, ...]
    ephemeral_devices: tuple[str, ...]  # device names mapped to instance store


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    vpc_id: str
    zone: str | None
    zone_id: str | None
    free_addresses: int
    is_public_ip_mapped: bool
    is_ipv6_native: bool
    outpost_arn: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A subnet that no table names uses the table of its VPC with `is_main`."""

    id: str
    vpc_id: str
    is_main: bool
    subnet_ids: frozenset[str]
    target_instance_ids: frozenset[str]  # instances that routes point to
    target_interface_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    id: str
    vpc_id: str
    is_default: bool
    subnet_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReservedInstances:
    id: str
    instance_type: str
    count: int
    scope: str | None  # "Region" | "Availability Zone"
    zone: str | None
    product: str | None
    tenancy: str | None
    offering_class: str | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class SpotPriceChange:
    """The pool's price from `at` until its next change."""

    instance_type: str
    zone_id: str
    zone_name: str | None
    product: str
    usd_per_hour: Decimal
    at: datetime


class Rejected(NamedTuple):
    """A row as AWS gave it, and why it was not taken."""

    raw: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class SpotPricePage:
    """One page, newest changes first; `number` counts from 1. A page may be empty and not be the last."""

    changes: list[SpotPriceChange]
    number: int
    rejected: list[Rejected]
