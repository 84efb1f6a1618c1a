"""What does AWS list: On-Demand prices and instance types?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from accounts.aws.read.instance_types import InstanceTypeFacts
from accounts.aws.read.pricing import OnDemandPrice as ListedPrice
from instances.domain.money import micro
from instances.market import quotes
from instances.market.attempts import Rejections
from instances.models import InstanceType, OnDemandPrice

MOST_TIMES = 10  # a list price that grows or shrinks by more than this at once is a misreading, not a change
BATCH = 2_000
TYPE_COLUMNS = [field.name for field in fields(InstanceTypeFacts) if field.name != "instance_type"]


def take_prices(
    region: str, operating_system: str, listed: Iterable[ListedPrice], rejections: Rejections, *, now: datetime
) -> int:
    """Upsert the list prices of a region; how many rows were stored. Rows that are not believable are rejected."""
    known = quotes.on_demand(region, operating_system=operating_system, at=now)
    taken: dict[tuple[str, datetime], ListedPrice] = {}
    contradicted = set()
    for price in listed:
        key = (price.instance_type, price.effective_at)
        reason = _defect(price, region, operating_system, known.get(price.instance_type))
        if reason:
            rejections.add(f"{price.instance_type} {price.usd_per_hour}", reason)
        elif key in taken and taken[key].usd_per_hour != price.usd_per_hour:
            contradicted.add(key)
            rejections.add(f"{price.instance_type} {price.usd_per_hour}", "two prices for one type and date")
        else:
            taken[key] = price
    OnDemandPrice.objects.bulk_create(
        (
            OnDemandPrice(
                instance_type=price.instance_type,
                region=region,
                operating_system=operating_system,
                usd_micro=micro(price.usd_per_hour),
                effective_at=price.effective_at,
                fetched_at=now,
            )
            for key, price in taken.items()
            if key not in contradicted
        ),
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["region", "instance_type", "operating_system", "effective_at"],
        update_fields=["usd_micro", "fetched_at"],
    )
    return len(taken) - len(contradicted)


def _defect(price: ListedPrice, region: str, operating_system: str, known: quotes.OnDemandQuote | None) -> str:
    """Why a list price is not taken; empty when it is."""
    if (price.region, price.operating_system) != (region, operating_system):
        return f"it is of {price.region} and {price.operating_system}"
    said = micro(price.usd_per_hour)
    if said <= 0:
        return "it is not above zero"
    if known and not known.usd_micro / MOST_TIMES <= said <= known.usd_micro * MOST_TIMES:
        return f"it was {known.usd_micro / 1e6} until now, a sudden change of more than {MOST_TIMES} ×"
    return ""


def take_types(listed: Iterable[InstanceTypeFacts], rejections: Rejections, *, now: datetime) -> int:
    """Upsert hardware facts; how many types were stored. A type that AWS no longer lists keeps its row."""
    rows = {}
    for facts in listed:
        if not facts.vcpus or not facts.memory_mib:
            rejections.add(facts.instance_type, "AWS does not say its vCPU or memory")
            continue
        values: dict[str, Any] = {name: getattr(facts, name) for name in TYPE_COLUMNS}
        rows[facts.instance_type] = InstanceType(name=facts.instance_type, fetched_at=now, **values)
    InstanceType.objects.bulk_create(
        rows.values(),
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=[*TYPE_COLUMNS, "fetched_at"],
    )
    return len(rows)
