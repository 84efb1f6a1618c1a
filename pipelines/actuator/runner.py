"""How is an Operation carried on by one step? Observe, act, record; on failure undo, the last step first.

One call of `turn` does at most one step's work and comes back soon; whatever takes long is a due time in the row.
Every line may be the last one before a crash: the next turn begins by looking.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.aws.errors import (
    AwsError,
    Busy,
    CapacityUnavailable,
    CredentialsExpired,
    Denied,
    Gone,
    OutcomeUnknown,
    QuotaExceeded,
    Throttled,
)
from accounts.aws.session import forget
from pipelines.actuator import breaker, clock, closing, journal
from pipelines.actuator.hands import BeforeCall, Hands, ShadowOnly, Withheld, hands_for
from pipelines.actuator.journal import Lease, LeaseLost, PoolClosed
from pipelines.actuator.steps.contract import Failed, Result, Situation, StepKind, Unsafe, Wait
from pipelines.actuator.steps.registry import KINDS
from pipelines.domain.lifecycle import OperationState, StepState, next_to_do, next_to_undo
from pipelines.models import Operation, Step

PAUSE = timedelta(minutes=1)  # until a paused Operation looks whether it may go on
NOT_VISIBLE = timedelta(minutes=5)  # EC2 guide, "Eventual consistency": NotFound may mean not visible yet
UNDO_DEADLINE = timedelta(hours=1)
SETTLES = timedelta(seconds=60)  # a launch whose answer was lost shows itself within, before another is tried

# Not the step's fault: the turn is tried again, or paused
LATER = (CredentialsExpired, OutcomeUnknown, Throttled, Busy, Denied)

MakeHands = Callable[[Operation, BeforeCall], Hands]
Kinds = Mapping[str, StepKind]
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Turn:
    """One lease's work."""

    held: Lease
    operation: Operation
    steps: list[Step]
    kinds: Kinds
    hands: Hands
    before_call: BeforeCall

    def situation(self, step: Step) -> Situation:
        done = {s.kind: s.result or {} for s in self.steps if s.state == StepState.DONE}
        return Situation(
            operation_id=str(self.operation.pk),
            target_id=self.operation.target.partition("/")[2],
            subject=self.operation.plan["subject"],
            args=step.args,
            request=step.request or {},
            token=step.token,
            results=done,
            memory=step.memory,
            now=clock.now(),
            is_outcome_unknown=step.is_outcome_unknown,
        )


def turn(operation_id: Any, *, holder: str, make_hands: MakeHands = hands_for, kinds: Kinds = KINDS) -> bool:
    """Carry the Operation on by a step. False when another worker has it, or nobody may drive it."""
    held = journal.lease(operation_id, holder=holder)
    if held is None:
        return False
    try:
        _turn(held, make_hands, kinds)
    except LeaseLost as lost:
        logger.warning("lease lost", extra={"operation": str(operation_id), "why": str(lost)})
    finally:
        journal.release(held)
    return True


def _turn(held: Lease, make_hands: MakeHands, kinds: Kinds) -> None:
    operation = Operation.objects.select_related("account__organization").get(pk=held.operation_id)

    def before_call() -> None:
        """The last thing before every call that changes anything."""
        breaker.check(operation.account_id)
        journal.renew(held)

    try:
        if not operation.is_shadow:
            breaker.check(operation.account_id)
        hands = make_hands(operation, before_call)
        if operation.state == OperationState.PAUSED:
            journal.move(held, OperationState(operation.resumes_to))
            return
        now = Turn(held, operation, list(operation.steps.all()), kinds, hands, before_call)
        if operation.state == OperationState.RUNNING:
            _forward(now)
        else:
            _back(now)
    except (breaker.Halted, ShadowOnly, Denied) as stop:
        _pause(held, operation, str(stop))
    except (CredentialsExpired, OutcomeUnknown, Throttled, Busy) as later:
        if isinstance(later, CredentialsExpired):
            forget(operation.account)
        journal.postpone(held, clock.now() + timedelta(seconds=5), reason=str(later))
    except Unsafe as unsafe:
        _stick(held, operation, str(unsafe))
    except (ArithmeticError, LookupError, TypeError, ValueError) as wrong:  # our own mistake: no call is made by guess
        logger.exception("turn failed", extra={"operation": str(operation.pk)})
        _stick(held, operation, f"{type(wrong).__name__}: {wrong}")


def _pause(held: Lease, operation: Operation, reason: str) -> None:
    due_at = clock.now() + PAUSE
    if operation.state == OperationState.PAUSED:
        journal.postpone(held, due_at, reason=reason)
    else:
        journal.move(held, OperationState.PAUSED, reason=reason, due_at=due_at)


def _stick(held: Lease, operation: Operation, reason: str) -> None:
    journal.move(held, OperationState.STUCK, reason=reason)
    _count_failure(operation, reason)


def _count_failure(operation: Operation, reason: str) -> None:
    if not operation.is_shadow:
        limit = int(operation.plan["breaker_failures"])
        breaker.note_failure(operation.account, limit=limit, reason=reason, now=clock.now())


# --- Forward ------------------------------------------------------------------------------------------------------
def _forward(now: Turn) -> None:
    broken = _broken(now)
    if broken is not None:
        _give_up(now, broken)
        return
    index = next_to_do([StepState(step.state) for step in now.steps])
    if index is None:
        _close(now, OperationState.DONE)
        return
    step = now.steps[index]
    kind = now.kinds[step.kind]
    if kind.is_alternative and _is_had(now, step.kind) and step.state == StepState.WAITING:
        journal.end_step(now.held, step, StepState.SKIPPED)
        return
    if clock.now() >= now.operation.deadline_at and not _is_past_return(now):
        _fail(now, step, Failed("deadline", "the whole operation took too long"))
        return
    try:
        _take(now, step, kind)
    except Withheld as withheld:
        _withhold(now, step, withheld)
    except (PoolClosed, Failed) as failed:
        failure = failed.failure if isinstance(failed, Failed) else "quarantined"
        _fail(now, step, Failed(failure, failed.reason))
    except LATER:
        raise
    except AwsError as wrong:
        _fail(now, step, Failed("refused", str(wrong)))


def _take(now: Turn, step: Step, kind: StepKind) -> None:
    """Carry one step on; harmless when repeated after a crash at any line. Needs the Operation's lease."""
    if step.state == StepState.WAITING:
        request = kind.prepare(now.hands, now.situation(step))
        journal.start_step(now.held, step, request, pool=_pool_of(step))
    seen = kind.observe(now.hands, now.situation(step))
    if seen is None:
        seen = _act(now, step, kind)
    if isinstance(seen, Wait):
        _look_again(now, step, kind, seen)
    else:
        journal.end_step(now.held, step, StepState.DONE, result=dict(seen), is_outcome_unknown=False)


def _act(now: Turn, step: Step, kind: StepKind) -> Result | Wait:
    if kind.act is None:
        raise TypeError(f"{kind.name} only waits, and its look said neither yes nor wait")
    if kind.last_look is not None:
        kind.last_look(now.hands, now.situation(step))
    now.before_call()  # where nothing may be changed, no attempt is noted either
    was_unknown = step.is_outcome_unknown
    if not now.operation.is_shadow:
        journal.note_attempt(now.held, step)
    try:
        return kind.act(now.hands, now.situation(step))
    except (OutcomeUnknown, CredentialsExpired) as unknown:
        if isinstance(unknown, CredentialsExpired):
            forget(now.operation.account)
        return Wait(timedelta(seconds=5), str(unknown), _noted(step, unknown_at=clock.now()))
    except AwsError as refusal:
        return _refused(now, step, refusal, was_unknown)


def _refused(now: Turn, step: Step, refusal: AwsError, was_unknown: bool) -> Wait:
    """A clear no: this call did nothing, though one before it may have."""
    step.is_outcome_unknown = was_unknown
    memory = {**_noted(step), "is_outcome_unknown": was_unknown}
    if isinstance(refusal, Throttled | Busy):
        return Wait(_backoff(step.attempts), str(refusal), memory)
    if isinstance(refusal, Gone) and _age(step) < NOT_VISIBLE:
        return Wait(_backoff(step.attempts), str(refusal), memory)
    if was_unknown and _since_unknown(step) < SETTLES:
        return Wait(timedelta(seconds=15), f"an earlier answer was lost; then: {refusal}", memory)
    raise Failed(_word_for(refusal), str(refusal))


def _word_for(refusal: AwsError) -> str:
    words: tuple[tuple[type[AwsError], str], ...] = (
        (CapacityUnavailable, "capacity"),
        (QuotaExceeded, "quota"),
        (Denied, "denied"),
        (Gone, "changed"),
    )
    return next((word for kind, word in words if isinstance(refusal, kind)), "refused")


def _look_again(now: Turn, step: Step, kind: StepKind, wait: Wait) -> None:
    if _age(step) + wait.after > kind.deadline:
        raise Failed("deadline", f"{kind.title}: not within {kind.deadline}; last seen: {wait.why}")
    memory = dict(wait.memory)
    fields: dict[str, Any] = {"error": wait.why, "is_outcome_unknown": step.is_outcome_unknown}
    if "is_outcome_unknown" in memory:
        fields["is_outcome_unknown"] = memory.pop("is_outcome_unknown")
    journal.note_look(now.held, step, due_at=clock.now() + wait.after, memory=memory, **fields)


def _withhold(now: Turn, step: Step, withheld: Withheld) -> None:
    """Shadow: what would have been called is kept, and all that would follow is left out."""
    note = {"withheld": withheld.verb, "request": withheld.request}
    journal.end_step(now.held, step, StepState.FAILED, result=note, error="shadow: the call was not made")


def _fail(now: Turn, step: Step, failed: Failed) -> None:
    if step.state == StepState.WAITING:
        journal.start_step(now.held, step, {})
    result = {"failure": failed.failure}
    fields = {"error": failed.reason, "is_outcome_unknown": step.is_outcome_unknown}
    journal.end_step(now.held, step, StepState.FAILED, result=result, **fields)


def _broken(now: Turn) -> Step | None:
    """A step that failed and that no alternative makes good."""
    for step in now.steps:
        if step.state != StepState.FAILED:
            continue
        others = [s.state for s in now.steps if s.kind == step.kind and s.pk != step.pk]
        is_hopeful = {StepState.DONE, StepState.WAITING, StepState.STARTED} & set(others)
        tries_on = (step.result or {}).get("failure") in {"capacity", "quarantined"}
        is_made_good = StepState.DONE in others or (tries_on and bool(is_hopeful))
        if not (now.kinds[step.kind].is_alternative and is_made_good):
            return step
    return None


def _give_up(now: Turn, broken: Step) -> None:
    """Back to where it began, or, where no way leads back, over to a person."""
    if _is_past_return(now):
        raise Unsafe(f"{now.kinds[broken.kind].title}: {broken.error}; the old instance is ended or may be")
    failure = (broken.result or {}).get("failure", "withheld")
    journal.move(now.held, OperationState.UNDOING, failure=failure, reason=broken.error)


def _is_past_return(now: Turn) -> bool:
    """Whether something irreversible was done, or was called for and may have been."""
    return any(
        now.kinds[step.kind].is_irreversible
        and (step.state == StepState.DONE or (step.state in {"started", "failed"} and step.is_outcome_unknown))
        for step in now.steps
    )


def _is_had(now: Turn, kind: str) -> bool:
    return any(step.kind == kind and step.state == StepState.DONE for step in now.steps)


# --- Back ---------------------------------------------------------------------------------------------------------
def _back(now: Turn) -> None:
    started = next((step for step in now.steps if step.state == StepState.STARTED), None)
    if started is not None:
        _settle(now, started)
        return
    index = next_to_undo([StepState(step.state) for step in now.steps])
    if index is None:
        _close(now, OperationState.UNDONE)
        return
    step = now.steps[index]
    if now.operation.is_shadow:
        journal.undo_step(now.held, step)  # nothing was done
        return
    if step.undo_started_at is None:
        journal.begin_undo(now.held, step)
    try:
        wait = now.kinds[step.kind].undo(now.hands, now.situation(step))
    except Gone as gone:
        wait = Wait(timedelta(seconds=10), str(gone))
    except LATER:
        raise
    except (AwsError, Failed) as failed:
        raise Unsafe(f"{now.kinds[step.kind].title} could not be taken back: {failed}") from failed
    if wait is None:
        journal.undo_step(now.held, step)
        return
    begun = step.undo_started_at or clock.now()
    if clock.now() - begun > UNDO_DEADLINE:
        raise Unsafe(f"{now.kinds[step.kind].title} could not be taken back within {UNDO_DEADLINE}: {wait.why}")
    journal.note_look(now.held, step, due_at=clock.now() + wait.after, error=wait.why)


def _settle(now: Turn, step: Step) -> None:
    """A step that was under way when it was decided to go back: what came of it?"""
    if now.kinds[step.kind].is_irreversible and step.is_outcome_unknown:
        raise Unsafe(f"{now.kinds[step.kind].title}: it was called for, and whether it happened is not known")
    try:
        seen = now.kinds[step.kind].observe(now.hands, now.situation(step))
    except Failed:
        seen = None
    if seen is None or isinstance(seen, Wait):
        journal.end_step(now.held, step, StepState.FAILED, error="given up before it was known to be done")
    else:
        journal.end_step(now.held, step, StepState.DONE, result=dict(seen))


# --- Ends ---------------------------------------------------------------------------------------------------------
def _close(now: Turn, then: OperationState) -> None:
    """End it, once nothing is left that nobody answers for."""
    operation = now.operation
    if not operation.is_shadow:
        keep = next((s.result or {} for s in now.steps if s.kind == "launch" and s.state == StepState.DONE), {})
        kept = str(keep.get("instance_id", "")) if then is OperationState.DONE else ""
        wait = closing.end_leftovers(now.hands, str(operation.pk), keep=kept)
        if wait is not None:
            journal.postpone(now.held, clock.now() + wait.after, reason=wait.why)
            return
    journal.close(now.held, then, followers=closing.followers(operation, now.steps, then))
    if then is OperationState.DONE and not operation.is_shadow:
        breaker.note_success(operation.account, now=clock.now())
    elif operation.failure in closing.COUNTED:
        _count_failure(operation, operation.reason)


# --- Time ---------------------------------------------------------------------------------------------------------
def _backoff(attempts: int) -> timedelta:
    return timedelta(seconds=min(60, 2 ** max(1, attempts)))


def _age(step: Step) -> timedelta:
    return clock.now() - step.started_at if step.started_at else timedelta()


def _since_unknown(step: Step) -> timedelta:
    at = step.memory.get("unknown_at")
    return clock.now() - datetime.fromisoformat(at) if at else timedelta()


def _noted(step: Step, *, unknown_at: datetime | None = None) -> dict[str, Any]:
    return {**step.memory, **({"unknown_at": unknown_at.isoformat()} if unknown_at else {})}


def _pool_of(step: Step) -> tuple[str, str] | None:
    pool = step.args.get("pool")
    return (pool[0], pool[1]) if pool else None
