"""Is a receipt whole, and where do two of them differ?

A receipt is JSON: objects with string keys, lists, strings, booleans, null, whole numbers, and finite floats, which
PostgreSQL's jsonb gives back with the same bits (it keeps the shortest decimal that reads back the same).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

SCHEMA = "receipt-1"


class BadReceipt(ValueError):
    """What cannot be kept as a receipt, or is none."""


def canonical(receipt: Any) -> bytes:
    """The one text of a receipt: keys sorted, no spaces. Raises BadReceipt for NaN, infinity and what is no JSON."""
    try:
        return json.dumps(receipt, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as wrong:
        raise BadReceipt(f"not a receipt: {wrong}") from wrong


def digest(receipt: Any) -> str:
    """SHA-256 of the canonical text, after the way through jsonb: so the stored one has the same."""
    return hashlib.sha256(canonical(normal(receipt))).hexdigest()


def normal(value: Any) -> Any:
    """As jsonb gives it back: its numbers know no exponent, so that 1e+16 returns whole, and −0.0 loses its sign."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadReceipt(f"{value} is not a number a receipt can hold")
        return int(value) if abs(value) >= 1e16 else value + 0.0  # −0.0 + 0.0 is 0.0
    if isinstance(value, dict):
        return {_key(key): normal(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [normal(each) for each in value]
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise BadReceipt(f"the key {key!r} is not a string")
    return key


def differences(told: Any, found: Any, *, tolerance: float = 0.0, path: str = "") -> Iterator[str]:
    """One line for each place at which `found` is not what the receipt `told`.

    `tolerance` is absolute and relative, for floats alone; 0 asks for the same bits.
    """
    if isinstance(told, dict) and isinstance(found, dict):
        for key in sorted(told.keys() | found.keys()):
            here = f"{path}.{key}" if path else key
            if key not in found or key not in told:
                yield f"{here}: {'missing now' if key in told else 'not in the receipt'}"
            else:
                yield from differences(told[key], found[key], tolerance=tolerance, path=here)
    elif isinstance(told, list) and isinstance(found, list):
        if len(told) != len(found):
            yield f"{path}: {len(told)} entries in the receipt, {len(found)} now"
        for position, (one, other) in enumerate(zip(told, found, strict=False)):
            yield from differences(one, other, tolerance=tolerance, path=f"{path}[{position}]")
    elif not _same(told, found, tolerance):
        yield f"{path}: {told!r} in the receipt, {found!r} now"


def _same(told: Any, found: Any, tolerance: float) -> bool:
    if isinstance(told, bool) or isinstance(found, bool):
        return told is found
    if isinstance(told, int | float) and isinstance(found, int | float):
        if tolerance and (isinstance(told, float) or isinstance(found, float)):
            return math.isclose(told, found, rel_tol=tolerance, abs_tol=tolerance)
        return told == found
    return bool(told == found)
