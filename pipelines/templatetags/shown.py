"""How are figures written for people? None is always a dash, never a number."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

from django import template
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from typing_extensions import TypeIs

register = template.Library()

T = TypeVar("T")
UNKNOWN = "–"
Missing = Literal[""] | None  # a template gives "" for an attribute of nothing


def is_missing(value: T | Missing) -> TypeIs[Missing]:
    return value is None or value == ""


@register.filter
def share(value: float | Missing) -> str:
    """A share in [0, 1] as per cent: 0.1734 → 17.3 %, and what would round to nothing keeps two digits."""
    if is_missing(value):
        return UNKNOWN
    percent = 100 * value
    return f"{percent:.2g} %" if 0 < abs(percent) < 1 else f"{percent:.1f} %"


@register.filter
def score(value: float | Missing) -> str:
    return UNKNOWN if is_missing(value) else f"{value:.2f}"


@register.filter
def dollars(value: Decimal | float | str | None) -> str:
    """1234.5 → $1,234.50."""
    if is_missing(value):
        return UNKNOWN
    amount = Decimal(str(value))
    sign = "−" if amount < 0 else ""
    return f"{sign}${abs(amount):,.2f}"


@register.filter
def hourly(micro: int | Missing) -> str:
    """Micro-dollars an hour → $0.0416/h."""
    return UNKNOWN if is_missing(micro) else f"${Decimal(micro) / 1_000_000:.4f}/h"


@register.filter
def age(value: Any) -> str:
    """How long ago an instant was, in one unit."""
    when = parse_datetime(value) if isinstance(value, str) else value
    if not isinstance(when, datetime):
        return "never"
    seconds = (timezone.now() - when).total_seconds()
    for length, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {name} ago"
    return "just now"


@register.filter
def plain_reason(reason: str) -> str:
    """A reason without its first word, where a badge beside it says the same."""
    for lead in ("Stay: ", "Switch to Spot "):
        if reason.startswith(lead):
            rest = reason.removeprefix(lead)
            return rest[:1].upper() + rest[1:] if lead == "Stay: " else rest
    return reason


@register.filter
def milliseconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


@register.filter
def took(seconds: float | None) -> str:
    """0.0421 → 42 ms, 12.3 → 12.3 s, 95 → 1.6 min."""
    if seconds is None:
        return UNKNOWN
    return milliseconds(1000 * seconds) if seconds < 60 else f"{seconds / 60:.1f} min"


@register.filter
def compact(value: Any) -> str:
    """A figure of a receipt: floats short, None a dash, the rest as it is."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


@register.filter
def hours(seconds: int | None) -> str:
    """3600 → 1 hour."""
    if seconds is None:
        return UNKNOWN
    count = seconds / 3600
    return f"{count:g} hour" + ("" if count == 1 else "s")


@register.filter
def hours_long(count: float | None) -> str:
    """0.01 → 36.0 s, 0.5 → 30.0 min, 3 → 3.0 h."""
    if count is None:
        return UNKNOWN
    return took(3600 * count) if count < 1 else f"{count:.1f} h"


@register.filter
def times(value: float | None, factor: float) -> float:
    """A length of a drawing; what is unknown has none."""
    return round((value or 0) * factor, 2)


@register.filter
def plus(value: float, more: float) -> float:
    return round(value + more, 2)


@register.filter
def latency(value: float | Missing) -> str:
    """Milliseconds with the digits that matter: 0.042 → 0.042 ms, 12.3 → 12 ms."""
    if is_missing(value):
        return UNKNOWN
    return milliseconds(value) if value >= 10 else f"{value:.2g} ms"


@register.filter
def indented(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True)
