"""How do scores get into PostgreSQL in seconds? One COPY and one upsert, whatever the number of pools.

COPY's text format: tabs between columns, `\\N` for null, backslashes doubled (PostgreSQL manual, COPY, "Text Format").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

NULL = "\\N"
BATCH = 2_000  # rows sent to the server at once: some 3 MB

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def _plain(value: Any) -> str:
    return NULL if value is None else str(value)


def _number(value: float | None) -> str:
    return NULL if value is None else repr(value)  # the shortest decimal that reads back as the same float


@lru_cache(maxsize=4096)  # most pools of a region share the times of its fetches
def _instant(value: float | None) -> str:
    return NULL if value is None else datetime.fromtimestamp(value, UTC).isoformat()


def _json(value: Any) -> str:
    return _ENCODER.encode(value).replace("\\", "\\\\")


def _floats(values: Sequence[float | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in values]) + "}"


def _words(values: Sequence[str]) -> str:
    # an array literal escapes quotes and backslashes, and COPY doubles the backslashes again
    quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]
    return ("{" + ",".join(quoted) + "}").replace("\\", "\\\\")


COLUMNS: Mapping[str, Callable[[Any], str]] = {
    "pool_id": _plain,
    "model_id": _plain,
    "scored_at": _instant,
    "interruption_probability": _number,
    "probability_low": _number,
    "probability_high": _number,
    "horizon_seconds": _plain,
    "evidence": _plain,
    "safety_score": _number,
    "components": _json,
    "features": _floats,
    "feature_hash": _plain,
    "spot_usd_micro": _plain,
    "on_demand_usd_micro": _plain,
    "prices_as_of": _instant,
    "price_changed_at": _instant,
    "advisor_as_of": _instant,
    "on_demand_as_of": _instant,
    "unknown": _words,
    "inputs": _json,
}
_NAMES = ", ".join(COLUMNS)
_STAGING = "CREATE TEMPORARY TABLE IF NOT EXISTS pool_score_staging (LIKE mlregistry_poolscore)"
_COPY = f"COPY pool_score_staging ({_NAMES}) FROM STDIN"
# of two scorings at once the later instant stays; a pool that was removed meanwhile has no score
_UPSERT = f"""
INSERT INTO mlregistry_poolscore AS known ({_NAMES})
SELECT {_NAMES} FROM pool_score_staging WHERE pool_id IN (SELECT id FROM instances_pool)
ON CONFLICT (pool_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS if name != "pool_id")}
WHERE known.scored_at <= EXCLUDED.scored_at
"""  # noqa: S608 (names of our own columns)


def write_scores(rows: Sequence[Mapping[str, Any]]) -> int:
    """Upsert PoolScore rows given by column, times in epoch seconds; returns how many were new or newer."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.execute("TRUNCATE pool_score_staging")
        with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
            for first in range(0, len(rows), BATCH):
                copy.write("".join(map(_line, rows[first : first + BATCH])))
        cursor.execute(_UPSERT)
        return int(cursor.rowcount)


def write_region_scoring(row: Mapping[str, Any]) -> bool:
    """Upsert the region's RegionScoring by column; False when one of a later instant stands, which then stays.

    One statement, so that of two scorings at once the earlier cannot slip in between a look and a write.
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


def _line(row: Mapping[str, Any]) -> str:
    return "\t".join([spell(row[name]) for name, spell in COLUMNS.items()]) + "\n"
