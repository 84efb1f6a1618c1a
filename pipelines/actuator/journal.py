"""Who may do what next to an Operation? Open, lease, move, close: the only writer of the journal's rows.

Every move is a compare-and-set made under the Operation's row lock with the lease's fence, so that a worker whose
lease was taken over can write nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts import audit
from accounts.authentication import Caller
from accounts.models import AwsAccount, User
from governance import risk_manager
from pipelines.actuator import breaker, clock
from pipelines.domain.lifecycle import (
    CLOSED,
    DRIVEN,
    OperationState,
    StepState,
    check_operation_move,
    check_step_move,
)
from pipelines.domain.plan import Plan, token_of
from pipelines.models import Operation, PipelineRun, Step

LEASE = timedelta(seconds=30)  # longer than one call may take: AwsSession's timeouts and its limiter's wait
LEASED = tuple(sorted({*DRIVEN, OperationState.PAUSED}))  # a paused one is looked at, to see whether it may go on
FOLLOWERS = frozenset({"sweep_image", "sweep_instance"})
JOB = "the actuator"


class Refused(Exception):
    """The Operation, or its next launch, may not begin: `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TargetBusy(Refused):
    """Another Operation has the target in hand."""


class PoolClosed(Refused):
    """The pool is quarantined, or is none that we know."""


class BudgetSpent(Refused):
    """As many replacements are in flight as the policy allows."""


class LeaseLost(Exception):
    """Another worker owns the Operation now, or it has moved on: stop here and write nothing."""


@dataclass(frozen=True, slots=True)
class Lease:
    operation_id: Any
    fence: int


def open_operation(
    account: AwsAccount,
    plan: Plan,
    *,
    by: Caller | str,
    is_shadow: bool = True,
    most_in_flight: int = 1,
    run: PipelineRun | None = None,
    parent: Operation | None = None,
) -> Operation:
    """Write the plan down, PLANNED; its pools are asked for, and stay as they are until this is committed.

    Raises TargetBusy, PoolClosed, BudgetSpent (more than `most_in_flight` real ones of the account), Halted.
    """
    now = clock.now()
    try:
        with transaction.atomic():
            _hold_account(account, plan, is_shadow, most_in_flight)
            for pool in plan.pools[:1]:
                reserve(pool, now)
            operation = Operation.objects.create(
                organization_id=account.organization_id,
                account=account,
                region=plan.region,
                kind=plan.kind,
                target=plan.target,
                run=run,
                parent=parent,
                plan=plan.as_json(),
                is_shadow=is_shadow,
                opened_by=by.actor if isinstance(by, Caller) else by,
                opened_at=now,
                deadline_at=now + plan.longest,
            )
            Step.objects.bulk_create(
                Step(
                    operation=operation,
                    position=position,
                    kind=step.kind,
                    args={**step.args, **({"pool": list(step.pool)} if step.pool else {})},
                    token=token_of(operation.pk, position),
                )
                for position, step in enumerate(plan.steps)
            )
            _audit(by, operation, "operation.opened", None)
    except IntegrityError as error:
        if "one_open_operation_per_target" in str(error):
            raise TargetBusy(f"{plan.target} has an operation that is still open") from error
        raise
    return operation


def _hold_account(account: AwsAccount, plan: Plan, is_shadow: bool, most_in_flight: int) -> None:
    """Opens of one account come one after the other, so that two cannot both take the budget's last place."""
    AwsAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
    if is_shadow:
        return
    if not account.act_role_arn:
        raise Refused(f"account {account.account_id} has given no role to act with")
    if plan.kind in FOLLOWERS:
        return  # they give back what is there: no budget, and the breaker stops their calls
    breaker.check(account.pk)
    open_ones = Operation.objects.filter(account=account, is_shadow=False, kind=plan.kind).exclude(state__in=CLOSED)
    in_flight = open_ones.count()
    if in_flight >= most_in_flight:
        raise BudgetSpent(
            f"{in_flight} replacements are in flight in account {account.account_id}; most: {most_in_flight}"
        )


def reserve(pool: tuple[str, str], now: datetime) -> None:
    """Hold the pool as it is until this transaction ends. Raises PoolClosed.

    A quarantine locks the same rows to write: it comes before this, and is seen, or after the launch is reserved.
    """
    instance_type, zone_id = pool
    if not risk_manager.hold_pool(instance_type, zone_id):
        raise PoolClosed(f"{instance_type} in {zone_id} is no pool that we know")
    if risk_manager.is_pool_poisoned(instance_type, zone_id, now):
        raise PoolClosed(f"{instance_type} in {zone_id} is quarantined")


def ask_approval(operation: Operation) -> bool:
    """Let a person decide; False when it has moved meanwhile."""
    return _move_unleased(operation, OperationState.AWAITING_APPROVAL, by=JOB)


def begin(operation: Operation, *, by: Caller | str, approved_by: User | None = None) -> bool:
    """Hand it to the workers; False when it has moved meanwhile."""
    now = clock.now()
    return _move_unleased(operation, OperationState.RUNNING, by=by, due_at=now, approved_by=approved_by)


def withdraw(operation: Operation, *, by: Caller | str, reason: str) -> bool:
    """End what has not begun; False when it has moved meanwhile."""
    fields = {"ended_at": clock.now(), "reason": reason, "failure": "withdrawn"}
    return _move_unleased(operation, OperationState.UNDONE, by=by, **fields)


def resume(operation: Operation, *, by: Caller | str, reason: str) -> bool:
    """Let one that is stuck or paused go on where it was; False when it has moved meanwhile."""
    then = OperationState(operation.resumes_to)
    return _move_unleased(operation, then, by=by, due_at=clock.now(), resumes_to="", reason=reason)


def _move_unleased(operation: Operation, then: OperationState, *, by: Caller | str, **fields: Any) -> bool:
    before = OperationState(operation.state)
    check_operation_move(before, then)
    with transaction.atomic():
        rows = Operation.objects.filter(pk=operation.pk, state=before.value)
        if not rows.update(state=then.value, **fields):
            return False
        operation.refresh_from_db()
        _audit(by, operation, f"operation.{then.value}", before)
    return True


# --- Leases -------------------------------------------------------------------------------------------------------
def lease(operation_id: Any, *, holder: str) -> Lease | None:
    """Own the Operation for LEASE; None while another worker does, before it is due, or when it is not to be driven."""
    now = clock.now()
    with transaction.atomic():
        row = _due(now).select_for_update(of=("self",)).filter(pk=operation_id).first()
        if row is None:
            return None
        row.fence += 1
        row.lease_holder, row.lease_until = holder, now + LEASE
        row.save(update_fields=["fence", "lease_holder", "lease_until"])
    return Lease(row.pk, row.fence)


def renew(held: Lease) -> None:
    """Own it for LEASE from now, before a call. Raises LeaseLost: whoever has a newer fence goes on."""
    until = clock.now() + LEASE
    if not Operation.objects.filter(pk=held.operation_id, fence=held.fence).update(lease_until=until):
        raise LeaseLost(f"operation {held.operation_id}: fence {held.fence} is no longer the newest")


def release(held: Lease) -> None:
    """Give it back; harmless when it was lost."""
    Operation.objects.filter(pk=held.operation_id, fence=held.fence).update(lease_until=None)


@contextmanager
def fenced(held: Lease) -> Iterator[Operation]:
    """A transaction in which the Operation is locked and surely ours. Raises LeaseLost."""
    with transaction.atomic():
        rows = Operation.objects.select_for_update(of=("self",)).filter(pk=held.operation_id, fence=held.fence)
        row = rows.select_related("account").first()
        if row is None:
            raise LeaseLost(f"operation {held.operation_id}: fence {held.fence} is no longer the newest")
        yield row


def due(*, most: int) -> list[Any]:
    """The ids of Operations whose next look is due and that nobody holds, those that wait longest first."""
    return list(_due(clock.now()).order_by("due_at", "pk").values_list("pk", flat=True)[:most])


def is_due(operation_id: Any) -> bool:
    return _due(clock.now()).filter(pk=operation_id).exists()


def _due(now: datetime) -> QuerySet[Operation]:
    """A task that was delivered long ago, or twice, must not do before its time what waits for a due time."""
    is_free = Q(lease_until=None) | Q(lease_until__lte=now)
    return Operation.objects.filter(is_free, state__in=LEASED, due_at__lte=now)


# --- Moves under a lease ------------------------------------------------------------------------------------------
def start_step(held: Lease, step: Step, request: Mapping[str, Any], *, pool: tuple[str, str] | None = None) -> None:
    """Write the intention: what will be sent, and its token. Raises PoolClosed before anything is written."""
    now = clock.now()
    with fenced(held):
        if pool:
            reserve(pool, now)
        _move_step(step, StepState.STARTED, request=dict(request), started_at=now)


def note_attempt(held: Lease, step: Step) -> None:
    """A call is about to be made: until its answer is written down, its outcome is not known."""
    with fenced(held):
        fields = {"attempts": step.attempts + 1, "is_outcome_unknown": True}
        _set(step, fields)


def note_look(held: Lease, step: Step, *, due_at: datetime, **fields: Any) -> None:
    """What a look saw, and when the next one is due."""
    with fenced(held) as operation:
        _set(step, fields)
        Operation.objects.filter(pk=operation.pk).update(due_at=due_at)


def end_step(held: Lease, step: Step, state: StepState, **fields: Any) -> None:
    """DONE, FAILED or SKIPPED; the next step is due at once."""
    now = clock.now()
    with fenced(held) as operation:
        _move_step(step, state, ended_at=now, **fields)
        Operation.objects.filter(pk=operation.pk).update(due_at=now)


def begin_undo(held: Lease, step: Step) -> None:
    with fenced(held):
        _set(step, {"undo_started_at": clock.now()})


def undo_step(held: Lease, step: Step) -> None:
    """What the step did is taken back; the one before it is due at once."""
    now = clock.now()
    with fenced(held) as operation:
        _move_step(step, StepState.UNDONE, undone_at=now)
        Operation.objects.filter(pk=operation.pk).update(due_at=now)


def move(
    held: Lease, then: OperationState, *, reason: str = "", failure: str = "", due_at: datetime | None = None
) -> None:
    """Move the Operation. `due_at` None: at once while it goes on, never when it has ended or is stuck."""
    now = clock.now()
    with fenced(held) as operation:
        before = OperationState(operation.state)
        check_operation_move(before, then)
        operation.state = then.value
        if then in {OperationState.PAUSED, OperationState.STUCK}:
            operation.resumes_to = before.value
        elif then in DRIVEN:
            operation.resumes_to = ""
        operation.reason = reason or operation.reason
        operation.failure = failure or operation.failure
        operation.due_at = due_at or (now if then in DRIVEN else None)
        if then in CLOSED:
            operation.ended_at = now
        operation.save(update_fields=["state", "resumes_to", "reason", "failure", "due_at", "ended_at"])
        _audit(JOB, operation, f"operation.{then.value}", before)


def close(held: Lease, then: OperationState, *, followers: Sequence[tuple[Plan, timedelta]] = ()) -> None:
    """End it, and in the same transaction open what follows: nothing in between is without an open Operation."""
    with fenced(held) as operation:
        move(held, then)
        for plan, after in followers:
            opened = open_operation(operation.account, plan, by=JOB, is_shadow=operation.is_shadow, parent=operation)
            fields = {"due_at": opened.opened_at + after, "deadline_at": opened.opened_at + after + plan.longest}
            _move_unleased(opened, OperationState.RUNNING, by=JOB, **fields)


def postpone(held: Lease, due_at: datetime, *, reason: str = "") -> None:
    with fenced(held) as operation:
        operation.due_at, operation.reason = due_at, reason or operation.reason
        operation.save(update_fields=["due_at", "reason"])


def _move_step(step: Step, state: StepState, **fields: Any) -> None:
    """Raises LeaseLost when the row is no longer as it was read."""
    check_step_move(StepState(step.state), state)
    rows = Step.objects.filter(pk=step.pk, state=step.state)
    if not rows.update(state=state.value, **fields):
        raise LeaseLost(f"step {step.pk} is no longer {step.state}")
    step.state = state.value
    for name, value in fields.items():
        setattr(step, name, value)


def _set(step: Step, fields: Mapping[str, Any]) -> None:
    if fields and not Step.objects.filter(pk=step.pk, state=step.state).update(**fields):
        raise LeaseLost(f"step {step.pk} is no longer {step.state}")
    for name, value in fields.items():
        setattr(step, name, value)


def _audit(by: Caller | str, operation: Operation, deed: str, before: OperationState | None) -> None:
    audit.record(
        by,
        deed,
        operation,
        organization=operation.organization,
        before=None if before is None else {"state": before.value},
        after={"state": operation.state, "target": operation.target, "kind": operation.kind},
        reason=operation.reason,
    )
