"""How are ranked pools, prices and launches told in an answer? Money as decimal strings; what is unknown is null."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from instances.domain.money import a_month
from instances.domain.snapshot import EVIDENCE, Market


def usd(value: float) -> Decimal:
    """Dollars an hour with six places. ValueError for an unknown price: it has no dollars."""
    if math.isnan(value):
        raise ValueError("an unknown price is no amount")
    return Decimal(f"{value:.6f}")


def money(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def pool(market: Market, i: int, rank: int | None) -> dict[str, Any]:
    """A pool that passed every limit: its Spot price is known, its own On-Demand price need not be."""
    safety = float(market.safety[i])
    spot, listed = usd(market.usd_per_hour[i]), _known(market.on_demand_usd_per_hour[i])
    answer: dict[str, Any] = {
        "instance_type": str(market.instance_types[i]),
        "zone_id": str(market.zone_ids[i]),
        "spot_price": str(spot),
        "on_demand_price": money(listed),
        "monthly_cost": str(a_month(spot)),
        "monthly_savings": money(None if listed is None else a_month(listed) - a_month(spot)),
        "safety_score": safety,
        "risk_score": 1 - safety,
        "interruption_probability": float(market.probability[i]),
        "evidence": EVIDENCE[market.evidence[i]],
    }
    return answer if rank is None else {"rank": rank, **answer}


def monthly(market: Market, chosen: list[tuple[int, int]], fallback: int | None, on_demand: int) -> Decimal | None:
    """What the allocation costs; None where instances stay On-Demand at a price nobody knows."""
    if on_demand and fallback is None:
        return None
    total = sum((a_month(usd(market.usd_per_hour[i])) * n for i, n in chosen), Decimal(0))
    if on_demand and fallback is not None:
        total += a_month(usd(market.on_demand_usd_per_hour[fallback])) * on_demand
    return total


def on_demand(market: Market, fallback: int | None, count: int) -> dict[str, Any] | None:
    """The cheapest On-Demand type that fits and how many stay there; None where no price is known."""
    if fallback is None:
        return None
    price = usd(market.on_demand_usd_per_hour[fallback])
    return {"instance_type": str(market.instance_types[fallback]), "count": count, "on_demand_price": str(price)}


def launches(
    market: Market, chosen: list[tuple[int, int]], fallback: int | None, on_demand: int
) -> list[tuple[str, dict[str, Any]]]:
    """Target and parameters of each launch of the plan."""
    steps = [
        (
            f"{market.instance_types[i]} in {market.zone_ids[i]}",
            {
                "instance_type": str(market.instance_types[i]),
                "zone_id": str(market.zone_ids[i]),
                "market": "spot",
                "count": n,
            },
        )
        for i, n in chosen
    ]
    if on_demand and fallback is not None:
        name = str(market.instance_types[fallback])
        steps.append((name, {"instance_type": name, "market": "on-demand", "count": on_demand}))
    return steps


def ages(market: Market) -> dict[str, str | None]:
    """When each source of the region was whole for the last time; null = never."""
    return {
        "spot_prices": _stamp(market.prices_as_of),
        "on_demand_prices": _stamp(market.on_demand_as_of),
        "advisor": _stamp(market.advisor_as_of),
        "scores": _stamp(market.scored_at),
    }


def _known(value: float) -> Decimal | None:
    return None if math.isnan(value) else usd(value)


def _stamp(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat().replace("+00:00", "Z")
