"""What is a step? Observe: is it so already? Act: make it so. Undo: take it back.

Each of the three is harmless when it is repeated. A look answers with a result (it is so), a Wait (not yet), or None
(it is not: act).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pipelines.actuator.hands import Eyes, Hands

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after a while; `memory` is what the next look shall know."""

    after: timedelta
    why: str
    memory: Mapping[str, Any] = field(default_factory=dict)


class Failed(Exception):
    """The step cannot be had: take back what was done. `failure` is one word, `reason` a sentence."""

    def __init__(self, failure: str, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason


class Changed(Failed):
    """The world is no longer what was decided on."""

    def __init__(self, reason: str) -> None:
        super().__init__("changed", reason)


class Unsafe(Exception):
    """Neither going on nor going back is safe: a person must look. The message says what is where."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a step knows: its own row, the plan, and the results of the steps before it, by their kind."""

    operation_id: str
    target_id: str
    subject: Mapping[str, Any]
    args: Mapping[str, Any]
    request: Mapping[str, Any]
    token: str
    results: Mapping[str, Mapping[str, Any]]
    memory: Mapping[str, Any]
    now: datetime
    is_outcome_unknown: bool = False

    @property
    def replacement_id(self) -> str:
        """The instance that was launched. Raises Failed before there is one."""
        found = self.results.get("launch", {}).get("instance_id")
        if not found:
            raise Failed("order", "there is no replacement yet")
        return str(found)


Observe = Callable[[Eyes, Situation], Result | Wait | None]


def nothing_to_send(eyes: Eyes, at: Situation) -> Result:
    return {}


def nothing_to_undo(hands: Hands, at: Situation) -> Wait | None:
    return None


@dataclass(frozen=True, slots=True)
class StepKind:
    """A record, one line each in registry.py. Without `act` the step only waits: `observe` never answers None."""

    name: str
    title: str
    deadline: timedelta
    observe: Observe
    prepare: Callable[[Eyes, Situation], Result] = nothing_to_send  # frozen before the call
    act: Callable[[Hands, Situation], Result | Wait] | None = None
    last_look: Callable[[Eyes, Situation], None] | None = None  # directly before `act`; raises Changed or Unsafe
    undo: Callable[[Hands, Situation], Wait | None] = nothing_to_undo  # None: taken back
    is_alternative: bool = False  # of several of this kind one is enough
    is_irreversible: bool = False  # once done there is no way back, only forward
