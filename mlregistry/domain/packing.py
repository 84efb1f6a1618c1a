"""In which order do the numbers of a score stand in its row?

What a score was made from (facts) and of (features, components) lies in `PoolScore.numbers` as one block of float64,
NaN = unknown: NumPy lays out 60,000 of them at once, and each is read back bit for bit. Another order, or another
feature, is another LAYOUT by itself: rows of the former one are not read, and every region is due.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlregistry.domain import safety
from mlregistry.domain.facts import MEASURES, Measures
from mlregistry.domain.features import NAMES
from mlregistry.domain.safety import AdaptiveComponents

Floats = NDArray[np.float64]

COMPONENTS = tuple(field.name for field in fields(AdaptiveComponents))
COLUMNS = (*MEASURES, *NAMES, *COMPONENTS, "feedback_weight")
LAYOUT = zlib.crc32(" ".join(COLUMNS).encode()) - 2**31  # as an integer of PostgreSQL
NUMBER = np.dtype("<f8")
_FEATURES = slice(len(MEASURES), len(MEASURES) + len(NAMES))
_COMPONENTS = slice(_FEATURES.stop, _FEATURES.stop + len(COMPONENTS))


class OtherLayout(ValueError):
    """A row that another release wrote, its numbers in another order."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of one score, unknown = None."""

    facts: Sequence[float | None]  # in the order of MEASURES
    features: Sequence[float | None]  # in the order of NAMES
    components: dict[str, Any]  # name → value, weight, and share (their product)


def packed(facts: Measures, features: Floats, components: AdaptiveComponents, feedback: float) -> Floats:
    """One row of COLUMNS for each pool, float64[n, n_columns]."""
    rows = np.empty((len(features), len(COLUMNS)), dtype=NUMBER)
    for column, name in enumerate(MEASURES):
        rows[:, column] = getattr(facts, name)
    rows[:, _FEATURES] = features
    for column, name in enumerate(COMPONENTS, start=_COMPONENTS.start):
        rows[:, column] = getattr(components, name)
    rows[:, -1] = feedback
    return rows


def unpacked(block: bytes | memoryview, layout: int) -> Numbers:
    """The inverse of a row of `packed`. Raises OtherLayout."""
    if layout != LAYOUT or len(block) != len(COLUMNS) * NUMBER.itemsize:
        raise OtherLayout(f"{len(block)} bytes in layout {layout}, here it is {LAYOUT}")
    *numbers, feedback = np.frombuffer(block, dtype=NUMBER).tolist()
    values = [None if value != value else value for value in numbers]
    weights = safety.adaptive_weights(feedback)
    return Numbers(
        facts=values[: len(MEASURES)],
        features=values[_FEATURES],
        components=safety.as_json(dict(zip(COMPONENTS, values[_COMPONENTS], strict=True)), weights),
    )


def measures_in(blocks: Sequence[bytes | memoryview]) -> Measures:
    """The facts in the numbers of n scores of this layout, as they were packed. Raises OtherLayout."""
    whole = b"".join(blocks)
    if len(whole) != len(blocks) * len(COLUMNS) * NUMBER.itemsize:
        raise OtherLayout(f"{len(whole)} bytes for {len(blocks)} scores")
    rows = np.frombuffer(whole, dtype=NUMBER).reshape(len(blocks), len(COLUMNS))
    return Measures(**{name: np.ascontiguousarray(rows[:, column]) for column, name in enumerate(MEASURES)})
