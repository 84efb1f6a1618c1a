"""Which states do an Operation and a Step have, and which moves are allowed? (spec 6)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class OperationState(StrEnum):
    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    PAUSED = "paused"  # breaker, kill switch, lost access: goes on where it was
    STUCK = "stuck"  # a person must look; `reason` says what is left where


class StepState(StrEnum):
    WAITING = "waiting"
    STARTED = "started"  # the intention is written; whether the call was made is not known
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    SKIPPED = "skipped"


OPERATION_MOVES: Mapping[OperationState, frozenset[OperationState]] = {
    OperationState.PLANNED: frozenset(
        {OperationState.AWAITING_APPROVAL, OperationState.RUNNING, OperationState.UNDONE}
    ),
    OperationState.AWAITING_APPROVAL: frozenset({OperationState.RUNNING, OperationState.UNDONE}),
    OperationState.RUNNING: frozenset(
        {OperationState.DONE, OperationState.UNDOING, OperationState.PAUSED, OperationState.STUCK}
    ),
    OperationState.UNDOING: frozenset({OperationState.UNDONE, OperationState.PAUSED, OperationState.STUCK}),
    OperationState.PAUSED: frozenset({OperationState.RUNNING, OperationState.UNDOING}),
    # a person says how it goes on; never straight to an end, which only a look at the cloud may declare
    OperationState.STUCK: frozenset({OperationState.RUNNING, OperationState.UNDOING}),
    OperationState.DONE: frozenset(),
    OperationState.UNDONE: frozenset(),
}
STEP_MOVES: Mapping[StepState, frozenset[StepState]] = {
    StepState.WAITING: frozenset({StepState.STARTED, StepState.SKIPPED}),
    StepState.STARTED: frozenset({StepState.DONE, StepState.FAILED}),
    StepState.DONE: frozenset({StepState.UNDONE}),
    StepState.FAILED: frozenset({StepState.UNDONE}),  # a failed call may have left something
    StepState.UNDONE: frozenset(),
    StepState.SKIPPED: frozenset(),
}

CLOSED = frozenset({OperationState.DONE, OperationState.UNDONE})
OPEN = frozenset(OperationState) - CLOSED
DRIVEN = frozenset({OperationState.RUNNING, OperationState.UNDOING})  # those that a worker may lease
FINAL = frozenset({StepState.DONE, StepState.FAILED, StepState.UNDONE, StepState.SKIPPED})


class NotAllowed(ValueError):
    """A move that the lifecycle does not know."""


def check_operation_move(now: OperationState, then: OperationState) -> None:
    """Raises NotAllowed."""
    if then not in OPERATION_MOVES[now]:
        raise NotAllowed(f"an operation that is {now} cannot become {then}")


def check_step_move(now: StepState, then: StepState) -> None:
    """Raises NotAllowed."""
    if then not in STEP_MOVES[now]:
        raise NotAllowed(f"a step that is {now} cannot become {then}")


def next_to_do(states: Iterable[StepState]) -> int | None:
    """Index of the step that comes next; None when every one has ended."""
    return next((index for index, state in enumerate(states) if state not in FINAL), None)


def next_to_undo(states: Iterable[StepState]) -> int | None:
    """Index of the step to take back next, the last one first; None when there is nothing to take back.

    A step that failed is taken back too: its call may have been carried out although nobody heard the answer.
    One that is still started must be brought to an end first.
    """
    found = [index for index, state in enumerate(states) if state in {StepState.DONE, StepState.FAILED}]
    return found[-1] if found else None
