"""Would an instance launched here now have been interrupted within the horizon? Traces → labelled rows.

A row is a look at a pool that is up, thinned to one in ten minutes; it has a label when the whole horizon was watched.
Its features are those of `mlregistry.domain.features`, from what was known at that instant. The hour and the weekday
are unknown, because no trace knows its clock; prices are unknown where no source has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from instances.domain.prices import DAY, PriceSummary
from mlregistry.domain.features import COLUMN, PoolInputs, RegionContext, context_of, raw_features
from mlregistry.training.market import (
    Market,
    PoolKey,
    PriceBook,
    Trouble,
    inputs_of,
    no_prices,
    no_trouble,
    numbered,
    summarized,
)
from mlregistry.training.traces import Trace

Floats = NDArray[np.float64]
STEP = 600.0  # seconds between rows of a trace
CALENDAR = ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")
HISTORY = {
    "interruption_recency": 0.0,
    "no_interruption_known": 1.0,
    "interruptions_per_hour": 0.0,
    "neighbours_hit": 0.0,
}
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at pools that are up, ordered by region.

    raw: float64[n, n_features], before scaling; at: float64[n]; next_drop_at: float64[n], inf = none was seen;
    watched_until: float64[n], the trace's end; trace: int64[n] into `traces`; region: int64[n] into `regions`;
    up_hours: float64[n], since the pool came up (or since it is watched); band: float64[n], the Advisor's.
    """

    raw: Floats
    at: Floats
    next_drop_at: Floats
    watched_until: Floats
    trace: NDArray[np.int64]
    region: NDArray[np.int64]
    up_hours: Floats
    band: Floats
    traces: tuple[Trace, ...]
    regions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.at)

    def take(self, chosen: NDArray[np.bool_]) -> Looks:
        """The chosen rows."""
        rows = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name not in {"traces", "regions"}}
        return Looks(**rows, traces=self.traces, regions=self.regions)

    def where(self, is_so: Callable[[Trace], bool]) -> NDArray[np.bool_]:
        """Mask of the rows whose trace is so."""
        return np.array([is_so(trace) for trace in self.traces], dtype=bool)[self.trace]

    @property
    def pool_numbers(self) -> NDArray[np.int64]:
        """int64[n], the same for rows of one pool, whichever trace they come from."""
        return numbered([f"{trace.zone} {trace.instance_type}" for trace in self.traces])[self.trace]

    def watched(self, horizon: timedelta) -> Looks:
        """The rows whose whole horizon was watched: the others can have no label, whatever happened."""
        return self.take(self.at + horizon.total_seconds() <= self.watched_until)

    def label(self, horizon: timedelta) -> NDArray[np.bool_]:
        """Was it interrupted within the horizon?"""
        return self.next_drop_at <= self.at + horizon.total_seconds()


def looks(traces: Sequence[Trace], market: Market) -> Looks:
    """Every look of all traces. Raises ValueError when there is none."""
    ordered = sorted(traces, key=lambda trace: (trace.region, trace.name))
    index = [_thinned(trace) for trace in ordered]
    number = np.repeat(np.arange(len(ordered)), [len(look) for look in index])
    if not len(number):
        raise ValueError("no trace ever saw a pool up")
    paired = list(zip(ordered, index, strict=True))
    at = np.concatenate([trace.at[look] for trace, look in paired])
    pools = [ordered[i].pool for i in number]
    summary, context = _prices(market, pools, at)
    inputs = inputs_of(market, pools, summary, _trouble(ordered, paired))
    rows = np.arange(len(at))  # each row brings its own context
    raw = raw_features(replace(inputs, family=rows, instance_type=rows), context, at)
    raw[:, [COLUMN[name] for name in CALENDAR]] = np.nan
    return Looks(
        raw=raw,
        at=at,
        next_drop_at=np.concatenate([_following(trace.dropped_at, trace.at[look]) for trace, look in paired]),
        watched_until=np.array([trace.at[-1] for trace in ordered])[number],
        trace=number,
        region=inputs.region,
        up_hours=np.concatenate([_up_hours(trace, look) for trace, look in paired]),
        band=np.array([market.bands.get((trace.region, trace.instance_type), np.nan) for trace in ordered])[number],
        traces=tuple(ordered),
        regions=tuple(dict.fromkeys(ordered[i].region for i in np.unique(number))),
    )


def without_history(raw: Floats) -> Floats:
    """The same rows as a stranger sees them: no interruption known. In production most pools are such."""
    blank = raw.copy()
    for name, value in HISTORY.items():
        blank[:, COLUMN[name]] = value
    return blank


def _thinned(trace: Trace) -> NDArray[np.int64]:
    """Indices of the looks that become rows: up, and one in STEP."""
    index = np.unique(np.searchsorted(trace.at, np.arange(trace.at[0], trace.at[-1], STEP)))
    return index[trace.is_up[index]]


def _trouble(traces: Sequence[Trace], paired: Sequence[tuple[Trace, NDArray[np.int64]]]) -> Trouble:
    """What was known at each look of interruptions here and, from traces watched at that time, next door."""
    parts = [
        (
            np.concatenate([[np.nan], trace.at[~trace.is_up]])[np.cumsum(~trace.is_up)[look]],
            _drops(trace, trace.at[look], 7 * DAY),
            _watched_hours(trace, trace.at[look]),
            _neighbours_hit(traces, trace, trace.at[look]),
        )
        for trace, look in paired
    ]
    return Trouble(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _drops(trace: Trace, at: Floats, seconds: float) -> Floats:
    """How often capacity went missing in the `seconds` before each instant."""
    dropped_at = trace.dropped_at
    since = np.searchsorted(dropped_at, at - seconds, side="right")
    return (np.searchsorted(dropped_at, at, side="right") - since).astype(np.float64)


def _watched_hours(trace: Trace, at: Floats) -> Floats:
    """Hours in which capacity was there in the 7 days before each instant: what one instance would have run."""
    hours_up = np.concatenate([[0.0], np.cumsum(np.diff(trace.at) * trace.is_up[:-1]) / HOUR])
    since = np.interp(at - 7 * DAY, trace.at, hours_up)
    return np.interp(at, trace.at, hours_up) - since


def _neighbours_hit(traces: Sequence[Trace], trace: Trace, at: Floats) -> Floats:
    """Drops of the last hour in other pools of the region, per pool that was watched then."""
    drops, watched = np.zeros(len(at)), np.zeros(len(at))
    for other in traces:
        if other.region == trace.region and other.pool != trace.pool:
            is_watched = (at >= other.at[0]) & (at <= other.at[-1])
            drops += is_watched * _drops(other, at, HOUR)
            watched += is_watched
    return drops / np.maximum(watched, 1.0)


def _up_hours(trace: Trace, look: NDArray[np.int64]) -> Floats:
    """Hours since the pool came up, or since it is watched."""
    came_up = np.flatnonzero(trace.is_up & np.concatenate([[True], ~trace.is_up[:-1]]))
    since = trace.at[came_up[np.searchsorted(came_up, look, side="right") - 1]]
    return (trace.at[look] - since) / HOUR


def _following(dropped_at: Floats, at: Floats) -> Floats:
    return np.append(dropped_at, np.inf)[np.searchsorted(dropped_at, at, side="right")]


def _prices(market: Market, pools: Sequence[PoolKey], at: Floats) -> tuple[PriceSummary, RegionContext]:
    """Each row's price summary and regional context at its own instant; unknown where no book has the pool then."""
    summary = no_prices(len(pools))
    context = RegionContext(np.full(len(pools), np.nan), np.full(len(pools), np.nan))
    for book in market.books:
        place = {pool: index for index, pool in enumerate(book.pools)}
        first_at = book.history.at[book.history.offsets[:-1]]
        index = np.array([place.get(pool, -1) for pool in pools])
        covered = np.flatnonzero((index >= 0) & (at >= first_at[index]) & (at <= book.until[index]))
        inputs = _book_inputs(market, book)
        for instant in np.unique(at[covered]):
            now = summarized(book, float(instant))
            around = context_of(replace(inputs, prices=now))
            for row in covered[at[covered] == instant]:
                for name in PriceSummary.__slots__:
                    getattr(summary, name)[row] = getattr(now, name)[index[row]]
                context.family_stress[row] = around.family_stress[inputs.family[index[row]]]
                context.log_price[row] = around.log_price[inputs.instance_type[index[row]]]
    return summary, context


def _book_inputs(market: Market, book: PriceBook) -> PoolInputs:
    n = len(book.pools)
    return inputs_of(market, book.pools, no_prices(n), no_trouble(n))
