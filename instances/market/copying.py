"""How do price rows get into and out of PostgreSQL as whole arrays?

Binary COPY, its bytes laid out by NumPy, is the quickest way in and out (performance.md). Format: PostgreSQL manual,
COPY, "Binary Format".
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import numpy as np
from django.db import IntegrityError, connection, transaction
from numpy.typing import NDArray
from psycopg import sql

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# One row: how many fields, then each field behind its length in bytes; all big-endian.
ROW = np.dtype(
    [
        *(("fields", ">i2"), ("pool_id_length", ">i4"), ("pool_id", ">i4")),
        *(("at_length", ">i4"), ("at", ">i8"), ("usd_micro_length", ">i4"), ("usd_micro", ">i4")),
    ]
)
LENGTHS = {"fields": 3, "pool_id_length": 4, "at_length": 8, "usd_micro_length": 4}
POSTGRES_EPOCH = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())  # timestamptz counts microseconds from here
SECOND = 1_000_000  # microseconds
CHUNK = 100_000  # rows in memory and in one transaction: 3 MB, a second's work

# A chunk's commit does not wait for the disk: the one that records the fetch as whole does, and its flush takes along
# all that was committed before it. After a crash in between, the fetch is not on record and is made again.
# Among millions of rows each staged one is looked up by its key: a hash or merge join would read the whole table.
STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS spot_price_staging (pool_id integer, at timestamptz, usd_micro integer);
TRUNCATE spot_price_staging;
SET LOCAL synchronous_commit = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off
"""
# Costs the server a third less than UPSERT, but fails when another writer has the same new row in hand.
# Both count as written what changes the table: a row that repeats what is known does not.
MERGE = """
MERGE INTO instances_spotprice AS known USING spot_price_staging AS said
ON known.pool_id = said.pool_id AND known.at = said.at
WHEN MATCHED AND known.usd_micro <> said.usd_micro THEN UPDATE SET usd_micro = said.usd_micro
WHEN NOT MATCHED THEN INSERT (pool_id, at, usd_micro) VALUES (said.pool_id, said.at, said.usd_micro)
"""
UPSERT = """
INSERT INTO instances_spotprice AS known (pool_id, at, usd_micro)
SELECT pool_id, at, usd_micro FROM spot_price_staging
ON CONFLICT (pool_id, at) DO UPDATE SET usd_micro = EXCLUDED.usd_micro WHERE known.usd_micro <> EXCLUDED.usd_micro
"""
# A message for each row, as COPY sends rows, would take three times as long as the query.
COLUMNS = """
COPY (SELECT array_send(array_agg(pool_id)), array_send(array_agg(at)), array_send(array_agg(usd_micro))
      FROM ({}) AS change) TO STDOUT (FORMAT binary)
"""


class Written(NamedTuple):
    """`rows` as given, duplicates among them; `written` are those that were new or said another price."""

    rows: int
    written: int


def write_changes(
    pool_id: NDArray[np.int32], at: NDArray[np.float64], usd_micro: NDArray[np.int32], *, chunk: int = CHUNK
) -> Written:
    """Upsert price changes given as columns: existing pools' ids, epoch seconds, micro-dollars an hour above zero.

    Rows may come in any order and repeat; of two prices for one pool and instant the later row wins. Each chunk is a
    transaction of its own, so memory stays flat and a crash loses at most what a repeat brings again. Makes the
    partitions it needs.
    """
    if not len(pool_id) == len(at) == len(usd_micro):
        raise ValueError(f"columns of {len(pool_id)}, {len(at)} and {len(usd_micro)} rows")
    written = 0
    for first in range(0, len(pool_id), chunk):
        rows = slice(first, first + chunk)
        written += _write_chunk(_records(pool_id[rows], at[rows], usd_micro[rows]))
    return Written(len(pool_id), written)


def _records(pool_id: NDArray[np.int32], at: NDArray[np.float64], usd_micro: NDArray[np.int32]) -> NDArray[np.void]:
    """The rows as COPY wants them, sorted by key, one for each."""
    micros = as_timestamps(at)
    order = np.lexsort((micros, pool_id))  # stable: of equal keys the later row stays behind the earlier
    pool_id, micros, usd_micro = pool_id[order], micros[order], usd_micro[order]
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = (pool_id[1:] != pool_id[:-1]) | (micros[1:] != micros[:-1])
    records = np.empty(int(is_last.sum()), dtype=ROW)
    for name, length in LENGTHS.items():
        records[name] = length
    records["pool_id"], records["at"], records["usd_micro"] = pool_id[is_last], micros[is_last], usd_micro[is_last]
    return records


def as_timestamps(at: NDArray[np.float64]) -> NDArray[np.int64]:
    """Epoch seconds as PostgreSQL counts time."""
    return np.rint(at * SECOND).astype(np.int64) - POSTGRES_EPOCH * SECOND


def _write_chunk(records: NDArray[np.void]) -> int:
    # In a transaction of its own: a new partition locks the whole table, if only for a moment.
    ensure_partitions(records["at"] / SECOND + POSTGRES_EPOCH)
    try:
        return _stage_and(MERGE, records)
    except IntegrityError:
        return _stage_and(UPSERT, records)


def _stage_and(statement: str, records: NDArray[np.void]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGING)
        with (
            connection.wrap_database_errors,
            cursor.copy("COPY spot_price_staging (pool_id, at, usd_micro) FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.write(HEADER)
            copy.write(records.tobytes())
            copy.write(TRAILER)
        cursor.execute(statement)
        return int(cursor.rowcount)


def ensure_partitions(at: NDArray[np.float64]) -> None:
    """Make the month's partition for each of these epoch seconds where it is missing."""
    months = np.unique(at.astype("datetime64[s]").astype("datetime64[M]"))
    firsts: list[date] = months.astype("datetime64[D]").tolist()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(instances_ensure_price_partition(m)) FROM unnest(%s::date[]) m", [firsts])


def read_rows(query: sql.Composed) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
    """What a query for (pool_id, at, usd_micro) answers, none of them NULL, as columns; `at` in epoch seconds."""
    copied = sql.SQL(COLUMNS).format(query)
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(copied.as_string(cursor.connection)) as copy,
    ):
        answer = b"".join(copy)
    place = len(HEADER) + 2  # behind the number of fields
    columns = []
    for element in (">i4", ">i8", ">i4"):
        length = int.from_bytes(answer[place : place + 4], "big", signed=True)
        columns.append(_elements(answer, place + 4, element) if length > 0 else np.empty(0, dtype=element))
        place += 4 + max(length, 0)  # -1: NULL, there were no rows
    pool_id, at, usd_micro = columns
    return pool_id.astype(np.int32), at / SECOND + POSTGRES_EPOCH, usd_micro.astype(np.int32)


def _elements(answer: bytes, place: int, element: str) -> NDArray[Any]:
    """A one-dimensional array as array_send writes it: dimensions, flags, type, length, first index, then elements."""
    n = int.from_bytes(answer[place + 12 : place + 16], "big")
    rows = np.frombuffer(answer, dtype=[("length", ">i4"), ("value", element)], offset=place + 20, count=n)
    return rows["value"]
