"""What does a gate answer?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Value = str | int | float | bool | None


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"  # the fact is missing: blocks like a failure
    NEEDED = "needed"  # a person's word that acting waits for; shadow decides without it (decision record 0010)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gate's answer. `margin` is how far the value is inside (+) or outside (−) the limit, in the value's unit."""

    gate: str
    outcome: Outcome
    value: Value
    limit: Value
    margin: float | None
    detail: str

    def is_blocking(self, *, is_shadow: bool) -> bool:
        if self.outcome is Outcome.NEEDED:
            return not is_shadow
        return self.outcome in {Outcome.FAIL, Outcome.UNKNOWN}


def passes(gate: str, value: Value, detail: str) -> Verdict:
    return Verdict(gate, Outcome.PASS, value, None, None, detail)


def fails(gate: str, value: Value, detail: str) -> Verdict:
    return Verdict(gate, Outcome.FAIL, value, None, None, detail)


def unknown(gate: str, detail: str, *, limit: Value = None) -> Verdict:
    return Verdict(gate, Outcome.UNKNOWN, None, limit, None, detail)


def not_applicable(gate: str, detail: str) -> Verdict:
    return Verdict(gate, Outcome.NOT_APPLICABLE, None, None, None, detail)


def at_most(gate: str, value: float, limit: float, detail: str) -> Verdict:
    """Passes when value ≤ limit; NaN does not."""
    outcome = Outcome.PASS if value <= limit else Outcome.FAIL
    return Verdict(gate, outcome, value, limit, limit - value, detail)


def at_least(gate: str, value: float, limit: float, detail: str) -> Verdict:
    """Passes when value ≥ limit; NaN does not."""
    outcome = Outcome.PASS if value >= limit else Outcome.FAIL
    return Verdict(gate, outcome, value, limit, value - limit, detail)


def refused_for(gate: str, offending: str, why: str, otherwise: str) -> Verdict:
    """Refuses when there is an offending value."""
    return fails(gate, offending, why) if offending else passes(gate, None, otherwise)


def refused_if(gate: str, fact: bool | None, why: str, otherwise: str, *, asked: str) -> Verdict:
    """Refuses when the fact holds, or when nobody knows (`asked` says what)."""
    if fact is None:
        return unknown(gate, f"AWS did not say {asked}")
    return fails(gate, True, why) if fact else passes(gate, False, otherwise)
