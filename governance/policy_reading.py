"""How is a place's policy read by a person? Each limit in force, who set it, what is set here, what changed when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import AuditEntry
from governance import policies
from governance.domain import limits
from governance.domain.limits import GROUPS, LIMITS, Limit
from governance.domain.policy import Policy, PolicyError, as_overrides, read
from governance.policies import Place, Standing


@dataclass(frozen=True, slots=True)
class Row:
    limit: Limit
    in_force: str  # empty: what is stored cannot be read
    set_by: str
    inherited: str
    here: str  # what this place sets, or what somebody just typed; empty = nothing
    fault: str


@dataclass(frozen=True, slots=True)
class Shown:
    """`problems`: what is stored and cannot be taken; then nothing is decided here until it is put right."""

    groups: list[tuple[str, list[Row]]]
    problems: list[str]
    faults: list[str]  # of what was typed, beside no field


@dataclass(frozen=True, slots=True)
class Change:
    at: datetime
    actor: str
    differences: list[tuple[str, str, str]]  # name, before, after; empty = not set there


def shown(place: Place, standing: Standing, *, typed: Mapping[str, str], faults: Mapping[str, str]) -> Shown:
    """`typed` is what somebody sent, where it was refused with `faults`; else what stands is shown."""
    force, problems = _read(place)
    parent = policies.above(place)
    inherited, _ = _read(parent) if parent else (Policy(), [])
    values = as_overrides(force) if force else {}
    below = as_overrides(inherited) if inherited else {}
    stored = dict(typed) if typed else _texts(standing.overrides)
    groups = [
        (
            group.title,
            [
                Row(
                    limit=limit,
                    in_force=limits.shown(limit, values[limit.name]) if values else "",
                    set_by=force.origin_of(limit.name) if force else "",
                    inherited=limits.shown(limit, below[limit.name]) if below else "",
                    here=stored.get(limit.name, ""),
                    fault=faults.get(limit.name, ""),
                )
                for limit in group.limits
            ],
        )
        for group in GROUPS
    ]
    return Shown(groups, problems, [fault for name, fault in faults.items() if name not in LIMITS])


def effective(place: Place) -> dict[str, dict[str, Any]] | None:
    """Each limit in force with who set it, as JSON; None where what is stored cannot be read."""
    force, _ = _read(place)
    if force is None:
        return None
    return {name: {"value": value, "set_by": force.origin_of(name)} for name, value in as_overrides(force).items()}


def sent(form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """What was typed, by limit, and the overrides that it means; an empty field sets nothing here."""
    texts = {name: form.get(name, "").strip() for name in LIMITS}
    texts = {name: text for name, text in texts.items() if text}
    return texts, {name: limits.typed(LIMITS[name], text) for name, text in texts.items()}


def changes(entries: Iterable[AuditEntry]) -> list[Change]:
    return [Change(e.at, e.actor, _differences(e.before or {}, e.after or {})) for e in entries]


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    old, new = _texts(before), _texts(after)
    return [
        (name, old.get(name, ""), new.get(name, "")) for name in sorted({*old, *new}) if old.get(name) != new.get(name)
    ]


def _texts(overrides: Mapping[str, Any]) -> dict[str, str]:
    """As typed; a value that cannot be taken as it is."""
    values, _ = read(overrides)
    known = {name: value for name, value in overrides.items() if name in values}
    spelt = limits.canonical(known)
    return {
        name: limits.shown(LIMITS[name], spelt[name]) if name in spelt else str(value)[:80]
        for name, value in overrides.items()
    }


def _read(place: Place) -> tuple[Policy | None, list[str]]:
    try:
        return policies.in_force_at(place), []
    except PolicyError as error:
        return None, error.problems
