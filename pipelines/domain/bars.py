"""How are figures of days drawn as bars? Numbers and text, for a page to put into SVG attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from instances.domain.steps import Plane, Tick, nice_step


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    plane: Plane
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


WIDE = Plane(width=920, height=240, left=64, bottom=30, top=14, right=12, y_ticks=5, slices=0, x_ticks=10)
NARROW = Plane(width=360, height=220, left=58, bottom=28, top=12, right=8, y_ticks=4, slices=0, x_ticks=4)


def drawn(values: Mapping[date, float], *, last: date, days: int, plane: Plane) -> Bars:
    """A bar for each of the `days` up to `last` that has a value, on an axis from nothing; a day without has none.

    ValueError for a value below nothing, which no bar can show.
    """
    first = last - timedelta(days=days - 1)
    shown = {day: value for day, value in values.items() if first <= day <= last}
    if any(value < 0 for value in shown.values()):
        raise ValueError("a bar cannot show less than nothing")
    highest = max(shown.values(), default=0.0) or 1.0
    step = nice_step(highest, plane.y_ticks)
    ceiling = step * max(math.ceil(highest / step - 1e-9), 1)
    room = plane.inner_width / days
    return Bars(
        plane=plane,
        bars=tuple(
            _bar(plane, (day - first).days, room, value / ceiling, f"{day}: ${value:,.2f} a month")
            for day, value in sorted(shown.items())
        ),
        x_ticks=_days(plane, first, days, room),
        y_ticks=tuple(
            Tick(round(plane.base - n * step / ceiling * plane.inner_height, 1), _money(n * step, step))
            for n in range(round(ceiling / step) + 1)
        ),
    )


def _bar(plane: Plane, place: int, room: float, share: float, text: str) -> Bar:
    height = round(share * plane.inner_height, 1)
    gap = min(room * 0.2, 4)
    return Bar(
        round(plane.left + place * room + gap / 2, 1), round(plane.base - height, 1), round(room - gap, 1), height, text
    )


def _days(plane: Plane, first: date, days: int, room: float) -> tuple[Tick, ...]:
    every = max(math.ceil(days / plane.x_ticks), 1)
    places = range(days - 1, -1, -every)  # the last day is always named
    half_a_word = 18
    ticks = ((plane.left + (place + 0.5) * room, first + timedelta(days=place)) for place in reversed(places))
    return tuple(
        Tick(round(min(x, plane.end - half_a_word), 1), day.strftime("%d %b")) for x, day in ticks if x > plane.left
    )


def _money(value: float, step: float) -> str:
    if step >= 1000:
        return f"${value / 1000:,g}k"
    return f"${value:,.0f}" if step >= 1 else f"${value:,.2f}"
