"""How near do features and safety come to the time that merely reading their arrays takes?"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instances.domain import prices
from instances.domain.pool import family_of
from instances.domain.prices import PriceHistory, PriceSummary
from mlregistry.domain import features, hazard, safety
from mlregistry.domain.features import PoolInputs, RegionContext, RegionStatistics
from spotopt.local.benches import invented
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.invented import NOW
from spotopt.local.benches.measure import Row, at_most, medians

Floats = NDArray[np.float64]
LOOPS = 10  # of a work that takes a millisecond, so that the clock is not what is measured


def rows(on: Ground) -> list[Row]:
    n = on.sized(invented.POOLS, least=len(invented.TYPES))
    history = invented.history(n)
    summary = prices.summarize(history, at=NOW)
    inputs, bands = pool_inputs(summary), bands_of(n)
    context = features.context_of(inputs)
    statistics = statistics_of(inputs, context)
    arrays, events = arrays_of(inputs), [history.at, history.usd_micro, history.offsets]
    took = medians(
        {
            "read": lambda: [read(arrays) for _ in range(LOOPS)],
            "kernel": lambda: [kernel(inputs, bands, context, statistics) for _ in range(LOOPS)],
            "regional": lambda: [statistics_of(inputs, features.context_of(inputs)) for _ in range(LOOPS)],
            "read events": lambda: [read(events) for _ in range(LOOPS)],
            "summarize": lambda: prices.summarize(history, at=NOW),
            "check": lambda: PriceHistory(history.offsets, history.at, history.usd_micro),
        },
        times=on.sized(15, least=3),
    )
    floor, floor_of_events = (took[name] / LOOPS * 1000 for name in ("read", "read events"))
    size = f"{sum(array.nbytes for array in arrays) / 1e6:.1f} MB"
    of_events = f"floor: one read of {len(history.at):,} price changes"
    return [
        Row(
            f"features and safety of {n:,} pools",
            *(took["kernel"] / LOOPS * 1000, "ms", floor),
            goal=at_most(6),
            note=f"floor: one NumPy read (sum) of the same arrays, {size}",
        ),
        Row("… the regions' own aggregates and statistics", took["regional"] / LOOPS * 1000, "ms", floor),
        Row("… summary of 8 days of raw changes", took["summarize"] * 1000, "ms", floor_of_events, note=of_events),
        Row("… looking at those changes for bad ones", took["check"] * 1000, "ms", floor_of_events, note=of_events),
    ]


def pool_inputs(summary: PriceSummary) -> PoolInputs:
    """The pools of a summary as features take them, region by region."""
    n = len(summary.current_micro)
    of_region = len(invented.TYPES) * invented.ZONES
    region = np.arange(n) // of_region
    kind = np.arange(n) % of_region // invented.ZONES
    names = [invented.TYPES[each] for each in kind]
    families = [family_of(name) for name in names]
    vcpus = np.array([invented.SIZES[name.partition(".")[2]] for name in names], dtype=np.float64)
    return PoolInputs(
        prices=summary,
        on_demand_micro=2.5 * summary.current_micro,
        interruption_rate=hazard.monthly_rate(bands_of(n)),
        vcpus=vcpus,
        memory_gib=4 * vcpus,
        launch_year=features.launch_year(families),
        is_burstable=np.array([name.startswith("t") for name in names], dtype=np.float64),
        has_gpu=np.array([name.startswith(("p", "g")) for name in names], dtype=np.float64),
        last_missing_at=np.full(n, np.nan),
        interruptions_7d=np.zeros(n),
        watched_hours_7d=np.zeros(n),
        neighbours_hit=np.zeros(n),
        region=region,
        family=region * len(invented.FAMILIES) + kind // len(invented.SIZES),
        instance_type=region * len(invented.TYPES) + kind,
    )


def bands_of(n: int) -> Floats:
    return (np.arange(n) % 5).astype(np.float64)


def statistics_of(inputs: PoolInputs, context: RegionContext) -> RegionStatistics:
    raw = features.raw_features(inputs, context, NOW)
    return features.statistics_of(raw, inputs.region, int(inputs.region[-1]) + 1)


def kernel(
    inputs: PoolInputs, bands: Floats, context: RegionContext, statistics: RegionStatistics
) -> tuple[Floats, Floats]:
    """What scoring computes of every pool, but for the model."""
    components = safety.AdaptiveComponents(
        advisor=safety.band_score(bands),
        stability=safety.stability(inputs.prices.volatility),
        structural=safety.structural(
            inputs.vcpus, 1970 + NOW / features.YEAR - inputs.launch_year, inputs.is_burstable, np.zeros(len(inputs))
        ),
        learned=np.full(len(inputs), np.nan),
    )
    found = features.features(inputs, context, statistics, np.full(len(inputs), NOW))
    return found, safety.safety(components, safety.adaptive_weights())


def arrays_of(inputs: PoolInputs) -> list[NDArray[Any]]:
    """Every array that the features of these pools are made of."""
    found = [getattr(inputs, field.name) for field in fields(inputs) if field.name != "prices"]
    return [*found, *(getattr(inputs.prices, field.name) for field in fields(PriceSummary))]


def read(arrays: list[NDArray[Any]]) -> float:
    """Touch every number once."""
    return float(sum(array.sum() for array in arrays))
