"""What does the market look like now, ready for an engine?

Each process keeps the arrays of a region until its scores change: a request reads two integers, not 60,000 rows.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Count, Max, Min

from instances.domain.pool import Product
from instances.domain.snapshot import EVIDENCE, Market
from instances.models import InstanceType
from mlregistry.models import PoolScore

_held: dict[tuple[str, Product], Market] = {}
_lock = threading.Lock()

COLUMNS = (
    "pool__instance_type",
    "pool__zone_id",
    "spot_usd_micro",
    "on_demand_usd_micro",
    "safety_score",
    "interruption_probability",
    "probability_low",
    "probability_high",
    "evidence",
)


def market(region: str, product: Product = Product.LINUX) -> Market:
    """The region's market; empty arrays where nothing has been scored."""
    rows = PoolScore.objects.filter(pool__region=region, pool__product=product.value)
    state = rows.aggregate(
        scored_at=Min("scored_at"),
        newest=Max("scored_at"),
        pools=Count("pk"),
        prices_as_of=Min("prices_as_of"),
        advisor_as_of=Min("advisor_as_of"),
        on_demand_as_of=Min("on_demand_as_of"),
        horizon_seconds=Max("horizon_seconds"),
    )
    version = f"{state['newest']}/{state['pools']}"
    held = _held.get((region, product))
    if held is not None and held.version == version:
        return held
    with _lock:
        fresh = _read(region, product, version, state)
        _held[region, product] = fresh
    return fresh


def _read(region: str, product: Product, version: str, state: dict[str, Any]) -> Market:
    rows = list(
        PoolScore.objects.filter(pool__region=region, pool__product=product.value)
        .order_by("pool__instance_type", "pool__zone_id")
        .values_list(*COLUMNS)
    )
    types, zones, spot, listed, safety, probability, low, high, evidence = zip(*rows, strict=True) if rows else [()] * 9
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
        safety=_floats(safety),
        probability=_floats(probability),
        confidence=1.0 - (_floats(high) - _floats(low)),
        evidence=np.array([EVIDENCE.index(e) for e in evidence], dtype=np.int8),
        scored_at=_instant(state["scored_at"]),
        prices_as_of=_instant(state["prices_as_of"]),
        advisor_as_of=_instant(state["advisor_as_of"]),
        on_demand_as_of=_instant(state["on_demand_as_of"]),
        horizon_seconds=state["horizon_seconds"],
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


def _instant(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
