"""How long are price changes kept, and what stays of them? Daily rows first, then the month's partition goes.

A month is dropped by a function of the database's owner (migration 0004), which itself refuses while a pool's day has
no row, and for months that AWS still tells: a mistake here cannot lose what nobody can fetch again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from instances.locks import advisory_lock
from instances.models import SpotPriceDaily

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)
LATE = 3  # days that are written again each night: a change may be published, or fetched, after its day
HELD = timedelta(hours=26)  # AWS repeats a price about once a day; after a longer silence it is not known any more

PARTITIONS = """
SELECT child.relname, pg_total_relation_size(child.oid), greatest(child.reltuples, 0)::bigint
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'instances_spotprice'::regclass ORDER BY child.relname
"""
DAYS = """
SELECT day::date FROM generate_series(%s::date, %s::date, '1 day') AS day
WHERE NOT EXISTS (SELECT FROM instances_spotpricedaily AS daily WHERE daily.day = day.day::date)
"""
# Each change holds until the next, cut at midnights into pieces of one day each.
WRITE = """
WITH held AS (
    SELECT pool_id, usd_micro, at, least(coalesce(lead(at) OVER (PARTITION BY pool_id ORDER BY at), %(end)s),
                                         at + %(held)s) AS until
    FROM instances_spotprice WHERE at > %(begin)s - %(held)s AND at < %(end)s
), piece AS (
    SELECT pool_id, usd_micro, day::date AS day, greatest(at, day) AS since,
           extract(epoch FROM least(until, day + interval '1 day') - greatest(at, day))::float8 AS seconds
    FROM held CROSS JOIN LATERAL generate_series(
        greatest(date_trunc('day', at, 'UTC'), %(begin)s), until - interval '1 microsecond', '1 day') AS day
    WHERE until > %(begin)s
)
INSERT INTO instances_spotpricedaily (pool_id, day, open_micro, min_micro, mean_micro, max_micro, close_micro)
SELECT pool_id, day, (array_agg(usd_micro ORDER BY since))[1], min(usd_micro),
       round(sum(usd_micro * seconds) / sum(seconds))::integer, max(usd_micro),
       (array_agg(usd_micro ORDER BY since DESC))[1]
FROM piece GROUP BY pool_id, day
ON CONFLICT (pool_id, day) DO
"""
LEAVE = "NOTHING"
REPLACE = """UPDATE SET open_micro = excluded.open_micro, min_micro = excluded.min_micro,
    mean_micro = excluded.mean_micro, max_micro = excluded.max_micro, close_micro = excluded.close_micro"""


@dataclass(frozen=True, slots=True)
class Partition:
    """A month of price changes. `rows` is the planner's estimate, 0 until it has looked."""

    name: str
    month: date
    bytes: int
    rows: int

    @property
    def end(self) -> date:
        """The first day after it."""
        return (self.month + timedelta(days=32)).replace(day=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a night did: daily rows written, and the months dropped."""

    written: int
    dropped: tuple[str, ...]


def partitions() -> list[Partition]:
    """The months there are, oldest first, with their sizes (indexes included)."""
    with connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        rows = cursor.fetchall()
    return [Partition(name, _month(name), size, count) for name, size, count in rows]


def keep(now: datetime) -> Kept | None:
    """Write the daily rows that are missing, then drop what is older than PRICE_RETENTION_DAYS. Harmless when repeated.

    None while another process is at it.
    """
    with advisory_lock("price retention") as is_ours:
        if not is_ours:
            return None
        today = now.astimezone(UTC).date()
        written = sum(_fill(partition, today) for partition in partitions())
        written += write_days(today - LATE * DAY, today, replace=True)
        dropped = _drop_before(today - timedelta(days=settings.PRICE_RETENTION_DAYS))
    kept = Kept(written, dropped)
    logger.info("prices kept", extra={"written": written, "dropped": list(dropped)})
    return kept


def write_days(first: date, end: date, *, replace: bool) -> int:
    """Write the daily rows from `first` up to, not including, `end`; how many. `replace` those that are there."""
    given: dict[str, Any] = {"begin": _midnight(first), "end": _midnight(end), "held": HELD}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(WRITE + (REPLACE if replace else LEAVE), given)
        return int(cursor.rowcount)


def _fill(partition: Partition, today: date) -> int:
    """The days of a month that have no row yet. Those that have stay: their neighbours may be dropped by now."""
    last = min(partition.end, today) - DAY
    with connection.cursor() as cursor:
        cursor.execute(DAYS, [partition.month, last])
        missing = [day for (day,) in cursor.fetchall()]
    return write_days(missing[0], missing[-1] + DAY, replace=False) if missing else 0


def _drop_before(oldest: date) -> tuple[str, ...]:
    dropped = []
    for partition in partitions():
        if partition.end > oldest:
            continue
        write_days(partition.month, partition.end, replace=False)  # pools that were fetched long after their day
        with connection.cursor() as cursor:
            cursor.execute("SELECT instances_drop_price_partition(%s)", [partition.month])
        dropped.append(partition.name)
    return tuple(dropped)


def daily(pool_ids: list[int], since: date) -> list[SpotPriceDaily]:
    """The days of these pools from `since` on, by pool and day."""
    return list(SpotPriceDaily.objects.filter(pool_id__in=pool_ids, day__gte=since).order_by("pool_id", "day"))


def _month(name: str) -> date:
    """`instances_spotprice_2026_11` → 2026-11-01."""
    year, month = name.split("_")[-2:]
    return date(int(year), int(month), 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
