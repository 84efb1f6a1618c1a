"""What does a market look like that has as many pools as the real one? Invented from a seed; its prices mean nothing.

As on AWS: 750 types of 75 families in 5 zones of 16 regions are 60,000 pools. A price is re-emitted about once a day
and changed a little more often, so that a pool has 3 rows in 2 days, wherever in the week.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instances.domain.prices import DAY, PriceHistory
from mlregistry.domain import generations

SIZES = {
    # size: vCPU
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "9xlarge": 36,
    "12xlarge": 48,
    "16xlarge": 64,
    "18xlarge": 72,
    "24xlarge": 96,
}
FAMILIES = tuple(generations.launch_years())[-75:]  # the younger ones
TYPES = tuple(f"{family}.{size}" for family in FAMILIES for size in SIZES)
ZONES = 5  # of a region
POOLS = 60_000
ROWS_A_DAY = 1.5
NOW = 1_795_176_000.0  # 2026-11-20 12:00 UTC, in epoch seconds

Changes = tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]  # pool, epoch seconds, micro-dollars


def changes(n: int, *, days: float, n_pools: int, seed: int = 0, first: int = 0, last: int | None = None) -> Changes:
    """Rows `first` to `last` of `n` price changes of the `days` before NOW, newest first as AWS sends them.

    Pools are numbered from 1; no two changes have the same time, so none is a duplicate.
    """
    row = np.arange(first, n if last is None else last)
    random = np.random.default_rng((seed, first))
    pool = random.integers(1, n_pools + 1, len(row)).astype(np.int32)
    at = np.round(NOW - (row + 1) * (days * DAY / n), 3)
    base = 20_000 + (pool.astype(np.int64) * 7_919) % 3_000_000
    return pool, at, (base * random.uniform(0.97, 1.03, len(row))).astype(np.int32)


def history(n_pools: int, *, days: float = 9) -> PriceHistory:
    """The changes of `n_pools` pools over the days before NOW, as the reader of quotes hands them over."""
    pool, at, usd_micro = changes(round(n_pools * days * ROWS_A_DAY), days=days, n_pools=n_pools)
    order = np.lexsort((at, pool))
    count = np.bincount(pool, minlength=n_pools + 1)[1:]
    return PriceHistory(np.concatenate([[0], np.cumsum(count)]), at[order], usd_micro[order])
