"""Which of the price changes that AWS sends are taken, and as which pools?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

import numpy as np

from accounts.aws.read.shapes import Rejected, SpotPricePage
from instances.domain.money import micro, usd
from instances.domain.pool import Pool as PoolValue
from instances.domain.pool import Product
from instances.market.attempts import Rejections, shown
from instances.market.copying import CHUNK, write_changes
from instances.models import Pool

Key = tuple[str, str, str]  # instance type, zone id, product
DEAREST = 500_000_000  # micro-dollars an hour: above any type that AWS has listed
TIMES_ON_DEMAND = 20  # Spot is capped near On-Demand since 2017-11; -62 % "savings" is the worst the Advisor has shown
CLOCKS_APART = timedelta(minutes=5)  # beyond it AWS rejects our signatures anyway
OLDEST = timedelta(days=400)  # a price that held when the window began may be old; older than this is a wrong clock


class Intake:
    """The changes of one region, taken page by page and written in chunks, so that memory stays flat.

    `zone_ids`: the installation's names, for rows that say only a name. `on_demand`: micro-dollars by type, where
    known; a price far above it is refused.
    """

    def __init__(
        self,
        region: str,
        *,
        since: datetime,
        through: datetime,
        zone_ids: Mapping[str, str],
        on_demand: Mapping[str, int],
        chunk: int = CHUNK,
    ) -> None:
        self.region = region
        self.rows = self.taken = self.written = 0
        self.rejections = Rejections()
        self._first = (since - OLDEST).timestamp()
        self._last = (through + CLOCKS_APART).timestamp()
        self._zone_ids = zone_ids
        self._on_demand = on_demand
        self._chunk = chunk
        self._ids = self._pools_of_region()
        self._refused: dict[Key, str] = {}
        self._new: dict[Key, None] = {}
        self._keys: list[Key] = []
        self._at: list[float] = []
        self._usd_micro: list[int] = []

    def add(self, page: SpotPricePage) -> bool:
        """Take a page; True when that wrote a chunk."""
        self.rows += len(page.changes) + len(page.rejected)
        for change in page.changes:
            self._take((change.instance_type, change.zone_id, change.product), change.usd_per_hour, change.at)
        for rejected in page.rejected:
            self._repair(rejected)
        if len(self._keys) < self._chunk:
            return False
        self.flush()
        return True

    def _repair(self, rejected: Rejected) -> None:
        """Take a row that only lacks its zone id, by the zone name it says instead."""
        raw = rejected.raw
        zone_id = None if raw.get("AvailabilityZoneId") else self._zone_ids.get(str(raw.get("AvailabilityZone")))
        try:
            if zone_id is None:
                raise KeyError("AvailabilityZone")
            key = (raw["InstanceType"], zone_id, raw["ProductDescription"])
            price, at = Decimal(raw["SpotPrice"]), raw["Timestamp"]
        except (KeyError, TypeError, InvalidOperation):
            self.rejections.add(shown(raw), rejected.reason)
        else:
            self._take(key, price, at)

    def _take(self, key: Key, price: Decimal, at: datetime) -> None:
        reason = self._defect(key, price, at)
        if reason:
            self.rejections.add(f"{' '.join(map(str, key))} {price} at {at}", reason)
            return
        self._keys.append(key)
        self._at.append(at.timestamp())
        self._usd_micro.append(micro(price))

    def _defect(self, key: Key, price: Decimal, at: datetime) -> str:
        """Why the change is not taken; empty when it is."""
        if not price.is_finite() or price * 1_000_000 < 1:
            return f"price {price} is not above zero"
        if price * 1_000_000 > DEAREST:
            return f"price is absurd, above {usd(DEAREST):f} USD an hour"
        on_demand = self._on_demand.get(key[0]) if key[2] == Product.LINUX else None
        if on_demand is not None and price * 1_000_000 > TIMES_ON_DEMAND * on_demand:
            return f"price is absurd, above {TIMES_ON_DEMAND} × On-Demand ({usd(on_demand):f})"
        if at.tzinfo is None or not self._first <= at.timestamp() <= self._last:
            return "time is not within the window"
        return "" if key in self._ids or key in self._new else self._meet(key)

    def _meet(self, key: Key) -> str:
        """Note a pool to be made; why it cannot be one, else empty."""
        if key not in self._refused:
            self._refused[key] = _malformed(key)
        if not self._refused[key]:
            self._new[key] = None
        return self._refused[key]

    def flush(self) -> None:
        """Write what was taken so far; pools not met before are made."""
        if self._new:
            self._make_pools()
        ids = np.array([self._ids.get(key, 0) for key in self._keys], dtype=np.int32)
        is_ours = ids > 0
        for row in np.flatnonzero(~is_ours):
            self.rejections.add(" ".join(self._keys[row]), "the zone belongs to another region")
        at, usd_micro = np.array(self._at, dtype=np.float64), np.array(self._usd_micro, dtype=np.int32)
        result = write_changes(ids[is_ours], at[is_ours], usd_micro[is_ours])
        self.taken += result.rows
        self.written += result.written
        for column in (self._keys, self._at, self._usd_micro):
            column.clear()

    def _make_pools(self) -> None:
        Pool.objects.bulk_create(
            (
                Pool(instance_type=instance_type, zone_id=zone_id, product=product, region=self.region)
                for instance_type, zone_id, product in self._new
            ),
            ignore_conflicts=True,  # another region's fetch, or one by hand, may have met the pool just now
        )
        self._new.clear()
        self._ids = self._pools_of_region()

    def _pools_of_region(self) -> dict[Key, int]:
        rows = Pool.objects.filter(region=self.region).values_list("instance_type", "zone_id", "product", "id")
        return {(instance_type, zone_id, product): pool_id for instance_type, zone_id, product, pool_id in rows}


def _malformed(key: Key) -> str:
    try:
        PoolValue(key[0], key[1], Product(key[2]))
    except (ValueError, TypeError) as error:
        return str(error)
    return ""
