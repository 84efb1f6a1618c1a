"""What does each limit of a policy mean to a person, and how is it typed into a form?

`LIMITS` says of every limit what it is; which values it takes, `policy.READERS` alone knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from governance.domain.change_window import WEEKDAYS
from governance.domain.policy import Acting, Evidence, Policy, as_overrides, read

ALWAYS = "always"
WINDOW = re.compile(r"(\d\d:\d\d)\s*[-–]\s*(\d\d:\d\d)((?:\s+[a-z]{3})*)(?:\s+([A-Za-z_+\-/0-9]+))?")
NOTHING_ACTS = "Nothing can act yet, so every level decides and logs only: leave acting out, or say shadow."


class Kind(StrEnum):
    NUMBER = "number"  # a JSON number
    WHOLE = "whole"
    DECIMAL = "decimal"  # a decimal string, of money and percentages
    FLAG = "flag"
    CHOICE = "choice"
    WORDS = "words"
    WINDOW = "window"


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    label: str
    kind: Kind
    unit: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    limits: tuple[Limit, ...]


GROUPS = (
    Group("Acting", (Limit("acting", "May it act?", Kind.CHOICE, choices=tuple(Acting)),)),
    Group(
        "Worth a switch",
        (
            Limit("min_savings_percent", "Saves at least", Kind.DECIMAL, "%"),
            Limit("min_savings_usd_per_month", "Saves at least", Kind.DECIMAL, "USD a month"),
            Limit("cool_down_hours", "After a switch, none for", Kind.NUMBER, "hours"),
            Limit("overlap_hours", "Both machines run for at most", Kind.DECIMAL, "hours"),
        ),
    ),
    Group(
        "Risk of a pool",
        (
            Limit("max_interruption_probability", "Interruption at most", Kind.NUMBER, "of 1"),
            Limit("min_evidence", "Known from at least", Kind.CHOICE, choices=tuple(Evidence)),
            Limit("min_safety_score", "Safety score at least", Kind.NUMBER, "of 1"),
        ),
    ),
    Group(
        "Shares of the fleet",
        (
            Limit("min_zones", "Zones at least", Kind.WHOLE),
            Limit("max_pool_share", "In one pool at most", Kind.NUMBER, "of 1"),
            Limit("min_on_demand_share", "On-Demand at least", Kind.NUMBER, "of 1"),
            Limit("smallest_fleet", "These three count from", Kind.WHOLE, "members"),
        ),
    ),
    Group(
        "Age of the data",
        (
            Limit("max_price_age_hours", "Spot prices at most", Kind.NUMBER, "hours"),
            Limit("max_advisor_age_hours", "Spot Advisor at most", Kind.NUMBER, "hours"),
            Limit("max_score_age_hours", "Scores at most", Kind.NUMBER, "hours"),
            Limit("max_on_demand_age_hours", "On-Demand prices at most", Kind.NUMBER, "hours"),
            Limit("max_inventory_age_hours", "Inventory at most", Kind.NUMBER, "hours"),
        ),
    ),
    Group(
        "What only people know",
        (
            Limit("are_commitments_declared", "Savings Plans and reservations are declared", Kind.FLAG),
            Limit("infrastructure_tags", "Tag keys of what others' tools own", Kind.WORDS),
        ),
    ),
    Group(
        "When, and how much at once",
        (
            Limit("change_window", "Only within", Kind.WINDOW, "such as 22:00-06:00 sat sun Europe/Paris, or always"),
            Limit("batch_size", "At once at most", Kind.WHOLE, "machines"),
            Limit("max_share_in_flight", "At once at most", Kind.NUMBER, "of 1, of the fleet"),
        ),
    ),
    Group(
        "While acting",
        (
            Limit("node_ready_minutes", "A node is ready within", Kind.NUMBER, "minutes"),
            Limit("drain_minutes", "A node is drained within", Kind.NUMBER, "minutes"),
            Limit("pod_grace_seconds", "A pod ends within", Kind.NUMBER, "seconds"),
            Limit("health_probes", "Healthy answers in a row", Kind.WHOLE),
            Limit("health_probe_seconds", "Within", Kind.NUMBER, "seconds"),
            Limit("breaker_failures", "Stop after failures", Kind.WHOLE),
        ),
    ),
    Group(
        "Quarantine of a pool",
        (
            Limit("interruption_quarantine_days", "After an interruption", Kind.NUMBER, "days"),
            Limit("rebalance_quarantine_days", "After a rebalance recommendation", Kind.NUMBER, "days"),
        ),
    ),
)
LIMITS = {limit.name: limit for group in GROUPS for limit in group.limits}


def faults(overrides: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with what somebody wants to set: {limit: sentence}; empty = nothing.

    Stricter than `policy.read`: what would act is refused for as long as nothing can.
    """
    values, found = read(overrides)
    if values.get("acting", Acting.SHADOW) is not Acting.SHADOW:
        found["acting"] = NOTHING_ACTS
    return found


def canonical(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides without faults, each value in the one spelling that is stored. Raises PolicyError for others."""
    everything = as_overrides(Policy().merge(("overrides", overrides)))
    return {name: everything[name] for name in overrides}


def typed(limit: Limit, text: str) -> Any:
    """What somebody typed, as JSON has it; text that cannot be read stays text, for `faults` to refuse by name."""
    text = text.strip()
    if limit.kind in (Kind.NUMBER, Kind.WHOLE):
        return _number(text)
    if limit.kind is Kind.FLAG:
        return {"true": True, "false": False}.get(text, text)
    if limit.kind is Kind.WORDS:
        return [word for word in re.split(r"[\s,]+", text) if word]
    return _window(text) if limit.kind is Kind.WINDOW else text


def shown(limit: Limit, value: Any) -> str:
    """A value as JSON has it, such that `typed` reads it back."""
    if limit.kind is Kind.FLAG:
        return "true" if value else "false"
    if limit.kind is Kind.WORDS:
        return " ".join(value)
    if limit.kind is not Kind.WINDOW:
        return f"{value:g}" if isinstance(value, float) else str(value)
    if value is None:
        return ALWAYS
    days = value.get("weekdays", WEEKDAYS)
    some = [] if set(days) == set(WEEKDAYS) else list(days)
    return " ".join([f"{value['begins'][:5]}-{value['ends'][:5]}", *some, value.get("time_zone", "UTC")])


def _number(text: str) -> Any:
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    if not number.is_finite() or abs(number) > 10**9:
        return text
    return int(number) if number == number.to_integral_value() else float(number)


def _window(text: str) -> Any:
    if text == ALWAYS:
        return None
    match = WINDOW.fullmatch(text)
    if match is None:
        return text
    window: dict[str, Any] = {"begins": match[1], "ends": match[2], "time_zone": match[4] or "UTC"}
    return window | ({"weekdays": match[3].split()} if match[3].strip() else {})
