"""Which instance types exist here, and where are they offered?"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from functools import cache
from typing import Any

from spotopt.local.market import DATA, REGION_OF_ZONE, Market
from spotopt.local.zones import recorded_zone_ids

from moto.ec2.models.instance_types import (  # isort: skip  (zones sets what moto reads at import)
    INSTANCE_TYPE_OFFERINGS,
    INSTANCE_TYPES,
    InstanceType,
    InstanceTypeBackend,
)


def extra_types() -> dict[str, dict[str, Any]]:
    """Types that moto no longer lists (p2, p3, g3 …), in DescribeInstanceTypes' shape; unknown facts are left out."""
    with gzip.open(DATA / "instance_types_extra.csv.gz") as packed:
        rows = list(csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8")))
    return {row["instance_type"]: _described(row) for row in rows}


def _described(row: dict[str, str]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "InstanceType": row["instance_type"],
        "SupportedUsageClasses": ["on-demand", "spot"],
        "BareMetal": row["bare_metal"] == "1",
        "VCpuInfo": {"DefaultVCpus": int(row["vcpus"])},
        "MemoryInfo": {"SizeInMiB": int(row["memory_mib"])},
    }
    if row["arch"]:
        described["ProcessorInfo"] = {"SupportedArchitectures": [row["arch"]]}
    if row["gpu_count"] not in ("", "0"):
        described["GpuInfo"] = {"Gpus": [{"Count": int(row["gpu_count"])}]}
    return described


def add_extra_types(market: Market) -> None:
    """Teach moto the types it lacks. They are offered where a real Spot price was recorded, nowhere else."""
    for name, described in extra_types().items():
        if name in INSTANCE_TYPES:
            continue
        INSTANCE_TYPES[name] = described
        InstanceTypeBackend.instance_types.append(InstanceType(name))
        zones_by_region: dict[str, set[str]] = defaultdict(set)
        for zone_id in market.zones_with(name):
            zones_by_region[REGION_OF_ZONE[zone_id.partition("-")[0]]].add(zone_id)
        for region, zone_ids in zones_by_region.items():
            _offer(region, name, zone_ids)
    offered_types.cache_clear()
    types_by_zone.cache_clear()


def _offer(region: str, name: str, zone_ids: set[str]) -> None:
    def listed(kind: str, location: str) -> None:
        row = {"InstanceType": name, "Location": location, "LocationType": kind}
        INSTANCE_TYPE_OFFERINGS[kind].setdefault(region, []).append(row)

    listed("region", region)
    for zone_name, zone_id in recorded_zone_ids(region).items():
        if zone_id in zone_ids:
            listed("availability-zone-id", zone_id)
            listed("availability-zone", zone_name)


@cache
def offered_types(region: str) -> frozenset[str]:
    """Types that can be launched anywhere in the region; empty for a region without data."""
    return frozenset(row["InstanceType"] for row in INSTANCE_TYPE_OFFERINGS["region"].get(region, []))


@cache
def types_by_zone(region: str) -> dict[str, frozenset[str]]:
    """Zone id → types offered there."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in INSTANCE_TYPE_OFFERINGS["availability-zone-id"].get(region, []):
        found[row["Location"]].add(row["InstanceType"])
    return {zone_id: frozenset(types) for zone_id, types in found.items()}


def described_type(name: str) -> dict[str, Any]:
    """moto's entry for a type; {} for one nobody knows."""
    return INSTANCE_TYPES.get(name, {})
