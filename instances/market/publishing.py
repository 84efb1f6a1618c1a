"""What does one look at a type or family tell: its band, prices and savings, each with its source and instant?

The documents that the cache keeps are built here from the tables, and here they are built again for whoever finds the
cache empty or down. They say instants, not ages: an age written down is wrong a second later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from accounts.aws.read.advisor import BANDS
from instances.domain.money import usd
from instances.domain.pool import family_of
from instances.domain.prices import PriceHistory
from instances.market import cache, quotes
from instances.market.cache import Document

DAYS = 8
BAND_BOUNDS = (
    (0.0, 0.05),
    (0.05, 0.10),
    (0.10, 0.15),
    (0.15, 0.20),
    (0.20, None),
)  # of BANDS: share interrupted in a month
Histories = tuple[NDArray[np.int32], PriceHistory]


@dataclass(frozen=True, slots=True)
class Market:
    """What the tables say of a region's Linux pools; rows `rows[pool id]` of the history are the pool's changes."""

    region: str
    pools: Mapping[str, tuple[quotes.PoolRow, ...]]  # by instance type; only pools that have a price
    rows: Mapping[int, slice]
    history: PriceHistory
    on_demand: Mapping[str, quotes.OnDemandQuote]
    ratings: Mapping[str, quotes.Rating]
    freshness: quotes.Freshness

    @property
    def types(self) -> set[str]:
        """Every type of which anything is known."""
        return {*self.pools, *self.on_demand, *self.ratings}


def publish(region: str, *, now: datetime, histories: Histories | None = None) -> None:
    """Put a region's documents into the cache; `histories` saves reading again what the caller has just read."""
    market = _read(region, now, histories)
    cache.publish_risks(region, {name: _risk(market, name) for name in market.types})
    cache.publish_histories(region, _families(market))
    cache.publish_metadata(region, _metadata(market))


def risks(region: str, instance_types: Collection[str], *, now: datetime) -> dict[str, Document]:
    """What is known of these types, from the cache or else from the tables; the unknown are absent."""
    found = cache.risks(region, instance_types)
    missing = set(instance_types) - found.keys()
    if missing:
        market = _read(region, now, None)
        built = {name: _risk(market, name) for name in missing & market.types}
        cache.publish_risks(region, built)
        found |= built
    return found


def price_histories(region: str, families: Collection[str], *, now: datetime) -> dict[str, Document]:
    """The price changes of these families, from the cache or else from the tables; those without any are absent."""
    found = cache.histories(region, families)
    missing = set(families) - found.keys()
    if missing:
        built = {name: document for name, document in _families(_read(region, now, None)).items() if name in missing}
        cache.publish_histories(region, built)
        found |= built
    return found


def _read(region: str, now: datetime, histories: Histories | None) -> Market:
    ids, history = histories or quotes.histories(region, at=now, days=DAYS)
    begins, ends = history.offsets[:-1].tolist(), history.offsets[1:].tolist()
    rows = {pool: slice(begin, end) for pool, begin, end in zip(ids.tolist(), begins, ends, strict=True) if begin < end}
    pools: dict[str, tuple[quotes.PoolRow, ...]] = {}
    for pool in quotes.pool_rows(region):
        if pool.id in rows:
            pools[pool.instance_type] = (*pools.get(pool.instance_type, ()), pool)
    return Market(
        region=region,
        pools=pools,
        rows=rows,
        history=history,
        on_demand=quotes.on_demand(region, at=now),
        ratings=quotes.ratings(region),
        freshness=quotes.freshness(region, now=now),
    )


def _risk(market: Market, instance_type: str) -> Document:
    return {
        "region": market.region,
        "instance_type": instance_type,
        "advisor": _advisor(market.ratings.get(instance_type)),
        "spot": _spot(market, instance_type),
        "on_demand": _on_demand(market.on_demand.get(instance_type)),
    }


def _advisor(rating: quotes.Rating | None) -> Document | None:
    if rating is None:
        return None
    at_least, below = BAND_BOUNDS[rating.band]
    return {
        "interrupt_band": rating.band,
        "interrupt_label": BANDS[rating.band],
        "interrupt_rate": {"at_least": at_least, "below": below},
        "savings_percent": rating.savings_percent,
        "said_since": _text(rating.observed_at),
        "source": f"Spot Advisor, file {rating.file_sha256}",
        "at": _text(rating.fetched_at),
    }


def _spot(market: Market, instance_type: str) -> Document | None:
    pools = market.pools.get(instance_type)
    if pools is None:
        return None
    last = {pool.zone_id: market.rows[pool.id].stop - 1 for pool in pools}
    return {
        "usd_per_hour": {zone_id: str(usd(int(market.history.usd_micro[row]))) for zone_id, row in last.items()},
        "holds_since": {zone_id: _instant(float(market.history.at[row])) for zone_id, row in last.items()},
        "source": "DescribeSpotPriceHistory",
        "at": _text(market.freshness.prices_through),
    }


def _on_demand(quote: quotes.OnDemandQuote | None) -> Document | None:
    if quote is None:
        return None
    return {
        "usd_per_hour": str(usd(quote.usd_micro)),
        "effective_at": _text(quote.effective_at),
        "source": "Price List",
        "at": _text(quote.fetched_at),
    }


def _families(market: Market) -> dict[str, Document]:
    """Each family's changes by type and zone, oldest first: epoch seconds and micro-dollars an hour."""
    at, usd_micro = market.history.at, market.history.usd_micro
    families: dict[str, Document] = {}
    for instance_type, pools in market.pools.items():
        document = families.setdefault(
            family_of(instance_type),
            {
                "region": market.region,
                "pools": {},
                "source": "DescribeSpotPriceHistory",
                "at": _text(market.freshness.prices_through),
            },
        )
        document["pools"][instance_type] = {
            pool.zone_id: {
                "at": at[market.rows[pool.id]].tolist(),
                "usd_micro": usd_micro[market.rows[pool.id]].tolist(),
            }
            for pool in pools
        }
    return families


def _metadata(market: Market) -> Document:
    return {
        "region": market.region,
        "zones_by_type": {name: [pool.zone_id for pool in pools] for name, pools in market.pools.items()},
        "source": "DescribeSpotPriceHistory",
        "at": _text(market.freshness.prices_through),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
