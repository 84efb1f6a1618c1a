"""How do scores get into PostgreSQL in milliseconds? One binary COPY and one MERGE, whatever the number of pools.

NumPy lays out rows of one length, which have no room for NULL nor words: each column says by which value it stands for
unknown, words come as a number in a list, and the MERGE reads both back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from instances.domain.snapshot import EVIDENCE
from instances.market.copying import HEADER, TRAILER, as_timestamps
from mlregistry.domain.packing import COLUMNS as PACKED

Floats = NDArray[np.float64]


class Column(NamedTuple):
    """How a column of PoolScore is brought: its bytes, its type on arrival, what it is read back by."""

    bytes: str
    type: str
    read: str = "{}"


NUMBER = Column(">f8", "double precision", "NULLIF({}, 'NaN')")
INSTANT = Column(">i8", "timestamptz", "NULLIF({}, '-infinity')")
NEVER = np.iinfo(np.int64).min  # -infinity
COLUMNS: Mapping[str, Column] = {
    "pool_id": Column(">i4", "integer"),
    "interruption_probability": NUMBER,
    "probability_low": NUMBER,
    "probability_high": NUMBER,
    "safety_score": NUMBER,
    "evidence": Column(">i2", "smallint", f"(ARRAY{list(EVIDENCE)})[{{}} + 1]"),
    "spot_usd_micro": Column(">i4", "integer", "NULLIF({}, -1)"),
    "on_demand_usd_micro": Column(">i8", "bigint", "NULLIF({}, -1)"),
    "prices_as_of": INSTANT,
    "price_changed_at": INSTANT,
    "advisor_as_of": INSTANT,
    "on_demand_as_of": INSTANT,
    "unknown": Column(">i2", "smallint", "CASE WHEN {0} = 0 THEN '{{}}' ELSE (%(unknown)s::text[])[{0}]::text[] END"),
    "numbers": Column(f"V{8 * len(PACKED)}", "bytea"),
}
SHARED = ("model_id", "scored_at", "horizon_seconds", "statistics", "layout")  # the same of all rows of a scoring

_VALUES = {name: column.read.format(f"said.{name}") for name, column in COLUMNS.items()}
_VALUES |= {name: f"%({name})s" for name in SHARED}
_STAGING = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS pool_score_staging (
    {", ".join(f"{name} {column.type}" for name, column in COLUMNS.items())}
);
TRUNCATE pool_score_staging;
SET LOCAL synchronous_commit = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off
"""
_COPY = f"COPY pool_score_staging ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
# a pool that was removed meanwhile has no score
_MERGE = f"""
MERGE INTO mlregistry_poolscore AS known USING pool_score_staging AS said ON known.pool_id = said.pool_id
WHEN MATCHED THEN UPDATE SET {", ".join(f"{name} = {value}" for name, value in _VALUES.items() if name != "pool_id")}
WHEN NOT MATCHED AND EXISTS (SELECT FROM instances_pool WHERE id = said.pool_id)
THEN INSERT ({", ".join(_VALUES)}) VALUES ({", ".join(_VALUES.values())})
"""  # noqa: S608 (names of our own columns)


def write_scores(
    shared: Mapping[str, Any], columns: Mapping[str, NDArray[Any]], unknown: Sequence[Sequence[str]]
) -> None:
    """Bring in one scoring's PoolScore rows: `shared` by SHARED, `columns` by COLUMNS, NaN = unknown.

    Times are epoch seconds, `evidence` indexes EVIDENCE, `unknown` lists the missing data of each row. Who calls holds
    the region's RegionScoring in the same transaction: two writers of the same new rows would hinder one another.

    The transaction is not waited for on disk: after a crash the region is as due as it was, and is scored again.
    """
    lists: dict[tuple[str, ...], int] = {(): 0}
    places = [lists.setdefault(tuple(words), len(lists)) if words else 0 for words in unknown]
    records = _records({**columns, "unknown": np.array(places, dtype=np.int16)})
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
            copy.write(HEADER)
            copy.write(records.tobytes())
            copy.write(TRAILER)
        cursor.execute(_MERGE, {**shared, "unknown": [_array(words) for words in lists if words]})


def _records(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.void]:
    """The rows as COPY wants them: how many fields, then each behind its length."""
    fields = [(f"{name} length", ">i4", name, column.bytes) for name, column in COLUMNS.items()]
    layout = [("fields", ">i2"), *(pair for a, b, c, d in fields for pair in ((a, b), (c, d)))]
    records = np.empty(len(columns["pool_id"]), dtype=layout)
    records["fields"] = len(COLUMNS)
    for name, column in COLUMNS.items():
        records[f"{name} length"] = np.dtype(column.bytes).itemsize
        records[name] = _spelled(columns[name], column)
    return records


def _spelled(values: NDArray[Any], column: Column) -> NDArray[Any]:
    if column is INSTANT:
        return np.where(np.isnan(values), NEVER, as_timestamps(np.nan_to_num(values)))
    if column.bytes.startswith("V"):
        return values.view(column.bytes)[:, 0]
    if column is not NUMBER and values.dtype.kind == "f":
        return np.where(np.isnan(values), -1, values)
    return values


def _array(words: Sequence[str]) -> str:
    """As PostgreSQL spells an array of words."""
    quoted = ['"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words]
    return "{" + ",".join(quoted) + "}"


def write_region_scoring(row: Mapping[str, Any]) -> bool:
    """Upsert the region's RegionScoring by column; False when one of a later instant stands, which then stays.

    One statement, so that of two scorings at once the earlier cannot slip in between a look and a write. The row is
    held until the transaction ends.
    """
    names = ", ".join(row)
    updated = ", ".join(f"{name} = EXCLUDED.{name}" for name in row if name not in {"region", "product"})
    statement = (
        f"INSERT INTO mlregistry_regionscoring AS known ({names}) "  # noqa: S608 (names of our own columns)
        f"VALUES ({', '.join(['%s'] * len(row))}) "
        f"ON CONFLICT (region, product) DO UPDATE SET {updated} WHERE known.scored_at <= EXCLUDED.scored_at"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, list(row.values()))
        return bool(cursor.rowcount)
