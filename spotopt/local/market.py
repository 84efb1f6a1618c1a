"""What did a Spot pool cost, and what does it cost now? Real price changes, replayed."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from spotopt.local.zones import COMMERCIAL_REGIONS, recorded_zone_ids, zone_ids

DATA = Path(__file__).parent / "data"
WEEK = 7 * 86_400
HOUR = 3_600
KEPT = timedelta(days=90)  # DescribeSpotPriceHistory: "the last 90 days"


@dataclass(frozen=True, slots=True)
class Recording:
    """One published series of price changes, shifted as one piece."""

    name: str
    file: str
    step: int  # seconds; shifts are whole multiples of it
    lasts: int  # seconds past its end for which it may still pass as current


LONG = (
    Recording("eu-west-3", "eu-west-3a_16types_2020-03_2020-06.csv.gz", WEEK, 0),
    Recording("us-east-1-c5a", "us-east-1_c5a.2xlarge_2023-11_2023-12.csv.gz", WEEK, 0),
    Recording("us-p2-p3", "gpu_p2_p3_us_2019-12_2020-03.csv.gz", WEEK, 0),
)
# Five and a half hours of the whole world: shifted by hours to end now, so weekday and hour are not those of the day.
WORLD = Recording("world", "world_2022-05-31.csv.gz", HOUR, 86_400)
RECORDINGS = (*LONG, WORLD)


@dataclass(frozen=True, slots=True)
class PoolKey:
    instance_type: str
    zone_id: str
    product: str


@dataclass(frozen=True, slots=True)
class PriceRow:
    pool: PoolKey
    at: int  # seconds since 1970
    micros: int


@dataclass(frozen=True, slots=True)
class RegionPrices:
    """All changes of a region, newest first; `pool[i]` indexes `pools`. int64[n] each."""

    pools: tuple[PoolKey, ...]
    at: np.ndarray
    micros: np.ndarray
    pool: np.ndarray


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def read_recording(recording: Recording) -> Iterator[tuple[str, PriceRow]]:
    """(region, row) for each price change, at the time it was recorded."""
    with gzip.open(DATA / recording.file) as packed:
        for row in csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8")):
            zone_id = row.get("zone_id") or recorded_zone_ids(row["region"])[row["az"]]
            at = datetime.fromisoformat(row["timestamp_utc"])
            pool = PoolKey(row["instance_type"], zone_id, row["product"])
            price = PriceRow(pool, seconds(at), round(float(row["usd_per_hour"]) * 1_000_000))
            yield row.get("region") or REGION_OF_ZONE[zone_id.partition("-")[0]], price


def _regions_of_zones() -> dict[str, str]:
    return {
        zone_id.partition("-")[0]: region
        for region in COMMERCIAL_REGIONS
        for zone_id in recorded_zone_ids(region).values()
    }


REGION_OF_ZONE = _regions_of_zones()  # `euw3` → `eu-west-3`


def shift_for(recording: Recording, ends_at: int, now: int, kept: int | None) -> int:
    """Seconds to add. A weekly series ends within (now, now + 7 days]; the world within the hour before now.

    `kept`, the shift of an earlier start, stands until the series has run out.
    """
    ahead = recording.step if recording.step == WEEK else 0
    if kept is not None and now - recording.lasts < ends_at + kept <= now + ahead:
        return kept
    return int((now + ahead - ends_at) // recording.step * recording.step)


class Market:
    """Prices of every pool of the recordings. Immutable after construction, so threads may share it."""

    def __init__(self, now: datetime, anchors: Path | None = None) -> None:
        """`anchors` is the file that keeps the shifts, so that prices stay the same after a restart."""
        self.notes: list[str] = []
        kept = json.loads(anchors.read_text()) if anchors is not None and anchors.exists() else {}
        rows: dict[str, list[PriceRow]] = defaultdict(list)
        long_pools: set[PoolKey] = set()
        self.shifts: dict[str, int] = {}
        for recording in RECORDINGS:
            recorded = list(read_recording(recording))
            if recording is WORLD:
                recorded = [pair for pair in recorded if pair[1].pool not in long_pools]
            else:
                long_pools.update(row.pool for _, row in recorded)
            ends_at = max(row.at for _, row in recorded)
            shift = shift_for(recording, ends_at, seconds(now), kept.get(recording.name))
            self._note_move(recording, kept.get(recording.name), shift)
            self.shifts[recording.name] = shift
            for region, row in recorded:
                rows[region].append(PriceRow(row.pool, row.at + shift, row.micros))
        self.regions = {region: _sorted_prices(found) for region, found in rows.items()}
        if anchors is not None:
            anchors.write_text(json.dumps(self.shifts))

    def _note_move(self, recording: Recording, before: int | None, after: int) -> None:
        if before is not None and after != before:
            moved = timedelta(seconds=after - before)
            self.notes.append(f"prices of {recording.name} ran out and were moved on by {moved}")

    def zones_with(self, instance_type: str) -> set[str]:
        """Zone ids in which a price of this type is known."""
        return {
            pool.zone_id
            for prices in self.regions.values()
            for pool in prices.pools
            if pool.instance_type == instance_type
        }

    def history(
        self,
        region: str,
        start_at: datetime,
        end_at: datetime,
        *,
        now: datetime,
        types: Collection[str] = (),
        products: Collection[str] = (),
        zones: Collection[str] = (),
    ) -> list[PriceRow]:
        """Changes within [start, end], newest first, and for each pool the price in force at start; empty = no limit.

        Nothing later than `now` nor older than 90 days is ever told.
        """
        prices = self.regions.get(region)
        if prices is None:
            return []
        first = seconds(max(start_at, now - KEPT))
        last = seconds(min(end_at, now))
        wanted = np.fromiter(
            (_is_wanted(pool, types, products, zones) for pool in prices.pools), bool, len(prices.pools)
        )
        told = wanted[prices.pool] & (prices.at <= last) & (prices.at >= seconds(now - KEPT))
        chosen = np.flatnonzero(told & (prices.at >= first))
        earlier = np.flatnonzero(told & (prices.at < first))
        _, newest = np.unique(prices.pool[earlier], return_index=True)  # rows are newest first: the first is in force
        chosen = np.concatenate([chosen, np.sort(earlier[newest])])
        return [
            PriceRow(prices.pools[prices.pool[i]], int(prices.at[i]), int(prices.micros[i])) for i in chosen.tolist()
        ]


def _is_wanted(pool: PoolKey, types: Collection[str], products: Collection[str], zones: Collection[str]) -> bool:
    return (
        (not types or pool.instance_type in types)
        and (not products or pool.product in products)
        and (not zones or pool.zone_id in zones)
    )


def _sorted_prices(rows: list[PriceRow]) -> RegionPrices:
    pools = tuple(dict.fromkeys(row.pool for row in rows))
    number = {pool: i for i, pool in enumerate(pools)}
    at = np.array([row.at for row in rows], np.int64)
    micros = np.array([row.micros for row in rows], np.int64)
    pool = np.array([number[row.pool] for row in rows], np.int64)
    order = np.lexsort((pool, -at))
    return RegionPrices(pools, at[order], micros[order], pool[order])


def zone_names(account_id: str, region: str) -> dict[str, str]:
    """Zone id → this account's name for it."""
    return {zone_id: name for name, zone_id in zone_ids(account_id, region).items()}
