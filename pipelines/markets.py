"""What does the market look like now, ready for an engine?

Each process keeps the arrays of a region until its scores change: a request reads one row, not 60,000.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from instances.domain.pool import Product
from instances.domain.snapshot import EVIDENCE, Market
from instances.models import InstanceType
from mlregistry.models import PoolScore, RegionScoring

_held: dict[tuple[str, Product], Market] = {}
_lock = threading.Lock()

COLUMNS = (
    "pool__instance_type",
    "pool__zone_id",
    "spot_usd_micro",
    "on_demand_usd_micro",
    "on_demand_as_of",
    "safety_score",
    "interruption_probability",
    "probability_low",
    "probability_high",
    "evidence",
)


def market(region: str, product: Product = Product.LINUX) -> Market:
    """The region's market; empty arrays where nothing has been scored."""
    scoring = RegionScoring.objects.filter(region=region, product=product.value).first()
    version = "" if scoring is None else f"{scoring.scored_at.isoformat()}/{scoring.pools}"
    held = _held.get((region, product))
    if held is not None and held.version == version:
        return held
    with _lock:
        fresh = _read(region, product, version, scoring)
        _held[region, product] = fresh
    return fresh


def _read(region: str, product: Product, version: str, scoring: RegionScoring | None) -> Market:
    rows = list(
        PoolScore.objects.filter(pool__region=region, pool__product=product.value)
        .order_by("pool__instance_type", "pool__zone_id")
        .values_list(*COLUMNS)
    )
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    types, zones, spot, listed, listed_at, safety, probability, low, high, evidence = columns
    specs = {s["name"]: s for s in InstanceType.objects.filter(name__in=set(types)).values(*SPEC_COLUMNS)}
    of = [specs.get(name, NOT_LISTED) for name in types]
    return Market(
        region=region,
        product=product,
        version=version,
        instance_types=np.array(types, dtype=str),
        zone_ids=np.array(zones, dtype=str),
        vcpus=_floats(s["vcpus"] for s in of),
        memory_gib=_floats(s["memory_mib"] for s in of) / 1024,
        gpu_count=_floats(s["gpu_count"] for s in of),
        is_x86=np.array(["x86_64" in s["architectures"] for s in of], dtype=bool),
        is_arm=np.array(["arm64" in s["architectures"] for s in of], dtype=bool),
        is_bare_metal=np.array([s["is_bare_metal"] for s in of], dtype=bool),
        usd_per_hour=_floats(spot) / 1e6,
        on_demand_usd_per_hour=_floats(listed) / 1e6,
        on_demand_at=_floats(None if at is None else at.timestamp() for at in listed_at),
        safety=_floats(safety),
        probability=_floats(probability),
        confidence=1.0 - (_floats(high) - _floats(low)),
        evidence=np.array([EVIDENCE.index(e) for e in evidence], dtype=np.int8),
        scored_at=scoring.scored_at if scoring else None,
        prices_as_of=scoring.prices_as_of if scoring else None,
        advisor_as_of=scoring.advisor_as_of if scoring else None,
        on_demand_as_of=scoring.on_demand_as_of if scoring else None,
        horizon_seconds=scoring.horizon_seconds if scoring else None,
    )


SPEC_COLUMNS = ("name", "vcpus", "memory_mib", "gpu_count", "architectures", "is_bare_metal")
# a priced type that the catalogue does not list fits no workload: NaN is not ≥ anything
NOT_LISTED: dict[str, Any] = {
    "vcpus": None,
    "memory_mib": None,
    "gpu_count": None,
    "architectures": [],
    "is_bare_metal": False,
}


def _floats(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
