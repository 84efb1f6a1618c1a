"""What do pools cost, what is their rating, and how fresh is what we know? The only reader of the market's tables.

Each question is one round trip whatever the number of pools, and answers come as arrays or plain values. What is not
known is absent from the answer: no default stands in for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from django.db import connection
from django.db.models import F, Max, Q, Subquery
from numpy.typing import NDArray
from psycopg import sql

from instances.domain.pool import Product
from instances.domain.prices import PriceHistory
from instances.domain.spec import InstanceSpec
from instances.market.copying import read_rows
from instances.models import FetchSource, InstanceType, MarketFetch, OnDemandPrice, Pool, SpotAdvisorRating

# Two index scans for each pool: the change in force when the window begins, and the changes within it. Reading all
# changes of the window and picking the region's would cost the same for a small region as for the largest.
HISTORIES = sql.SQL(
    """
    SELECT change.pool_id, change.at, change.usd_micro
    FROM instances_pool AS pool CROSS JOIN LATERAL (
        (SELECT pool_id, at, usd_micro FROM instances_spotprice
         WHERE pool_id = pool.id AND at <= {begin} ORDER BY at DESC LIMIT 1)
        UNION ALL
        (SELECT pool_id, at, usd_micro FROM instances_spotprice
         WHERE pool_id = pool.id AND at > {begin} AND at <= {end})
    ) AS change
    WHERE pool.region = {region} AND pool.product = {product} AND ({pools}::integer[] IS NULL OR pool.id = ANY({pools}))
    """
)


# one index look-up for each pool, newest partition first
NOW = """
    SELECT pool.instance_type, pool.zone_id, pool.product, change.usd_micro
    FROM instances_pool AS pool CROSS JOIN LATERAL (
        SELECT usd_micro FROM instances_spotprice WHERE pool_id = pool.id AND at <= %s ORDER BY at DESC LIMIT 1
    ) AS change
    WHERE pool.instance_type = ANY(%s) AND pool.zone_id = ANY(%s)
"""


class PoolRow(NamedTuple):
    id: int
    instance_type: str
    zone_id: str


@dataclass(frozen=True, slots=True)
class OnDemandQuote:
    """The list price in force since `effective_at`, as we last read it at `fetched_at`."""

    usd_micro: int
    effective_at: datetime
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Rating:
    """What the Advisor says of a type now.

    `band` 0 (under 5 % interrupted a month) to 4 (over 20 %); `savings_percent` may be negative. `observed_at`: the
    first file that said so; `fetched_at`: when we last asked and were answered, None = no such fetch is on record.
    """

    band: int
    savings_percent: int
    observed_at: datetime
    fetched_at: datetime | None
    file_sha256: str


@dataclass(frozen=True, slots=True)
class Freshness:
    """Through when each source is known for a region; None = it never came whole."""

    prices_through: datetime | None
    advisor_at: datetime | None
    on_demand_at: datetime | None
    catalogue_at: datetime | None


def histories(
    region: str,
    *,
    product: Product = Product.LINUX,
    at: datetime,
    days: float = 8,
    pools: Sequence[int] | NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], PriceHistory]:
    """Pool ids and their price changes in the `days` before `at`, led by the change in force when those began.

    Without `pools`: every pool of the region and product that has a change to show, by ascending id. With `pools`:
    exactly those, in that order, without changes where there are none, or where the pool is another region's.
    """
    wanted = None if pools is None else [int(pool) for pool in pools]
    pool_id, changed_at, usd_micro = read_rows(
        HISTORIES.format(
            begin=sql.Literal(at - timedelta(days=days)),
            end=sql.Literal(at),
            region=sql.Literal(region),
            product=sql.Literal(product.value),
            pools=sql.Literal(wanted),
        )
    )
    order = np.lexsort((changed_at, pool_id))
    pool_id, changed_at, usd_micro = pool_id[order], changed_at[order], usd_micro[order]
    ids, counts = np.unique(pool_id, return_counts=True)
    if wanted is not None:
        return _as_asked(np.array(wanted, dtype=np.int32), ids, counts, changed_at, usd_micro)
    return ids.astype(np.int32), PriceHistory(_offsets(counts), changed_at, usd_micro)


def _as_asked(
    wanted: NDArray[np.int32],
    ids: NDArray[np.int32],
    counts: NDArray[np.int64],
    at: NDArray[np.float64],
    usd_micro: NDArray[np.int32],
) -> tuple[NDArray[np.int32], PriceHistory]:
    """The changes, laid out by ascending id, in the order in which the pools were asked for."""
    begins = _offsets(counts)[:-1]
    place = np.minimum(np.searchsorted(ids, wanted), max(len(ids) - 1, 0))
    is_known = ids[place] == wanted if len(ids) else np.zeros(len(wanted), dtype=bool)
    n_rows = np.zeros(len(wanted), dtype=np.int64)
    n_rows[is_known] = counts[place[is_known]]
    offsets = _offsets(n_rows)
    first = np.zeros(len(wanted), dtype=np.int64)
    first[is_known] = begins[place[is_known]]
    rows = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], n_rows)
    return wanted, PriceHistory(offsets, at[rows], usd_micro[rows])


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def spot_now(types: Iterable[str], zones: Iterable[str], *, at: datetime) -> dict[tuple[str, str, str], int]:
    """The price in force of each pool of those types in those zones that ever had one, in micro-dollars.

    By (instance type, zone id, product), whatever the regions.
    """
    with connection.cursor() as cursor:
        cursor.execute(NOW, [at, list(types), list(zones)])
        return {(name, zone_id, product): usd_micro for name, zone_id, product, usd_micro in cursor.fetchall()}


def pool_rows(region: str, product: Product = Product.LINUX) -> list[PoolRow]:
    """The pools that ingest has met in a region, by ascending id."""
    rows = Pool.objects.filter(region=region, product=product.value).order_by("id")
    return [PoolRow(*row) for row in rows.values_list("id", "instance_type", "zone_id")]


def on_demand(region: str, *, operating_system: str = "Linux", at: datetime) -> dict[str, OnDemandQuote]:
    """The list price in force at `at` of each type that has one."""
    rows = (
        OnDemandPrice.objects.filter(region=region, operating_system=operating_system, effective_at__lte=at)
        .order_by("instance_type", "-effective_at")
        .distinct("instance_type")
        .values_list("instance_type", "usd_micro", "effective_at", "fetched_at")
    )
    return {instance_type: OnDemandQuote(usd_micro, since, read) for instance_type, usd_micro, since, read in rows}


def ratings(region: str, *, operating_system: str = "Linux") -> dict[str, Rating]:
    """The Advisor's current rating of each type that it rates."""
    asked = MarketFetch.objects.whole().filter(source=FetchSource.ADVISOR).order_by("-through")
    rows = (
        SpotAdvisorRating.objects.filter(region=region, operating_system=operating_system, superseded_at=None)
        .annotate(fetched_at=Subquery(asked.values("through")[:1]), sha256=F("file__sha256"))
        .values_list("instance_type", "band", "savings_percent", "observed_at", "fetched_at", "sha256")
    )
    return {instance_type: Rating(*rating) for instance_type, *rating in rows}


def freshness(region: str, *, now: datetime) -> Freshness:
    """Through when the region's data is known, by the fetches that ended whole; none counts that lies after `now`."""

    def latest(source: FetchSource, *regions: str) -> Max:
        return Max("through", filter=Q(source=source, region__in=regions))

    return Freshness(
        **MarketFetch.objects.whole()
        .filter(through__lte=now)
        .aggregate(
            prices_through=latest(FetchSource.SPOT, region),
            advisor_at=latest(FetchSource.ADVISOR, ""),
            on_demand_at=latest(FetchSource.ON_DEMAND, region),
            catalogue_at=latest(FetchSource.CATALOGUE, ""),
        )
    )


def through(sources: Collection[FetchSource], regions: Collection[str]) -> dict[tuple[str, str], datetime]:
    """Through when each source is known whole, by source and region; absent where it never was. The Advisor's region
    is empty: its file covers all."""
    whole = MarketFetch.objects.whole().filter(source__in=sources, region__in=["", *regions])
    rows = whole.order_by().values_list("source", "region").annotate(latest=Max("through"))
    return {(source, region): latest for source, region, latest in rows if latest}


def specs() -> dict[str, InstanceSpec]:
    """The hardware of every type in the catalogue."""
    return {row.name: row.spec for row in InstanceType.objects.defer("fetched_at")}
