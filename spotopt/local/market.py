"""What did a Spot pool cost, and what does it cost now? Real price changes, replayed."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Collection, Sequence
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
class Prices:
    """Price changes in columns; `pool[i]` indexes `pools`. int64[n] each. A region's are newest first."""

    pools: tuple[PoolKey, ...]
    at: np.ndarray
    micros: np.ndarray
    pool: np.ndarray

    def of(self, keep: np.ndarray) -> Prices:
        """Only the pools for which `keep`, bool[len(pools)], holds."""
        number = np.cumsum(keep) - 1
        rows = keep[self.pool]
        pools = tuple(pool for pool, is_kept in zip(self.pools, keep, strict=True) if is_kept)
        return Prices(pools, self.at[rows], self.micros[rows], number[self.pool[rows]])

    def shifted(self, by: int) -> Prices:
        return Prices(self.pools, self.at + by, self.micros, self.pool)


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def read_recording(recording: Recording) -> Prices:
    """Every price change of a file, at the time it was recorded."""
    with gzip.open(DATA / recording.file, "rt", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    if "zone_id" not in columns:
        ids = {
            name: zone_id for region in set(columns["region"]) for name, zone_id in recorded_zone_ids(region).items()
        }
        columns["zone_id"] = tuple(ids[name] for name in columns["az"])
    keys = list(zip(columns["instance_type"], columns["zone_id"], columns["product"], strict=True))
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    at = np.array([text.removesuffix("Z") for text in columns["timestamp_utc"]], "datetime64[s]").astype(np.int64)
    micros = np.rint(np.array(columns["usd_per_hour"], float) * 1_000_000).astype(np.int64)
    return Prices(tuple(PoolKey(*key) for key in number), at, micros, np.array([number[key] for key in keys], np.int64))


def _regions_of_zones() -> dict[str, str]:
    return {
        zone_id.partition("-")[0]: region
        for region in COMMERCIAL_REGIONS
        for zone_id in recorded_zone_ids(region).values()
    }


REGION_OF_ZONE = _regions_of_zones()  # `euw3` → `eu-west-3`


def region_of(pool: PoolKey) -> str:
    return REGION_OF_ZONE[pool.zone_id.partition("-")[0]]


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
        self.shifts: dict[str, int] = {}
        kept = json.loads(anchors.read_text()) if anchors is not None and anchors.exists() else {}
        found: list[Prices] = []
        long_pools: set[PoolKey] = set()
        for recording in RECORDINGS:
            recorded = read_recording(recording)
            if recording is WORLD:
                recorded = recorded.of(np.array([pool not in long_pools for pool in recorded.pools], bool))
            else:
                long_pools.update(recorded.pools)
            shift = shift_for(recording, int(recorded.at.max()), seconds(now), kept.get(recording.name))
            self._note_move(recording, kept.get(recording.name), shift)
            self.shifts[recording.name] = shift
            found.append(recorded.shifted(shift))
        self.regions = by_region(found)
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


def by_region(recordings: Sequence[Prices]) -> dict[str, Prices]:
    """One table a region, newest first; a pool is in one recording only."""
    joined = _joined(recordings)
    place = np.array([region_of(pool) for pool in joined.pools])
    return {str(region): joined.of(place == region) for region in np.unique(place)}


def _joined(parts: Sequence[Prices]) -> Prices:
    starts = np.cumsum([0, *(len(part.pools) for part in parts)])
    at = np.concatenate([part.at for part in parts])
    micros = np.concatenate([part.micros for part in parts])
    pool = np.concatenate([part.pool + start for part, start in zip(parts, starts, strict=False)])
    order = np.lexsort((pool, -at))
    return Prices(tuple(one for part in parts for one in part.pools), at[order], micros[order], pool[order])


def zone_names(account_id: str, region: str) -> dict[str, str]:
    """Zone id → this account's name for it."""
    return {zone_id: name for name, zone_id in zone_ids(account_id, region).items()}
