"""What was a pool's price at a moment, and how did it move over a week?

A Spot price is a step: it holds from `at` until the next row. So means and volatility are weighted by time, and a
row that repeats the price (AWS re-emits prices about once a day) is no change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY = 86_400.0  # seconds
LARGEST = 1_000_000_000  # micro-dollars: $1,000 an hour, over twice the dearest type AWS has listed


class BadHistory(ValueError):
    """Price rows that no honest source sends: out of order, repeated, not positive, absurd, or not finite."""


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """The price changes of n pools, laid end to end; pool i owns rows offsets[i]:offsets[i + 1], perhaps none.

    `offsets` int64[n + 1]; `at` float64[m], epoch seconds, strictly ascending within a pool; `usd_micro` int[m],
    micro-dollars an hour, positive. Raises BadHistory, naming the first offending row.
    """

    offsets: NDArray[np.int64]
    at: Floats
    usd_micro: NDArray[np.int32] | NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_offsets(self.offsets, len(self.at), len(self.usd_micro))
        _check_rows(self.offsets, self.at, self.usd_micro)

    @property
    def n_pools(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True)
class PriceSummary:
    """Where each of n pools' prices stand at one instant; float64[n] each, NaN = the history does not reach.

    current_micro: price in force, NaN before the first row
    log_mean, volatility: time-weighted mean and standard deviation of ln(micro-dollars) over the window; NaN unless
        the first row is as old as the window
    slope_1d, slope_7d: change of ln(price) per day, between now and one day, and the whole window, ago
    seconds_since_change: since the price last took another value, at most the window; NaN when no change is known
        and the history is shorter than the window
    seconds_covered: since the first row; 0 without one
    n_changes: changes within the window (a lower bound while the history is shorter); 0 without a row
    """

    current_micro: Floats
    log_mean: Floats
    volatility: Floats
    slope_1d: Floats
    slope_7d: Floats
    seconds_since_change: Floats
    seconds_covered: Floats
    n_changes: Floats


def price_at(history: PriceHistory, at: float) -> Floats:
    """Micro-dollars an hour in force at `at`, float64[n]; NaN for a pool without a row by then."""
    return _taken(history.usd_micro.astype(np.float64), _last_row(history, at))


def summarize(history: PriceHistory, *, at: float, days: int = 7) -> PriceSummary:
    """Summary over the `days` before `at`; rows after `at` are not looked at.

    One pool alone and the same pool among 60,000 give the same bits: logarithms are elementwise, and sums are added
    row by row within a pool (`np.bincount`), never pairwise over a shape.
    """
    if not np.isfinite(at) or days <= 0:
        raise ValueError(f"no window of {days} days before {at}")
    begin = at - days * DAY
    pool = np.repeat(np.arange(history.n_pools), np.diff(history.offsets))
    log_price = np.log(history.usd_micro.astype(np.float64))
    now = _last_row(history, at)
    first_at = _taken(history.at, np.where(now >= 0, history.offsets[:-1], -1))
    is_full = first_at <= begin  # NaN compares False
    mean, deviation = _weighted(history, pool, log_price, begin, at)
    latest = _taken(log_price, now)
    changed_at, n_changes = _changes(history, pool, begin, at)
    covered = np.where(now >= 0, at - first_at, 0.0)
    since = np.minimum(at - changed_at, days * DAY)
    return PriceSummary(
        current_micro=_taken(history.usd_micro.astype(np.float64), now),
        log_mean=np.where(is_full, mean, np.nan),
        volatility=np.where(is_full, deviation, np.nan),
        slope_1d=latest - _taken(log_price, _last_row(history, at - DAY)),
        slope_7d=(latest - _taken(log_price, _last_row(history, begin))) / days,
        seconds_since_change=np.where(np.isnan(since) & is_full, days * DAY, since),
        seconds_covered=covered,
        n_changes=n_changes,
    )


def _check_offsets(offsets: NDArray[np.int64], n_times: int, n_prices: int) -> None:
    if n_times != n_prices:
        raise BadHistory(f"{n_times} times and {n_prices} prices")
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != n_times:
        raise BadHistory(f"offsets must run from 0 to {n_times}")
    if np.any(np.diff(offsets) < 0):
        raise BadHistory("offsets must not fall")


def _check_rows(offsets: NDArray[np.int64], at: Floats, usd_micro: NDArray[np.int32] | NDArray[np.int64]) -> None:
    if not np.all(np.isfinite(at)):
        raise BadHistory(f"row {int(np.argmin(np.isfinite(at)))}: its time is not finite")
    is_absurd = (usd_micro <= 0) | (usd_micro > LARGEST)
    if np.any(is_absurd):
        row = int(np.argmax(is_absurd))
        raise BadHistory(f"row {row}: {int(usd_micro[row])} micro-dollars an hour is not a price")
    is_late = np.zeros(len(at), dtype=bool)
    is_late[1:] = np.diff(at) <= 0
    is_late[offsets[:-1][offsets[:-1] < len(at)]] = False  # the first row of a pool follows nobody
    if np.any(is_late):
        row = int(np.argmax(is_late))
        pool = int(np.searchsorted(offsets, row, side="right")) - 1
        what = "repeats the time of" if at[row] == at[row - 1] else "is older than"
        raise BadHistory(f"pool {pool}: row {row} {what} the row before it")


def _last_row(history: PriceHistory, at: float) -> NDArray[np.int64]:
    """Index of each pool's last row at or before `at`; -1 = none."""
    seen = np.zeros(len(history.at) + 1, dtype=np.int64)
    np.cumsum(history.at <= at, out=seen[1:])
    count = seen[history.offsets[1:]] - seen[history.offsets[:-1]]
    return np.where(count > 0, history.offsets[:-1] + count - 1, -1)


def _taken(values: Floats, row: NDArray[np.int64]) -> Floats:
    """values[row], NaN where row is -1."""
    taken = np.full(len(row), np.nan)
    known = row >= 0
    taken[known] = values[row[known]]
    return taken


def _weighted(
    history: PriceHistory, pool: NDArray[np.int64], values: Floats, begin: float, end: float
) -> tuple[Floats, Floats]:
    """Time-weighted mean and standard deviation of `values` in [begin, end]; NaN where no time passes."""
    until = np.full(len(values), end)
    until[:-1] = history.at[1:]
    last = history.offsets[1:][np.diff(history.offsets) > 0] - 1
    until[last] = end
    held = np.maximum(np.minimum(until, end) - np.maximum(history.at, begin), 0.0)
    total = _sums(pool, held, history.n_pools)
    total[total == 0] = np.nan
    mean = _sums(pool, held * values, history.n_pools) / total
    apart = values - mean[pool]
    return mean, np.sqrt(_sums(pool, held * (apart * apart), history.n_pools) / total)


def _sums(pool: NDArray[np.int64], values: Floats, n_pools: int) -> Floats:
    """Sum per pool, added in the order of the rows."""
    return np.bincount(pool, values, n_pools).astype(np.float64, copy=False)  # of no rows numpy makes integers


def _changes(history: PriceHistory, pool: NDArray[np.int64], begin: float, end: float) -> tuple[Floats, Floats]:
    """When each pool's price last took another value by `end` (NaN: not known), and how often within the window."""
    is_change = np.zeros(len(history.at), dtype=bool)
    is_change[1:] = (history.usd_micro[1:] != history.usd_micro[:-1]) & (pool[1:] == pool[:-1])
    is_change &= history.at <= end
    rows = np.flatnonzero(is_change)
    changed_at = np.full(history.n_pools, np.nan)
    changed_at[pool[rows]] = history.at[rows]  # ascending, so the last assignment is the latest
    inside = is_change & (history.at > begin)
    return changed_at, np.bincount(pool[inside], minlength=history.n_pools).astype(np.float64)
