"""What is known of the machine that might move?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Disk:
    """An EBS volume in use; None = AWS did not say."""

    volume_id: str
    device: str
    delete_on_termination: bool | None
    is_multi_attach: bool | None


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet of the target's VPC; None = AWS did not say."""

    subnet_id: str
    zone_id: str
    free_addresses: int | None
    route_table_id: str | None
    network_acl_id: str | None
    is_public_ip_mapped: bool | None


@dataclass(frozen=True, slots=True)
class Target:
    """An instance as the last inventory saw it, and what its people said about it.

    None = not known, and unknown means no. An empty tuple or string = known to be none, but for `zone_id`, `product`
    and `architecture`, of which there always is one.
    """

    instance_id: str
    instance_type: str
    region: str
    zone_id: str
    product: str
    architecture: str
    state: str
    is_spot: bool
    seen_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    # whose
    group_name: str = ""
    cluster_name: str = ""
    operator: str = ""  # the AWS service that manages or launched it
    # disks
    root_device_type: str | None = None  # "ebs" | "instance-store"
    root_device: str | None = None
    disks: tuple[Disk, ...] = ()
    has_local_disk_in_use: bool | None = None
    # network
    vpc_id: str = ""
    subnet_id: str = ""
    subnets: tuple[Subnet, ...] = ()
    n_interfaces: int | None = None
    n_private_ips: int | None = None
    has_efa: bool | None = None
    is_source_dest_check: bool | None = None
    is_route_target: bool | None = None
    # somebody said no
    is_termination_protected: bool | None = None
    is_stop_protected: bool | None = None
    is_scale_in_protected: bool | None = None
    is_hibernation_configured: bool | None = None
    # placement
    tenancy: str | None = None
    host_id: str = ""
    placement_group: str = ""
    placement_strategy: str | None = None
    outpost_arn: str = ""
    is_capacity_reservation_targeted: bool | None = None
    capacity_block_id: str = ""
    is_enclave: bool | None = None
    # licences and commitments
    license_arns: tuple[str, ...] = ()
    product_codes: tuple[str, ...] = ()
    platform_details: str | None = None
    usage_operation: str | None = None
    reservations: tuple[str, ...] | None = None  # active Reserved Instances that may cover it
    # what people said
    stateless_said_by: str = ""
    stateless_said_at: datetime | None = None
    health_check: str = ""  # ":8080/healthz"
    last_switched_at: datetime | None = None
