"""How is something timed against its floor, and what does a row of the result say?"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[], object]
NO_DATA = "not run: no data"


@dataclass(frozen=True, slots=True)
class Goal:
    """What the ratio of figure to floor should be: at least, or at most, a limit."""

    limit: float
    is_least: bool

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.limit if self.is_least else ratio <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.limit:g} ×"


def at_least(limit: float) -> Goal:
    return Goal(limit, is_least=True)


def at_most(limit: float) -> Goal:
    return Goal(limit, is_least=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its floor, in one unit and of one run. Without a figure it was not run: the note says why."""

    name: str
    figure: float | None
    unit: str
    floor: float | None = None
    goal: Goal | None = None
    note: str = ""
    limit: float | None = None  # a goal of the figure itself, in its unit: at most this

    @property
    def ratio(self) -> float | None:
        return self.figure / self.floor if self.figure is not None and self.floor else None

    @property
    def is_ok(self) -> bool | None:
        """Whether the goal is met; None where there is none, or nothing was measured."""
        if self.limit is not None:
            return None if self.figure is None else self.figure <= self.limit
        return None if self.goal is None or self.ratio is None else self.goal.is_met(self.ratio)

    @property
    def wanted(self) -> str | None:
        """The goal as it is printed."""
        if self.limit is not None:
            return f"≤ {self.limit:g} {self.unit}"
        return str(self.goal) if self.goal else None

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "figure": rounded(self.figure),
            "unit": self.unit,
            "floor": rounded(self.floor),
            "ratio": rounded(self.ratio),
            "goal": self.wanted,
            "ok": self.is_ok,
            "note": self.note,
        }


def not_run(name: str, unit: str, goal: Goal | None = None, why: str = NO_DATA) -> Row:
    return Row(name, None, unit, goal=goal, note=why)


def rounded(value: float | None) -> float | None:
    """To four digits that count: more would say more than was measured."""
    return value if not value else round(value, max(0, 3 - math.floor(math.log10(abs(value)))))


def seconds(work: Work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(works: Mapping[str, Work], *, times: int, before: Work = lambda: None) -> dict[str, float]:
    """Median seconds of each, `times` rounds in which all take turns: a busy moment of the machine falls on all.

    `before` runs ahead of each, untimed.
    """
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            before()
            took[name].append(seconds(work))
    return {name: statistics.median(values) for name, values in took.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
