"""What does a model get to see of a pool? One definition for training, backtest and production.

NaN is "unknown" and is never filled. Folded: *discount depth* is 1 − price position, the same column with its sign
turned, so it is shown to people and not fed twice. *Hours since the last interruption* enters as 1 / (1 + hours),
whose limit for "none known" is 0 without inventing a number of hours; "none known" has its own flag as well.

Scales. A column of scale REGION is a z-score within the region, (x − mean) ÷ standard deviation over the pools that
the region offers. Which statistics: those the model was trained with, kept in its metadata for the regions *and
columns* it learned from; for every other region or column, the region's own, by `statistics_of` over all its pools
(those without a price count for the hardware columns), computed by the same code and stored with the feature version.
So a column the model has learned from is always on the scale it was learned on where that region was learned, and
elsewhere on the region's own, which is what a z-score is for. Fewer than MIN_POOLS known pools: the column is unknown.
Where all pools of a region are equal (deviation 0) an equal pool stands at 0, and any other is unknown.
Columns of scale OWN (circles, flags, interruption history) mean the same in every region, and pass as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instances.domain.prices import DAY, PriceSummary
from mlregistry.domain import generations

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

FEATURE_VERSION = "pools-2"
DOUBT_HOURS = 6.0  # so that one interruption in the first hour watched is no rate of 1; in the formula, and its hash
MIN_POOLS = 8  # z-scores over fewer pools say more about the pools than about the one; part of the feature hash
YEAR = 365.25 * DAY
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday = 0


class Scale(StrEnum):
    REGION = "region"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Feature:
    """A column: its name, its formula in words (part of the hash), its scale."""

    name: str
    formula: str
    scale: Scale = Scale.REGION


FEATURES = (
    Feature("price_position", "spot price / On-Demand price (discount depth = 1 - this)"),
    Feature("family_stress", "mean over the region's pools of the family of ln(price) - its own 7-day mean ln(price)"),
    Feature("interruption_rate", "Spot Advisor band as a monthly rate: middle of the band"),
    Feature("vcpus", "ln(vCPU)"),
    Feature("memory_gib", "ln(memory in GiB)"),
    Feature("volatility_7d", "time-weighted standard deviation of ln(price) over 7 days"),
    Feature("hours_since_price_change", "hours since the price took another value, at most 168"),
    Feature("slope_1d", "ln(price now) - ln(price 1 day ago), per day"),
    Feature("slope_7d", "ln(price now) - ln(price 7 days ago), per day"),
    Feature("zone_spread", "ln(price) - mean ln(price) of the type in the region's zones, itself among them"),
    Feature("generation_age", "years since January of the family's year of launch"),
    Feature("hour_sin", "sin of the UTC time of day", Scale.OWN),
    Feature("hour_cos", "cos of the UTC time of day", Scale.OWN),
    Feature("weekday_sin", "sin of the UTC time of week, Monday 0:00 = 0", Scale.OWN),
    Feature("weekday_cos", "cos of the UTC time of week", Scale.OWN),
    Feature("is_burstable", "1 = burstable", Scale.OWN),
    Feature("has_gpu", "1 = has a GPU", Scale.OWN),
    Feature("interruption_recency", "1 / (1 + hours since capacity was last known missing); 0 = never", Scale.OWN),
    Feature("no_interruption_known", "1 = capacity was never known to be missing", Scale.OWN),
    Feature(
        "interruptions_per_hour",
        f"known interruptions / (instance-hours watched + {DOUBT_HOURS:g}), of 7 days",
        Scale.OWN,
    ),
    Feature("neighbours_hit", "known interruptions of 1 hour in the region's other pools, per watched pool", Scale.OWN),
)
NAMES = tuple(feature.name for feature in FEATURES)
COLUMN = {name: column for column, name in enumerate(NAMES)}
N_FEATURES = len(FEATURES)
N_REGIONAL = sum(feature.scale is Scale.REGION for feature in FEATURES)  # they come first


@dataclass(frozen=True, slots=True)
class PoolInputs:
    """What features are made of, for n pools; float64[n], NaN = unknown, unless said otherwise.

    region, family, instance_type: int64[n]; indices of the region, of the (region, family) and of the (region, type)
        into the rows of RegionStatistics and the two arrays of RegionContext. Pools of a region stand together:
        `region` ascends, or ValueError
    interruption_rate: the Advisor's band as a monthly rate (`hazard.monthly_rate`)
    is_burstable, has_gpu: 1, 0
    last_missing_at: epoch seconds of the last moment at which capacity was known to be missing: an interruption, or a
        later launch refused for want of capacity; NaN = none known (the one NaN that is an answer)
    interruptions_7d: known interruptions in the 7 days before; 0 when none is known
    watched_hours_7d: instance-hours in those days of which an interruption would have been known; 0 when nobody watched
    neighbours_hit: known interruptions of the last hour in the other watched pools of the region, per such pool; 0 when
        none is known
    """

    prices: PriceSummary
    on_demand_micro: Floats
    interruption_rate: Floats
    vcpus: Floats
    memory_gib: Floats
    launch_year: Floats
    is_burstable: Floats
    has_gpu: Floats
    last_missing_at: Floats
    interruptions_7d: Floats
    watched_hours_7d: Floats
    neighbours_hit: Floats
    region: Index
    family: Index
    instance_type: Index

    def __post_init__(self) -> None:
        if np.any(self.region[1:] < self.region[:-1]):
            raise ValueError("pools must be ordered by region")

    def __len__(self) -> int:
        return len(self.region)


@dataclass(frozen=True, slots=True)
class RegionContext:
    """What a pool's features need to know of other pools; given it, each row stands alone.

    family_stress: float64[n families of regions]; log_price: float64[n types of regions], mean over zones.
    """

    family_stress: Floats
    log_price: Floats


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """Mean and standard deviation of each raw feature per region, float64[n_regions, n_features].

    NaN = too few pools, or a column of scale OWN.
    """

    mean: Floats
    deviation: Floats

    def or_else(self, other: RegionStatistics) -> RegionStatistics:
        """These where they are known, `other` elsewhere: a model's own first, then the region's."""
        known = np.isfinite(self.mean) & np.isfinite(self.deviation)
        return RegionStatistics(
            np.where(known, self.mean, other.mean), np.where(known, self.deviation, other.deviation)
        )

    def only(self, names: Sequence[str]) -> RegionStatistics:
        """The statistics of the named columns; the others become unknown."""
        kept = np.isin(NAMES, list(names))
        return RegionStatistics(np.where(kept, self.mean, np.nan), np.where(kept, self.deviation, np.nan))

    def as_metadata(self, regions: Sequence[str]) -> dict[str, dict[str, list[float]]]:
        """{region: {feature: [mean, deviation]}} with the unknown left out; `regions` name the rows."""
        known = np.isfinite(self.mean) & np.isfinite(self.deviation)
        return {
            region: {
                NAMES[column]: [float(self.mean[row, column]), float(self.deviation[row, column])]
                for column in np.flatnonzero(known[row])
            }
            for row, region in enumerate(regions)
        }


def statistics_from_metadata(
    stored: Mapping[str, Mapping[str, Sequence[float]]], regions: Sequence[str]
) -> RegionStatistics:
    """The inverse of `as_metadata`, one row per name in `regions`; what is not stored is unknown.

    Raises KeyError for a feature that does not exist.
    """
    mean = np.full((len(regions), N_FEATURES), np.nan)
    deviation = np.full((len(regions), N_FEATURES), np.nan)
    for row, region in enumerate(regions):
        for name, (middle, width) in stored.get(region, {}).items():
            mean[row, COLUMN[name]], deviation[row, COLUMN[name]] = middle, width
    return RegionStatistics(mean, deviation)


def statistics_of(raw: Floats, region: Index, n_regions: int) -> RegionStatistics:
    """Statistics of the rows of `raw_features`, each column over its known rows; OWN columns stay unknown."""
    mean = np.full((n_regions, N_FEATURES), np.nan)
    deviation = np.full((n_regions, N_FEATURES), np.nan)
    for column in range(N_REGIONAL):
        known = np.isfinite(raw[:, column])
        values, where = np.ascontiguousarray(raw[known, column]), region[known]
        count = np.bincount(where, minlength=n_regions).astype(np.float64)
        count[count < MIN_POOLS] = np.nan
        mean[:, column] = np.bincount(where, values, n_regions) / count
        apart = values - mean[where, column]
        spread = np.sqrt(np.bincount(where, apart * apart, n_regions) / count)
        # equal pools leave rounding in the mean; a spread of that size is none
        deviation[:, column] = np.where(spread <= 1e-12 * np.abs(mean[:, column]), 0.0, spread)
    return RegionStatistics(mean, deviation)


def context_of(inputs: PoolInputs) -> RegionContext:
    """Regional aggregates over all pools of the regions at hand; a group without a known price is unknown."""
    log_price = np.log(inputs.prices.current_micro)
    return RegionContext(
        family_stress=_group_mean(inputs.family, log_price - inputs.prices.log_mean),
        log_price=_group_mean(inputs.instance_type, log_price),
    )


def raw_features(inputs: PoolInputs, context: RegionContext, at: float | Floats) -> Floats:
    """Features before scaling, float64[n, n_features], columns as in NAMES.

    `at` is one instant, or one for each row. What is not finite is unknown. Column by column in memory.
    """
    return _raw(inputs, context, _instants(at)).T


def scaled(raw: Floats, statistics: RegionStatistics, region: Index) -> Floats:
    """z-scores of the REGION columns, the others as they are; NaN where value or statistics are unknown."""
    columns = np.array(raw.T, order="C")
    _scale(columns, statistics, region)
    return columns.T


def features(inputs: PoolInputs, context: RegionContext, statistics: RegionStatistics, at: float | Floats) -> Floats:
    """float64[n, n_features], columns as in NAMES; not finite = unknown. One pool and 60,000 give the same bits."""
    columns = _raw(inputs, context, _instants(at))
    _scale(columns, statistics, inputs.region)
    return columns.T


def _instants(at: float | Floats) -> Floats:
    """One instant, or one for each row; where all rows share theirs, as in a scoring, it is computed with once."""
    when = np.atleast_1d(np.asarray(at, dtype=np.float64))
    return when[:1] if np.all(when == when[:1]) else when


def _raw(inputs: PoolInputs, context: RegionContext, when: Floats) -> Floats:
    """float64[n_features, n]: written and scaled one column after the other, which the cache likes."""
    prices, out = inputs.prices, np.empty((N_FEATURES, len(inputs)))
    column = dict(zip(NAMES, out, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 vCPU or a free machine: not finite, so unknown
        np.divide(prices.current_micro, inputs.on_demand_micro, out=column["price_position"])
        np.take(context.family_stress, inputs.family, out=column["family_stress"], mode="clip")
        column["interruption_rate"][:] = inputs.interruption_rate
        np.log(inputs.vcpus, out=column["vcpus"])
        np.log(inputs.memory_gib, out=column["memory_gib"])
        column["volatility_7d"][:] = prices.volatility
        np.divide(prices.seconds_since_change, 3600, out=column["hours_since_price_change"])
        column["slope_1d"][:] = prices.slope_1d
        column["slope_7d"][:] = prices.slope_7d
        np.log(prices.current_micro, out=column["zone_spread"])
        column["zone_spread"] -= np.take(context.log_price, inputs.instance_type, mode="clip")
        np.subtract(1970 + when / YEAR, inputs.launch_year, out=column["generation_age"])
    _write_calendar(column, when)
    column["is_burstable"][:] = inputs.is_burstable
    column["has_gpu"][:] = inputs.has_gpu
    _write_interruptions(column, inputs, when)
    return out


def _write_calendar(column: Mapping[str, Floats], when: Floats) -> None:
    day = 2 * np.pi * (when % DAY / DAY)
    week = 2 * np.pi * ((when / DAY + EPOCH_WEEKDAY) % 7 / 7)
    column["hour_sin"][:] = np.sin(day)
    column["hour_cos"][:] = np.cos(day)
    column["weekday_sin"][:] = np.sin(week)
    column["weekday_cos"][:] = np.cos(week)


def _write_interruptions(column: Mapping[str, Floats], inputs: PoolInputs, when: Floats) -> None:
    recency, is_never = column["interruption_recency"], np.isnan(inputs.last_missing_at)
    np.subtract(when, inputs.last_missing_at, out=recency)
    np.maximum(recency, 0.0, out=recency)
    recency /= 3600
    recency += 1
    np.divide(1, recency, out=recency)
    np.copyto(recency, 0.0, where=is_never)
    column["no_interruption_known"][:] = is_never
    np.add(inputs.watched_hours_7d, DOUBT_HOURS, out=column["interruptions_per_hour"])
    np.divide(inputs.interruptions_7d, column["interruptions_per_hour"], out=column["interruptions_per_hour"])
    column["neighbours_hit"][:] = inputs.neighbours_hit


def _scale(columns: Floats, statistics: RegionStatistics, region: Index) -> None:
    """z-score the REGION rows of float64[n_features, n] in place, a run of equal regions at a time."""
    ends = np.flatnonzero(region[1:] != region[:-1]) + 1
    for begin, end in zip([0, *ends], [*ends, len(region)], strict=True):
        if begin == end:  # no pools at all
            continue
        mean = statistics.mean[region[begin], :N_REGIONAL, None]
        deviation = statistics.deviation[region[begin], :N_REGIONAL, None]
        z = columns[:N_REGIONAL, begin:end]
        z -= mean
        is_flat = deviation[:, 0] == 0
        if is_flat.any():  # equal to the others: 0; the tolerance is the mean's own rounding
            z[is_flat] = np.where(np.abs(z[is_flat]) <= 1e-12 * np.abs(mean[is_flat]), 0.0, np.nan)
        z /= np.where(deviation == 0, 1.0, deviation)


def launch_year(families: Sequence[str]) -> Floats:
    """Launch years of families, NaN for those the table of generations does not list."""
    years = generations.launch_years()
    return np.array([years.get(family, np.nan) for family in families], dtype=np.float64)


def feature_hash() -> str:
    """SHA-256 over version, names, order, formulas, scales and configuration."""
    definition: dict[str, Any] = {
        "version": FEATURE_VERSION,
        "features": [[feature.name, feature.formula, feature.scale.value] for feature in FEATURES],
        "min_pools": MIN_POOLS,
        "generations": [generations.VERSION, sorted(generations.launch_years().items())],
    }
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


def _group_mean(group: Index, values: Floats) -> Floats:
    """Mean per group of what is known, added in the order of the rows; NaN for a group with nothing known."""
    known = np.isfinite(values)
    n_groups = int(group.max()) + 1 if len(group) else 0
    count = np.bincount(group[known], minlength=n_groups).astype(np.float64)
    count[count == 0] = np.nan
    return np.bincount(group[known], values[known], n_groups) / count
