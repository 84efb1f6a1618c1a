"""What is an engine, and what is it asked?

An engine is a record: a name, a version, the shapes it reads, and one pure function of a Case. No I/O, no clock, no
randomness, so that each answer can be tested, replayed and explained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from instances.domain.snapshot import Market


@dataclass(frozen=True, slots=True)
class Case:
    """All that an engine is asked. `closed` holds (instance type, zone id) of pools in quarantine at `at`."""

    at: datetime
    state: Any
    requirements: Any
    constraints: Any
    markets: Mapping[str, Market]  # by region
    closed: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One thing to do, in the executor's words."""

    step: int
    action: str
    target: str
    parameters: Mapping[str, Any]
    requires: tuple[int, ...] = ()  # steps that must have ended well before this one
    reversible: bool = True
    estimated_seconds: int | None = None  # None: nobody has measured it


@dataclass(frozen=True, slots=True)
class Decision:
    """An engine's answer. Savings are None where a price that they need is unknown."""

    recommendations: tuple[Mapping[str, Any], ...]
    confidence_score: float | None  # each engine's page says what its number means; None = nothing to be sure of
    estimated_savings: Decimal | None  # USD a month
    execution_plan: tuple[PlanStep, ...] = ()
    warnings: tuple[str, ...] = ()
    data_as_of: Mapping[str, Any] = field(default_factory=dict)
    explanation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Engine:
    """One of the engines: its names in the interface, its shapes, and its rule."""

    name: str  # engine_type
    decision_type: str
    path: str  # decision/<path>
    version: str
    State: Any
    Requirements: Any
    Constraints: Any
    config: Any
    decide: Callable[[Case, Any], Decision]
    regions: Callable[[Any], frozenset[str]]  # which markets the requirements speak of
