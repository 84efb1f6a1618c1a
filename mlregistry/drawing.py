"""What does the calibration of a model look like? Places in an SVG; the page writes no style of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlregistry.domain.accuracy import Bin

SIZE, MARGIN = 420, 44
ENDS = (0.04, 0.08, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the axes: quarters of these are whole per cents
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Dot:
    """One bin: the larger, the more predictions."""

    x: float
    y: float
    radius: float
    words: str


@dataclass(frozen=True, slots=True)
class Tick:
    label: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class CalibrationPlot:
    """Said on x, seen on y, both in [0, most]; on the diagonal they agree."""

    size: int
    low: int
    high: int
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]


def calibration_plot(bins: Sequence[Bin]) -> CalibrationPlot | None:
    """None where there is no bin: an empty plot would look like an answer."""
    if not bins:
        return None
    largest = max(each.count for each in bins)
    farthest = max(max(each.predicted, each.observed) for each in bins)
    most = next(end for end in ENDS if end >= min(farthest, 1.0))

    def x(value: float) -> float:
        return round(MARGIN + value / most * (SIZE - 2 * MARGIN), 1)

    def y(value: float) -> float:
        return round(SIZE - MARGIN - value / most * (SIZE - 2 * MARGIN), 1)

    dots = [
        Dot(
            x(each.predicted),
            y(each.observed),
            round(3 + 5 * math.sqrt(each.count / largest), 1),
            f"said {each.predicted:.1%}, seen {each.observed:.1%} of {each.count}",
        )
        for each in bins
    ]
    ticks = tuple(Tick(f"{part * most:.0%}", x(part * most), y(part * most)) for part in TICKS)
    return CalibrationPlot(SIZE, MARGIN, SIZE - MARGIN, tuple(dots), ticks)
