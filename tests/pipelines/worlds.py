"""A small market and a plain machine in it, written and scored by the code that does so in life."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from accounts.models import AwsAccount
from instances.models import Instance
from mlregistry.scoring import score_region
from tests.factories import (
    NOW,
    a_fresh_market,
    a_pool,
    a_rating,
    a_type,
    an_account,
    an_instance,
    an_on_demand_price,
    prices_for,
)

ZONES = ("use1-az1", "use1-az2", "use1-az3")
# type → hardware that differs, On-Demand price, Spot prices by zone
TYPES: dict[str, tuple[dict[str, Any], str, tuple[str, str, str]]] = {
    "m5.large": ({}, "0.096", ("0.0420", "0.0380", "0.0450")),
    "m5a.large": ({}, "0.086", ("0.0400", "0.0360", "0.0390")),
    "m6i.large": ({}, "0.096", ("0.0500", "0.0510", "0.0520")),
    "c5.large": ({"memory_mib": 4096}, "0.085", ("0.0300", "0.0310", "0.0320")),
    "m6g.large": ({"architectures": ["arm64"]}, "0.077", ("0.0300", "0.0310", "0.0320")),
}


def plain_facts(**fields: Any) -> dict[str, Any]:
    """What inventory stores of an EBS-backed Linux machine to which nothing objects."""
    return {
        "architecture": "x86_64",
        "root_device_type": "ebs",
        "root_device_name": "/dev/xvda",
        "block_devices": [{"device": "/dev/xvda", "volume_id": "vol-1", "delete_on_termination": True}],
        "volumes": [{"id": "vol-1", "is_multi_attach": False}],
        "vpc_id": "vpc-1",
        "subnet_id": "subnet-1",
        "subnets": [
            {
                "id": f"subnet-{number}",
                "zone_id": zone,
                "free_addresses": 100,
                "route_table_id": "rtb-1",
                "network_acl_id": "acl-1",
                "is_public_ip_mapped": False,
            }
            for number, zone in enumerate(ZONES, start=1)
        ],
        "interfaces": [{"type": "interface", "private_ips": ["10.0.0.4"]}],
        "is_source_dest_check": True,
        "is_route_target": False,
        "is_termination_protected": False,
        "is_stop_protected": False,
        "is_scale_in_protected": False,
        "is_hibernation_configured": False,
        "tenancy": "default",
        "is_capacity_reservation_targeted": False,
        "is_enclave": False,
        "license_arns": [],
        "product_codes": [],
        "platform_details": "Linux/UNIX",
        "usage_operation": "RunInstances",
        "reservations": [],
    } | fields


def a_plain_instance(
    account: AwsAccount | None = None, *, facts: dict[str, Any] | None = None, **fields: Any
) -> Instance:
    return an_instance(account or an_account(), **{"facts": plain_facts(**(facts or {}))} | fields)


def a_scored_market(*, now: datetime = NOW) -> None:
    """Three zones of us-east-1 with nine days of prices, all rated under 5 %, fetched and scored just before `now`."""
    for name, (hardware, on_demand, spot) in TYPES.items():
        a_type(name, **hardware)
        an_on_demand_price(name, on_demand, fetched_at=now - timedelta(hours=3))
        a_rating(name, 0)
        for zone, usd in zip(ZONES, spot, strict=True):
            prices_for(a_pool(name, zone), [(9, usd), (2.5, f"{float(usd) * 1.01:.4f}"), (0.5, usd)], now=now)
    a_fresh_market(now=now - timedelta(minutes=10))
    score_region("us-east-1", now=now - timedelta(minutes=8))
