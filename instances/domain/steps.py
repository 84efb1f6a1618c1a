"""How are prices that hold until the next one drawn? As steps in a plane of a given size, with ticks and slices.

Everything here is numbers and text: a page puts them into SVG attributes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY = 86_400.0  # seconds
NICE = (1.0, 2.0, 2.5, 5.0, 10.0)  # steps of an axis, times a power of ten


@dataclass(frozen=True, slots=True)
class Plane:
    """A drawing's size in its own units, the room its axes' words take, and how finely it is told."""

    width: int
    height: int
    left: int
    bottom: int
    top: int
    right: int
    y_ticks: int
    slices: int
    x_ticks: int

    @property
    def inner_width(self) -> int:
        return self.width - self.left - self.right

    @property
    def base(self) -> int:
        return self.height - self.bottom

    @property
    def inner_height(self) -> int:
        return self.base - self.top

    @property
    def end(self) -> int:
        return self.width - self.right

    @property
    def y_words(self) -> int:
        """Where the words beside the upright axis end."""
        return self.left - 6

    @property
    def x_words(self) -> int:
        """On which line the words below the level axis stand."""
        return self.base + 20


WIDE = Plane(width=920, height=320, left=64, bottom=30, top=14, right=12, y_ticks=6, slices=60, x_ticks=10)
NARROW = Plane(width=360, height=260, left=54, bottom=28, top=12, right=8, y_ticks=5, slices=24, x_ticks=4)


@dataclass(frozen=True, slots=True)
class Series:
    """One line: changes at `at` (epoch seconds, ascending) to `usd_micro`, known through `through`."""

    name: str
    at: Floats
    usd_micro: Floats
    through: float

    def price_at(self, at: float) -> float:
        """Micro-dollars in force; NaN before the first change and after what is known."""
        row = int(np.searchsorted(self.at, at, side="right")) - 1
        return float(self.usd_micro[row]) if row >= 0 and at <= self.through else math.nan

    def mean(self, begin: float, end: float) -> float:
        """The mean weighted by time over what is known of it; NaN when that is nothing."""
        ends = np.append(self.at[1:], max(self.through, self.at[-1])) if len(self.at) else self.at
        held = np.maximum(np.minimum(ends, end) - np.maximum(self.at, begin), 0.0)
        total = held.sum()
        return float((held * self.usd_micro).sum() / total) if total > 0 else math.nan

    def within(self, begin: float, end: float) -> Floats:
        """The prices in force at some moment of the range."""
        first = max(int(np.searchsorted(self.at, begin, side="right")) - 1, 0)
        return self.usd_micro[first : int(np.searchsorted(self.at, end, side="right"))]


@dataclass(frozen=True, slots=True)
class Tick:
    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A strip of the plane that tells, when pointed at, what every line is at its middle."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    number: int  # 1 …: its colour
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    plane: Plane
    lines: tuple[Line, ...]
    limit: str  # the path of what the lines are held against; empty when it is not known
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    slices: tuple[Slice, ...]


def drawn(series: Sequence[Series], against: Series | None, *, begin: float, end: float, plane: Plane) -> Chart:
    """The lines from `begin` to `end`, on an axis that starts at nothing. ValueError when no time passes."""
    if end <= begin:
        raise ValueError(f"no time passes from {begin} to {end}")
    everything = [*series, *([against] if against else [])]
    highest = max((float(s.within(begin, end).max(initial=0.0)) for s in everything), default=0.0)
    step = nice_step(highest / 1e6 or 1.0, plane.y_ticks)
    ceiling = step * max(math.ceil(highest / 1e6 / step), 1) * 1e6
    lines = (Line(s.name, n, path(s, begin, end, ceiling, plane)) for n, s in enumerate(series, start=1))
    return Chart(
        plane=plane,
        lines=tuple(line for line in lines if line.path),
        limit=path(against, begin, end, ceiling, plane) if against else "",
        x_ticks=time_ticks(begin, end, plane),
        y_ticks=money_ticks(step, ceiling, plane),
        slices=_slices(everything, begin, end, plane),
    )


def path(series: Series, begin: float, end: float, ceiling: float, plane: Plane) -> str:
    """SVG path of the steps. At most three strokes for each unit of width: the lowest, the highest and the last.

    Empty when nothing is known of the range.
    """
    known_end = min(end, series.through)
    rows = np.flatnonzero(series.at <= known_end)
    rows = rows[max(int(np.searchsorted(series.at, begin, side="right")) - 1, 0) :]
    if not len(rows) or known_end <= begin:
        return ""
    scale = plane.inner_width / (end - begin)
    column = np.rint(np.maximum(series.at[rows] - begin, 0.0) * scale).astype(int)
    y = np.round(plane.base - series.usd_micro[rows] / ceiling * plane.inner_height, 1)
    firsts = np.flatnonzero(np.diff(column, prepend=column[0] - 1))
    lows, highs = np.minimum.reduceat(y, firsts), np.maximum.reduceat(y, firsts)
    lasts = y[np.append(firsts[1:], len(y)) - 1]
    x = column[firsts] + plane.left
    parts = [f"M{x[0]} {y[0]:g}"]
    here = y[0]
    for place, low, high, last in zip(x.tolist(), lows.tolist(), highs.tolist(), lasts.tolist(), strict=True):
        stops = [last] if low == high else [low, high, last]
        if low == high == here:
            continue
        parts.append(f"H{place}" + "".join(f"V{stop:g}" for stop in stops))
        here = last
    parts.append(f"H{round(plane.left + (known_end - begin) * scale, 1):g}")
    return "".join(parts)


def nice_step(highest: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5 × 10ⁿ that needs at most `most` steps to the top."""
    power = 10.0 ** math.floor(math.log10(highest / most))
    return next(nice * power for nice in NICE if nice * power * most >= highest * (1 - 1e-9))


def money_ticks(step: float, ceiling: float, plane: Plane) -> tuple[Tick, ...]:
    digits = max(2, -math.floor(math.log10(step)) + (round(step / 10 ** math.floor(math.log10(step)), 3) == 2.5))
    count = round(ceiling / 1e6 / step)
    return tuple(
        Tick(round(plane.base - n / count * plane.inner_height, 1), f"${n * step:.{digits}f}") for n in range(count + 1)
    )


def time_ticks(begin: float, end: float, plane: Plane) -> tuple[Tick, ...]:
    """Midnights in UTC, or hours where the range is short: as many as the plane has room for."""
    span = end - begin
    steps = [3600.0 * hours for hours in (1, 2, 3, 4, 6, 12, 24)] + [DAY * days for days in (2, 5, 10, 15, 30, 90)]
    step = next((s for s in steps if span / s <= plane.x_ticks), steps[-1])
    form = "%H:%M" if step < DAY else "%d %b"
    first = math.ceil(begin / step) * step
    instants = np.arange(first, end, step)
    room = 18  # units that half a word takes; a word must not leave the plane
    ticks = ((plane.left + (at - begin) / span * plane.inner_width, at) for at in instants.tolist())
    return tuple(
        Tick(round(x, 1), datetime.fromtimestamp(at, UTC).strftime(form)) for x, at in ticks if x <= plane.end - room
    )


def _slices(series: Sequence[Series], begin: float, end: float, plane: Plane) -> tuple[Slice, ...]:
    width = plane.inner_width / plane.slices
    middles = begin + (np.arange(plane.slices) + 0.5) * (end - begin) / plane.slices
    return tuple(
        Slice(round(plane.left + n * width, 1), round(width, 1), _told(at, {s.name: s.price_at(at) for s in series}))
        for n, at in enumerate(middles.tolist())
    )


def _told(at: float, prices: Mapping[str, float]) -> str:
    lines = [f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"]
    lines += [f"{name}: {'unknown' if math.isnan(p) else f'${p / 1e6:.4f}/h'}" for name, p in prices.items()]
    return "\n".join(lines)
