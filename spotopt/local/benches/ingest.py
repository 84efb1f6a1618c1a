"""How fast do price changes get into the table, beside COPY and one upsert on a schema keyed by text?

The floor is what the server can do with a plain schema: its rows are laid out as text beforehand, untimed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import LiteralString

from django.db import connection

from accounts.aws.read.shapes import SpotPriceChange, SpotPricePage
from instances.domain.pool import Product
from instances.market.changes import Intake
from instances.market.copying import write_changes
from spotopt.local import house
from spotopt.local.benches import invented
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.invented import NOW, Changes
from spotopt.local.benches.measure import Row, at_least, at_most, medians, not_run

DAYS = 90
SMALL, LARGE, STANDING = 150_000, 1_500_000, 15_000_000
BLOCK = 1_000_000  # rows laid out at once
REGION = "us-east-1"
PLAIN: LiteralString = """
CREATE TABLE IF NOT EXISTS bench_plain (
    instance_type text, zone text, product text, at timestamptz, usd_per_hour numeric,
    PRIMARY KEY (instance_type, zone, product, at)
);
CREATE TEMPORARY TABLE IF NOT EXISTS bench_staging (LIKE bench_plain);
TRUNCATE bench_plain, bench_staging
"""
PLAIN_UPSERT: LiteralString = """
INSERT INTO bench_plain SELECT * FROM bench_staging
ON CONFLICT (instance_type, zone, product, at) DO UPDATE SET usd_per_hour = EXCLUDED.usd_per_hour
"""


def rows(on: Ground) -> list[Row]:
    small, large = on.sized(SMALL, least=1500), on.sized(LARGE, least=15_000)
    return [
        *_against_plain(on, small, times=on.sized(5)),
        *_against_plain(on, large, times=on.sized(3)),
        _pages(on, small),
        _memory(on, small, large),
        _into_standing(on, small),
    ]


def pools_of(n: int) -> int:
    """How many pools have `n` changes in all the days."""
    return max(1, round(n / (DAYS * invented.ROWS_A_DAY)))


def _against_plain(on: Ground, n: int, times: int) -> list[Row]:
    changes = invented.changes(n, days=DAYS, n_pools=pools_of(n))
    text = _as_text(changes)

    def plain() -> None:
        with on.owner() as session, session.transaction(), session.cursor() as cursor:
            cursor.execute(PLAIN)
            with cursor.copy("COPY bench_staging FROM STDIN") as copy:
                copy.write(text)
            cursor.execute(PLAIN_UPSERT)

    took = medians(
        {"plain": plain, "ours": lambda: write_changes(*changes)},
        times=times,
        before=lambda: on.forget("instances_spotprice"),
    )
    note = "floor: COPY and one upsert, keyed by type, zone, product and time as text"
    return [
        Row(f"ingest of {n:,} rows, database stage", n / took["ours"], "rows/s", n / took["plain"], at_least(2), note)
    ]


def _as_text(changes: Changes) -> bytes:
    columns = zip(*(column.tolist() for column in changes), strict=True)
    return "".join(
        f"{_type(pool)}\t{_zone(pool)}\t{Product.LINUX}\t{datetime.fromtimestamp(at, UTC)}\t{usd_micro / 1e6:.6f}\n"
        for pool, at, usd_micro in columns
    ).encode()


def _type(pool: int) -> str:
    return invented.TYPES[(pool - 1) // invented.ZONES % len(invented.TYPES)]


def _zone(pool: int) -> str:
    """Pools beyond what one region has lie in zones that no region has."""
    return f"use1-az{1 + (pool - 1) % invented.ZONES + 5 * ((pool - 1) // (len(invented.TYPES) * invented.ZONES))}"


def pages(n: int) -> Iterator[SpotPricePage]:
    """The same changes as EC2's reader hands them over, page by page and never all at once."""
    for number, first in enumerate(range(0, n, 1000), start=1):
        block = invented.changes(n, days=DAYS, n_pools=pools_of(n), first=first, last=min(first + 1000, n))
        taken = [
            SpotPriceChange(
                _type(pool),
                _zone(pool),
                None,
                Product.LINUX.value,
                Decimal(usd_micro).scaleb(-6),
                datetime.fromtimestamp(at, UTC),
            )
            for pool, at, usd_micro in zip(*(column.tolist() for column in block), strict=True)
        ]
        yield SpotPricePage(taken, number, [])


def take(all_pages: Iterator[SpotPricePage] | list[SpotPricePage]) -> None:
    """What a fetch does with its pages: check each change, find its pool, write."""
    since, through = (datetime.fromtimestamp(NOW - days * 86_400, UTC) for days in (DAYS, 0))
    on_demand = dict.fromkeys(invented.TYPES, 100_000_000)
    intake = Intake(REGION, since=since, through=through, zone_ids={}, on_demand=on_demand)
    for page in all_pages:
        intake.add(page)
    intake.flush()
    if intake.rejections.count:
        raise ValueError(str(intake.rejections))


def _pages(on: Ground, n: int) -> Row:
    laid_out = list(pages(n))
    took = medians(
        {"ours": lambda: take(laid_out)},
        times=on.sized(3),
        before=lambda: on.forget("instances_spotprice", "instances_pool"),
    )
    return Row(
        "… every change checked, its pool found", n / took["ours"], "rows/s", note="from parsed pages to the table"
    )


def _memory(on: Ground, small: int, large: int) -> Row:
    """Peak memory of two fresh processes that take pages one by one."""
    peaks = []
    for n in (small, large):
        on.forget("instances_spotprice", "instances_pool")
        command = [sys.executable, "-m", "spotopt.local.benches.ingest_alone", str(n)]
        told = subprocess.run(command, cwd=house.ROOT, capture_output=True, text=True, check=True)
        peaks.append(float(told.stdout))
    note = f"floor: the same with {small:,} rows; {peaks[1] - peaks[0]:+.1f} MiB"
    return Row(f"… peak memory with {large:,} rows", peaks[1], "MiB", peaks[0], at_most(1.1), note)


def _into_standing(on: Ground, n: int) -> Row:
    """The newest rows of all pools into a table of 15 million, against the same into an empty one."""
    standing = on.sized(STANDING, least=15_000)
    name, goal = f"… {n:,} rows into {standing:,}", at_least(0.5)
    if not on.is_full:
        return not_run(name, "rows/s", goal, "not run: takes minutes, ./run bench ingest --full")
    n_pools = on.sized(invented.POOLS)
    pool, at, usd_micro = invented.changes(n, days=1, n_pools=n_pools, seed=1)
    empty = medians(
        {"empty": lambda: write_changes(pool, at, usd_micro)},
        times=on.sized(3),
        before=lambda: on.forget("instances_spotprice"),
    )["empty"]
    on.forget("instances_spotprice")
    for first in range(0, standing, BLOCK):
        last = min(first + BLOCK, standing)
        write_changes(*invented.changes(standing, days=DAYS, n_pools=n_pools, first=first, last=last))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM instances_spotprice")
        assert cursor.fetchone() == (standing,)
    rounds = iter(range(1, 4))  # each some microseconds later, so that all rows are new
    full = medians({"full": lambda: write_changes(pool, at + next(rounds) * 1e-4, usd_micro)}, times=on.sized(3))[
        "full"
    ]
    return Row(name, n / full, "rows/s", n / empty, goal, "floor: the same rows into an empty table")
