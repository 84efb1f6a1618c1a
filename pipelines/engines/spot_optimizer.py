"""Which Spot pools should a workload use, and how many On-Demand instances must stay?

Confidence = mean of (1 − width of the interruption probability's interval) over the allocated Spot instances.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instances.domain.money import a_month
from instances.domain.snapshot import EVIDENCE, Market
from pipelines.engines import spot_telling as telling
from pipelines.engines.contract import Case, Decision, Engine, PlanStep
from pipelines.engines.spot_request import Config, Constraints, Requirements, Running, State, Workload


def decide(case: Case, config: Config) -> Decision:
    """Rank pools for each workload and spread its instances; without fresh data all stays On-Demand, and says so."""
    answers = [_answer(workload, case, config) for workload in case.requirements]
    savings = [a.savings for a in answers if a.savings is not None]
    sure = [c for a in answers for c in a.confidences]
    steps = [step for a in answers for step in a.launches]
    return Decision(
        recommendations=tuple(a.as_json for a in answers),
        confidence_score=math.fsum(sure) / len(sure) if sure else None,
        estimated_savings=sum(savings, Decimal(0)) if len(savings) == len(answers) else None,
        execution_plan=tuple(PlanStep(n, "launch", target, p) for n, (target, p) in enumerate(steps, 1)),
        warnings=(*_left_out(case), *(w for a in answers for w in a.warnings)),
        data_as_of={r: telling.ages(m) for r, m in sorted(case.markets.items())},
        explanation={"ranking": f"{config.safety_weight:g} × safety + {config.savings_weight:g} × savings"},
    )


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What the savings are counted against. `usd_per_month` None: a price that it needs is unknown."""

    kind: str  # running | cheapest_on_demand
    instance_types: str | None  # what runs today; None = nobody said that anything does
    usd_per_month: Decimal | None


@dataclass(frozen=True, slots=True)
class _Answer:
    as_json: dict[str, Any]
    savings: Decimal | None
    confidences: list[float]
    launches: list[tuple[str, dict[str, Any]]]
    warnings: list[str]


def _answer(workload: Workload, case: Case, config: Config) -> _Answer:
    limits: Constraints = case.constraints
    market = _without_old_list_prices(case.markets[workload.region], limits, case.at)
    fits = _fits(market, workload, limits)
    stale = _stale(market, limits, case.at)
    fallback = _cheapest_on_demand(market, fits)
    savings_share = _savings_share(market, fallback)
    refused, passing = _judge(market, fits, savings_share, limits, case.closed, is_stale=bool(stale))
    order = _ranked(market, passing, savings_share, config)
    spot, on_demand = _spread(market, order, workload.count, limits, config)
    name = workload.name or f"{workload.vcpus:g} vCPU, {workload.memory_gib:g} GiB"
    warnings = [f"{name}: {reason}" for reason in stale + _layer_warnings(market, spot, workload, limits, config)]
    if fallback is None and on_demand:
        warnings.append(f"{name}: no On-Demand price is known for a type that fits in {workload.region}")
    baseline = _baseline(workload, case, market, fallback)
    chosen = [(int(i), n) for i, n in spot.items()]
    cost = telling.monthly(market, chosen, fallback, on_demand)
    savings = None if baseline.usd_per_month is None or cost is None else baseline.usd_per_month - cost
    top = [telling.pool(market, int(i), rank) for rank, i in enumerate(order[: config.top], 1)]
    return _Answer(
        as_json={
            "requirement": name,
            "region": workload.region,
            "count": workload.count,
            "current_instance_type": baseline.instance_types,
            "current_monthly_cost": telling.money(baseline.usd_per_month if baseline.instance_types else None),
            "compared_with": baseline.kind,
            "compared_monthly_cost": telling.money(baseline.usd_per_month),
            "recommended_instance_type": top[0]["instance_type"] if top else None,
            "recommended_monthly_cost": telling.money(cost),
            "monthly_savings": telling.money(savings),
            "top_pools": top,
            "allocation": [{**telling.pool(market, i, None), "count": n} for i, n in chosen],
            "on_demand": telling.on_demand(market, fallback, on_demand),
            "considered": int(fits.sum()),
            "refused": refused,
        },
        savings=savings,
        confidences=[float(market.confidence[i]) for i, n in chosen for _ in range(n)],
        launches=telling.launches(market, chosen, fallback, on_demand),
        warnings=warnings,
    )


def _fits(market: Market, workload: Workload, limits: Constraints) -> NDArray[np.bool_]:
    fits = (market.vcpus >= workload.vcpus) & (market.memory_gib >= workload.memory_gib) & ~market.is_bare_metal
    fits &= market.is_x86 if workload.architecture == "x86_64" else market.is_arm
    fits &= (market.gpu_count >= workload.gpu_count) if workload.gpu_count else (market.gpu_count == 0)
    if workload.instance_types:
        fits &= _among(market.instance_types, workload.instance_types)
    if workload.zones:
        fits &= _among(market.zone_ids, workload.zones)
    if limits.blocked_types:
        fits &= ~_among(market.instance_types, limits.blocked_types)
    return fits


def _without_old_list_prices(market: Market, limits: Constraints, at: datetime) -> Market:
    """An On-Demand price older than its limit is unknown: a type that is no longer listed keeps its last one."""
    is_known = at.timestamp() - market.on_demand_at <= limits.max_on_demand_age_seconds  # NaN compares false
    if is_known.all():
        return market
    return replace(market, on_demand_usd_per_hour=np.where(is_known, market.on_demand_usd_per_hour, np.nan))


def _among(names: NDArray[np.str_], wanted: tuple[str, ...]) -> NDArray[np.bool_]:
    """np.isin, which sorts both sides, takes twice as long for names."""
    every = frozenset(wanted)
    return np.fromiter((name in every for name in names.tolist()), dtype=bool, count=len(names))


def _stale(market: Market, limits: Constraints, at: datetime) -> list[str]:
    """Which of the region's data is missing or older than its limit."""
    found = []
    for what, when, limit in (
        ("Spot prices", market.prices_as_of, limits.max_price_age_seconds),
        ("scores", market.scored_at, limits.max_score_age_seconds),
        ("Advisor ratings", market.advisor_as_of, limits.max_advisor_age_seconds),
    ):
        if when is None:
            found.append(f"no {what} for {market.region}")
        elif at - when > timedelta(seconds=limit):
            found.append(f"{what} of {market.region} are {(at - when).total_seconds() / 3600:.1f} h old")
    return found


def _savings_share(market: Market, fallback: int | None) -> NDArray[np.float64]:
    """What a pool saves against the cheapest On-Demand type that fits, not against its own list price:
    a machine ten times too large at 90 % off saves nothing."""
    if fallback is None:
        return np.full(len(market), np.nan)
    return 1.0 - market.usd_per_hour / market.on_demand_usd_per_hour[fallback]


def _judge(
    market: Market,
    fits: NDArray[np.bool_],
    savings_share: NDArray[np.float64],
    limits: Constraints,
    closed: frozenset[tuple[str, str]],
    *,
    is_stale: bool,
) -> tuple[dict[str, int], NDArray[np.bool_]]:
    """How many fitting pools each limit refuses (a pool may fall to several), and which pools pass them all."""
    passes = {  # NaN compares false, so an unknown never passes
        "stale_data": np.full(len(market), not is_stale),
        "unknown": ~np.isnan(savings_share + market.safety + market.probability),
        "quarantine": ~_closed(market, closed),
        "interruption_probability": market.probability <= limits.max_interruption_probability,
        "evidence": market.evidence >= EVIDENCE.index(limits.min_evidence),
        "safety_score": market.safety >= limits.min_safety_score,
        "savings": savings_share >= limits.min_savings,
    }
    refused = {name: int((fits & ~mask).sum()) for name, mask in passes.items()}
    every = fits.copy()
    for mask in passes.values():
        every &= mask
    return refused, every


def _closed(market: Market, closed: frozenset[tuple[str, str]]) -> NDArray[np.bool_]:
    shut = np.zeros(len(market), dtype=bool)
    for instance_type, zone_id in closed:
        shut |= (market.instance_types == instance_type) & (market.zone_ids == zone_id)
    return shut


def _ranked(
    market: Market, passing: NDArray[np.bool_], savings_share: NDArray[np.float64], config: Config
) -> NDArray[np.intp]:
    """Indices of the passing pools, best first; ties by price, then name, so that the order never depends on rows."""
    rows = np.flatnonzero(passing)
    score = config.safety_weight * market.safety[rows] + config.savings_weight * savings_share[rows]
    keys = (market.zone_ids[rows], market.instance_types[rows], market.usd_per_hour[rows], -score)
    return rows[np.lexsort(keys)]


def _cheapest_on_demand(market: Market, fits: NDArray[np.bool_]) -> int | None:
    rows = np.flatnonzero(fits & ~np.isnan(market.on_demand_usd_per_hour))
    if not len(rows):
        return None
    prices = market.on_demand_usd_per_hour[rows]
    rows = rows[prices == prices.min()]  # few: names are slow to sort by
    return int(rows[np.lexsort((market.zone_ids[rows], market.instance_types[rows]))[0]])


def _spread(
    market: Market, order: NDArray[np.intp], count: int, limits: Constraints, config: Config
) -> tuple[Counter[int], int]:
    """How many instances each pool gets, and how many stay On-Demand, under layers 3 and 4.

    Zones take turns, so that layer 2 is met where the pools allow it at all.
    """
    if not len(order):
        return Counter(), count
    if count < config.layers_from:
        return Counter({int(order[0]): count}), 0
    most = math.floor(count * limits.max_share_in_one_pool)
    wanted = count - math.ceil(count * limits.min_on_demand_share)
    by_zone: dict[str, list[int]] = {}
    for zone, i in zip(market.zone_ids[order].tolist(), order.tolist(), strict=True):
        by_zone.setdefault(zone, []).append(i)
    spread: Counter[int] = Counter()
    while wanted and any(by_zone.values()):
        for pools in by_zone.values():
            if wanted and pools:
                if most and spread[pools[0]] < most:
                    spread[pools[0]] += 1
                    wanted -= 1
                if spread[pools[0]] >= most:
                    pools.pop(0)
    spread = +spread
    return spread, count - spread.total()


def _layer_warnings(
    market: Market, spot: Counter[int], workload: Workload, limits: Constraints, config: Config
) -> list[str]:
    if not spot:
        return ["no Spot pool passes every limit; all instances stay On-Demand"]
    zones = {str(market.zone_ids[i]) for i in spot}
    if workload.count >= config.layers_from and len(zones) < limits.min_zones:
        return [f"Spot pools pass in {len(zones)} zones only, {limits.min_zones} wanted"]
    return []


def _baseline(workload: Workload, case: Case, market: Market, fallback: int | None) -> _Baseline:
    """What runs today at its On-Demand prices; where nothing is said to run, the cheapest On-Demand type that fits."""
    mine = [r for r in case.state.instances if _serves(r, workload)]
    if not mine:
        each = None if fallback is None else telling.usd(market.on_demand_usd_per_hour[fallback])
        return _Baseline("cheapest_on_demand", None, None if each is None else a_month(each) * workload.count)
    name = ", ".join(sorted({r.instance_type for r in mine}))
    total = Decimal(0)
    for running in mine:
        rows = np.flatnonzero(market.instance_types == running.instance_type)
        if not len(rows) or math.isnan(market.on_demand_usd_per_hour[rows[0]]):
            return _Baseline("running", name, None)
        total += a_month(telling.usd(market.on_demand_usd_per_hour[rows[0]])) * running.count
    return _Baseline("running", name, total)


def _serves(running: Running, workload: Workload) -> bool:
    return running.region == workload.region and running.workload == workload.name


def _left_out(case: Case) -> list[str]:
    """What runs and belongs to no requirement: a misspelt name would count the savings against another bill."""
    return [
        f"{running.count} × {running.instance_type} in {running.region} of workload {running.workload!r}: "
        "no requirement has that name and region, so they are not counted"
        for running in case.state.instances
        if not any(_serves(running, workload) for workload in case.requirements)
    ]


ENGINE = Engine(
    name="spot_optimizer",
    decision_type="spot_optimize",
    path="spot-optimize",
    version="1",
    State=State,
    Requirements=Requirements,
    Constraints=Constraints,
    config=Config(),
    decide=decide,
    regions=lambda workloads: frozenset(w.region for w in workloads),
)
