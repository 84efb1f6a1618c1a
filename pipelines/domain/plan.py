"""What is to be done, step by step? A plan is frozen when its Operation is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

# What we write on all that we make, in the very call that makes it (safety.md 1)
MANAGED_TAG, MANAGED_VALUE = "ManagedBy", "SpotOptimizer"
OPERATION_TAG, REPLACES_TAG = "spotopt:operation", "spotopt:replaces"
LONGEST = timedelta(hours=12)  # safety.md 1: the whole Operation


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """`kind` names a StepKind of pipelines.actuator.steps; `pool` is (instance type, zone id) where it launches."""

    kind: str
    args: Mapping[str, Any] = field(default_factory=dict)
    pool: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`subject` holds what the target was when it was decided: a last look compares with it."""

    kind: str
    region: str
    target: str  # "instance/i-0abc"
    subject: Mapping[str, Any]
    steps: tuple[PlannedStep, ...]
    breaker_failures: int = 3
    longest: timedelta = LONGEST

    @property
    def pools(self) -> tuple[tuple[str, str], ...]:
        return tuple(step.pool for step in self.steps if step.pool)

    def as_json(self) -> dict[str, Any]:
        """What the Operation keeps; its steps have rows of their own."""
        return {
            "subject": dict(self.subject),
            "breaker_failures": self.breaker_failures,
            "pools": [list(pool) for pool in self.pools],
        }


def token_of(operation_id: object, position: int) -> str:
    """The ClientToken of a step: the same for every repeat, another for every candidate (each is a step).

    EC2 takes at most 64 ASCII characters: a SHA-256 in hex has just that many.
    """
    return hashlib.sha256(f"{operation_id}/{position}".encode()).hexdigest()
