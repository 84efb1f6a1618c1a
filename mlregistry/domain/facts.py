"""What must be known of a pool to recompute its score from nothing else?

The score of a region and the replay of one pool both start from these columns, so they run the same code on the same
bits: a fact survives JSON exactly (Python writes the shortest decimal that reads back as the same float), and what JSON
cannot say (NaN, infinity, −0) is made unknown or 0 before anything is computed from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instances.domain.prices import PriceSummary
from mlregistry.domain import hazard
from mlregistry.domain.features import PoolInputs, RegionContext

Floats = NDArray[np.float64]

PRICE_COLUMNS = tuple(field.name for field in fields(PriceSummary))


class PoolNames(NamedTuple):
    """Which pools n rows are about, and on which statistics their features stand (SHA-256 of `FeatureStatistics`)."""

    pool_id: Sequence[int]
    instance_type: Sequence[str]
    zone_id: Sequence[str]
    product: Sequence[str]
    region: Sequence[str]
    statistics: Sequence[str]


@dataclass(frozen=True, slots=True)
class Measures:
    """Facts of n pools, float64[n], NaN = unknown. Times are epoch seconds, prices micro-dollars an hour.

    at: the instant that ages are counted from; launch_at: the instant that features are taken for
    current_micro … n_changes: as in PriceSummary
    band: the Advisor's, 0 to 4
    is_burstable, has_gpu, is_metal: 1, 0
    last_missing_at, interruptions_7d, watched_hours_7d, neighbours_hit: as in PoolInputs
    family_stress, type_log_price: the regional aggregates this pool is compared with, as in RegionContext
    prices_as_of, advisor_as_of, on_demand_as_of: until when the source is known
    """

    at: Floats
    launch_at: Floats
    current_micro: Floats
    log_mean: Floats
    volatility: Floats
    slope_1d: Floats
    slope_7d: Floats
    seconds_since_change: Floats
    seconds_covered: Floats
    n_changes: Floats
    on_demand_micro: Floats
    band: Floats
    vcpus: Floats
    memory_gib: Floats
    launch_year: Floats
    is_burstable: Floats
    has_gpu: Floats
    is_metal: Floats
    last_missing_at: Floats
    interruptions_7d: Floats
    watched_hours_7d: Floats
    neighbours_hit: Floats
    family_stress: Floats
    type_log_price: Floats
    prices_as_of: Floats
    advisor_as_of: Floats
    on_demand_as_of: Floats


MEASURES = tuple(field.name for field in fields(Measures))
_ROW = (*PoolNames._fields, *MEASURES)


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """Names and measures of n pools, row by row."""

    names: PoolNames
    measures: Measures

    def __len__(self) -> int:
        return len(self.names.pool_id)


def measured(columns: Mapping[str, Floats]) -> Measures:
    """Measures of equally long columns; what JSON cannot say becomes unknown. TypeError for a missing column."""
    return Measures(**{name: np.where(np.isfinite(column), column, np.nan) + 0.0 for name, column in columns.items()})


def as_rows(facts: PoolFacts) -> list[dict[str, Any]]:
    """One JSON object per pool, unknown = null: what `PoolScore.inputs` and receipts hold."""
    columns = [
        [None if value != value else value for value in getattr(facts.measures, name).tolist()] for name in MEASURES
    ]
    return [dict(zip(_ROW, values, strict=True)) for values in zip(*facts.names, *columns, strict=True)]


def as_row(pool: Any, statistics: str, measures: Sequence[float | None]) -> dict[str, Any]:
    """The same of one `instances.models.Pool`."""
    names = (pool.id, pool.instance_type, pool.zone_id, pool.product, pool.region, statistics)
    return dict(zip(_ROW, (*names, *measures), strict=True))


def from_rows(rows: Sequence[Mapping[str, Any]]) -> PoolFacts:
    """The inverse of `as_rows`. Raises KeyError naming what a row lacks."""
    names = PoolNames(*([row[field] for row in rows] for field in PoolNames._fields))
    columns = {
        name: np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
        for name in MEASURES
    }
    return PoolFacts(names, measured(columns))


def feature_inputs(facts: PoolFacts, region: NDArray[np.int64]) -> tuple[PoolInputs, RegionContext]:
    """What features are made of, each row bringing its own context. `region` int64[n] points into the statistics."""
    known, each = facts.measures, np.arange(len(facts), dtype=np.int64)
    inputs = PoolInputs(
        prices=PriceSummary(**{name: getattr(known, name) for name in PRICE_COLUMNS}),
        on_demand_micro=known.on_demand_micro,
        interruption_rate=hazard.monthly_rate(known.band),
        vcpus=known.vcpus,
        memory_gib=known.memory_gib,
        launch_year=known.launch_year,
        is_burstable=known.is_burstable,
        has_gpu=known.has_gpu,
        last_missing_at=known.last_missing_at,
        interruptions_7d=known.interruptions_7d,
        watched_hours_7d=known.watched_hours_7d,
        neighbours_hit=known.neighbours_hit,
        region=region,
        family=each,
        instance_type=each,
    )
    return inputs, RegionContext(family_stress=known.family_stress, log_price=known.type_log_price)


def at_price(facts: PoolFacts, usd_micro: Floats) -> PoolFacts:
    """The same pools, had their price just become `usd_micro` (NaN = as it is); the regional aggregates stay."""
    known = facts.measures
    is_other = np.isfinite(usd_micro) & (usd_micro != known.current_micro)
    step = np.where(is_other, np.log(usd_micro) - np.log(known.current_micro), 0.0)
    moved = {
        "current_micro": np.where(is_other, usd_micro, known.current_micro),
        "slope_1d": known.slope_1d + step,
        "slope_7d": known.slope_7d + step / 7,
        "seconds_since_change": np.where(is_other, 0.0, known.seconds_since_change),
    }
    return PoolFacts(facts.names, replace(known, **moved))


def launched_at(facts: PoolFacts, at: Floats) -> PoolFacts:
    """The same pools, for launches at other instants (epoch seconds, NaN = as it is)."""
    chosen = np.where(np.isfinite(at), at, facts.measures.launch_at)
    return PoolFacts(facts.names, replace(facts.measures, launch_at=chosen))


def asked_at(facts: PoolFacts, at: Floats) -> PoolFacts:
    """The same facts, their ages counted from other instants (epoch seconds)."""
    return PoolFacts(facts.names, replace(facts.measures, at=at))
