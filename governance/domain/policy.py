"""Which limits hold, and who set each of them?

Overrides are JSON objects: organization ← account ← instance, the later winning value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from governance.domain.change_window import WEEKDAYS, ChangeWindow

DEFAULT = "default"


class Acting(StrEnum):
    SHADOW = "shadow"  # decide and log
    ASK = "ask"  # a person presses
    AUTO = "auto"  # the decision opens the Operation


class Evidence(StrEnum):
    """What a probability rests on, weakest first."""

    NONE = "none"
    ADVISOR = "advisor"  # the Spot Advisor's band as a hazard
    TRACE = "trace"  # the model has seen the family interrupted

    def is_enough(self, least: Evidence) -> bool:
        order = list(Evidence)
        return order.index(self) >= order.index(least)


class PolicyError(ValueError):
    """Overrides that cannot be taken; `problems` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


Reader = Callable[[Any], Any]


def _number(least: float, most: float) -> Reader:
    def read(given: Any) -> float:
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise ValueError(f"is {given!r}, not a number")
        if not least <= given <= most:  # NaN compares False
            raise ValueError(f"is {given}, not between {least:g} and {most:g}")
        return float(given)

    return read


def _whole(least: int, most: int) -> Reader:
    def read(given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int):
            raise ValueError(f"is {given!r}, not a whole number")
        if not least <= given <= most:
            raise ValueError(f"is {given}, not between {least} and {most}")
        return given

    return read


def _decimal(least: int, most: int) -> Reader:
    def read(given: Any) -> Decimal:
        try:
            if isinstance(given, bool):
                raise InvalidOperation
            value = Decimal(str(given))
        except InvalidOperation:
            raise ValueError(f"is {given!r}, not a decimal number") from None
        if not value.is_finite() or not least <= value <= most:
            raise ValueError(f"is {given}, not between {least} and {most}")
        return value

    return read


def _flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError(f"is {given!r}, neither true nor false")
    return given


def _one_of(kind: type[StrEnum]) -> Reader:
    def read(given: Any) -> StrEnum:
        try:
            return kind(given)
        except ValueError:
            raise ValueError(f"is {given!r}, not one of {', '.join(kind)}") from None

    return read


def _words(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) and word for word in given):
        raise ValueError(f"is {given!r}, not a list of words")
    return tuple(given)


def _window(given: Any) -> ChangeWindow | None:
    """`{"begins": "22:00", "ends": "06:00", "weekdays": ["mon"], "time_zone": "Europe/Paris"}`, or null = always."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or not {"begins", "ends"} <= set(given):
        raise ValueError(f"is {given!r}, not a window with begins and ends")
    unknown = sorted(set(given) - {"begins", "ends", "weekdays", "time_zone"})
    if unknown:
        raise ValueError(f"has unknown keys {', '.join(unknown)}")
    days = _words(given.get("weekdays", WEEKDAYS))
    if not days or set(days) - set(WEEKDAYS):
        raise ValueError(f"has weekdays {list(days)}, not some of {', '.join(WEEKDAYS)}")
    zone = given.get("time_zone", "UTC")
    try:
        ZoneInfo(zone)
        begins, ends = time.fromisoformat(given["begins"]), time.fromisoformat(given["ends"])
    except (KeyError, TypeError, ValueError) as wrong:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"is {dict(given)!r}: {wrong}") from None
    return ChangeWindow(begins, ends, tuple(day for day in WEEKDAYS if day in days), zone)


SHARE = _number(0, 1)
HOURS = _number(0, 24 * 365)
MINUTES = _number(0, 24 * 60)
READERS: dict[str, Reader] = {
    "acting": _one_of(Acting),
    "min_savings_percent": _decimal(0, 100),
    "min_savings_usd_per_month": _decimal(0, 1_000_000),
    "cool_down_hours": HOURS,
    "overlap_hours": _decimal(0, 72),
    "max_interruption_probability": SHARE,
    "min_evidence": _one_of(Evidence),
    "min_safety_score": SHARE,
    "min_zones": _whole(1, 20),
    "max_pool_share": SHARE,
    "min_on_demand_share": SHARE,
    "smallest_fleet": _whole(1, 1000),
    "max_price_age_hours": HOURS,
    "max_advisor_age_hours": HOURS,
    "max_score_age_hours": HOURS,
    "max_on_demand_age_hours": HOURS,
    "max_inventory_age_hours": HOURS,
    "are_commitments_declared": _flag,
    "infrastructure_tags": _words,
    "change_window": _window,
    "batch_size": _whole(1, 100),
    "max_share_in_flight": SHARE,
    "node_ready_minutes": MINUTES,
    "drain_minutes": MINUTES,
    "pod_grace_seconds": _number(0, 3600),
    "health_probes": _whole(1, 100),
    "health_probe_seconds": _number(1, 3600),
    "breaker_failures": _whole(1, 100),
    "interruption_quarantine_days": _number(0, 365),
    "rebalance_quarantine_days": _number(0, 365),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Every limit of a decision, with its default (spec 6 and 8). Hours, minutes and seconds as the names say.

    `set_by` names the level that set a value; what it does not name is the default.
    """

    acting: Acting = Acting.SHADOW
    # hysteresis
    min_savings_percent: Decimal = Decimal(20)
    min_savings_usd_per_month: Decimal = Decimal(5)
    cool_down_hours: float = 12.0
    overlap_hours: Decimal = Decimal(1)  # both machines run: the bound of a switch's cost
    # risk
    max_interruption_probability: float = 0.20
    min_evidence: Evidence = Evidence.ADVISOR
    min_safety_score: float = 0.75
    # shares of the fleet: the group or cluster, else account × region
    min_zones: int = 3
    max_pool_share: float = 0.20
    min_on_demand_share: float = 0.15
    smallest_fleet: int = 5  # below it the three shares say nothing
    # age of data
    max_price_age_hours: float = 2.0
    max_advisor_age_hours: float = 26.0
    max_score_age_hours: float = 2.0
    max_on_demand_age_hours: float = 50.0  # fetched daily; list prices seldom change: one may fail
    max_inventory_age_hours: float = 2.0
    # what a person declares
    are_commitments_declared: bool = False
    infrastructure_tags: tuple[str, ...] = ()  # tag keys that mark Terraform's and others' property
    # when and how much at once
    change_window: ChangeWindow | None = None
    batch_size: int = 1
    max_share_in_flight: float = 0.10
    # acting
    node_ready_minutes: float = 15.0
    drain_minutes: float = 15.0
    pod_grace_seconds: float = 90.0
    health_probes: int = 5
    health_probe_seconds: float = 60.0
    breaker_failures: int = 3
    # quarantine
    interruption_quarantine_days: float = 15.0
    rebalance_quarantine_days: float = 1.0

    set_by: Mapping[str, str] = field(default_factory=dict, compare=False)

    def merge(self, *overrides: tuple[str, Mapping[str, Any]]) -> Policy:
        """This policy with each (level, JSON object) laid over it in turn.

        Raises PolicyError with every problem at once: unknown names, wrong kinds, values out of range.
        """
        values: dict[str, Any] = {}
        origin = dict(self.set_by)
        problems: list[str] = []
        for level, given in overrides:
            if not isinstance(given, Mapping):
                problems.append(f"{level}: the overrides are {given!r}, not an object")
                continue
            taken, faults = read(given)
            values |= taken
            origin |= dict.fromkeys(taken, level)
            problems += [f"{level}: {fault}" for fault in faults.values()]
        if problems:
            raise PolicyError(problems)
        return replace(self, **values, set_by=origin)

    def origin_of(self, name: str) -> str:
        return self.set_by.get(name, DEFAULT)


def read(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of an overrides object, and a sentence for each name that cannot be taken."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, value in given.items():
        if name not in READERS:
            faults[name] = f"there is no limit called {name!r}"
            continue
        try:
            values[name] = READERS[name](value)
        except ValueError as wrong:
            faults[name] = f"{name} {wrong}"
    return values, faults


def as_overrides(policy: Policy) -> dict[str, Any]:
    """Every limit as JSON says it, such that merging it over any policy gives this one's limits."""
    values = asdict(policy)
    return {name: _plain(values[name]) for name in READERS}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | StrEnum) else value
