"""Who may open, lease and move an Operation, and what a worker that woke too late can still do: nothing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction

from accounts.models import AuditEntry
from governance import risk_manager
from governance.domain.policy import Policy
from governance.domain.quarantine import Cause
from pipelines.actuator import breaker, clock, journal
from pipelines.actuator.journal import BudgetSpent, LeaseLost, PoolClosed, Refused, TargetBusy
from pipelines.domain.lifecycle import NotAllowed, OperationState, StepState
from pipelines.domain.plan import token_of
from pipelines.models import Operation, Step
from tests.factories import a_pool, an_account
from tests.pipelines.actuator.journals import a_launch_plan, a_plan, an_acting_account, an_operation, later

pytestmark = pytest.mark.django_db
SECONDS = timedelta(seconds=1)


def test_an_operation_is_written_down_with_its_steps_before_anything_is_done():
    operation = an_operation(begun=False)
    assert operation.state == OperationState.PLANNED
    (step,) = operation.steps.all()
    assert (step.kind, step.state, step.request) == ("make", "waiting", None)
    assert step.token == token_of(operation.pk, 0)
    assert len(step.token) == 64
    assert AuditEntry.objects.filter(deed="operation.opened", organization=operation.organization).exists()


def test_a_token_differs_by_operation_and_by_step():
    assert len({token_of(operation, step) for operation in ("a", "b") for step in (0, 1)}) == 4


def test_a_target_has_one_open_operation():
    account = an_acting_account()
    first = an_operation(account, most_in_flight=9, begun=False)
    with pytest.raises(TargetBusy, match="i-0old"):
        an_operation(account, most_in_flight=9)
    journal.withdraw(first, by="a test", reason="changed my mind")
    an_operation(account, most_in_flight=9)


def test_the_database_itself_refuses_a_second_open_operation():
    first = an_operation()
    with pytest.raises(IntegrityError), transaction.atomic():
        Operation.objects.create(
            **{
                field: getattr(first, field)
                for field in ("organization", "account", "region", "kind", "target", "plan", "opened_at", "deadline_at")
            }
        )


def test_a_stuck_operation_still_holds_its_target():
    account = an_acting_account()
    operation = an_operation(account)
    held = journal.lease(operation.pk, holder="one")
    journal.move(held, OperationState.STUCK, reason="i-0new is left running")
    with pytest.raises(TargetBusy):
        an_operation(account, most_in_flight=9)


def test_no_more_are_in_flight_than_the_budget_allows():
    account = an_acting_account()
    an_operation(account)
    with pytest.raises(BudgetSpent, match="1 replacements are in flight"):
        an_operation(account, a_plan(target="instance/i-0other"))
    an_operation(account, a_plan(target="instance/i-0other"), most_in_flight=2)


def test_a_shadow_operation_spends_no_budget_and_needs_no_role():
    account = an_account()
    an_operation(account, is_shadow=True)
    an_operation(account, a_plan(target="instance/i-0other"), is_shadow=True)
    with pytest.raises(Refused, match="no role to act with"):
        an_operation(account, a_plan(target="instance/i-0third"))


def test_nothing_is_opened_under_a_kill_switch():
    account = an_acting_account()
    breaker.kill(None, by="a test", reason="an outage", now=clock.now())
    with pytest.raises(breaker.Halted, match="in every account is on: an outage"):
        an_operation(account)
    breaker.revive(None, by="a test", reason="over", now=clock.now())
    an_operation(account)


# --- Quarantine ---------------------------------------------------------------------------------------------------
def close_pool(zone_id="use1-az1"):
    risk_manager.quarantine(
        "m5.large",
        zone_id,
        cause=Cause.INTERRUPTION,
        event_at=clock.now(),
        policy=Policy(),
        by="a test",
        reason="interrupted",
    )


def test_no_launch_is_reserved_in_a_quarantined_pool():
    plan = a_launch_plan()
    close_pool()
    with pytest.raises(PoolClosed, match=r"m5\.large in use1-az1 is quarantined"):
        an_operation(plan=plan)
    assert not Operation.objects.exists()


def test_no_launch_is_reserved_in_a_pool_nobody_knows():
    plan = a_plan(*a_launch_plan().steps)
    a_pool("m5.large", "use1-az1").delete()
    with pytest.raises(PoolClosed, match="no pool that we know"):
        an_operation(plan=plan)


def test_a_pool_that_was_closed_after_opening_is_seen_when_its_step_starts():
    operation = an_operation(plan=a_launch_plan())
    held = journal.lease(operation.pk, holder="one")
    close_pool()
    step = operation.steps.get()
    with pytest.raises(PoolClosed):
        journal.start_step(held, step, {"x": 1}, pool=("m5.large", "use1-az1"))
    assert Step.objects.get(pk=step.pk).state == "waiting"


@pytest.mark.django_db(transaction=True)
def test_a_quarantine_waits_for_the_launch_that_is_being_reserved_and_then_closes_the_pool():
    a_pool("m5.large", "use1-az1")
    ended = threading.Event()

    def quarantine():
        close_pool()
        ended.set()
        connections.close_all()

    with transaction.atomic():
        journal.reserve(("m5.large", "use1-az1"), clock.now())
        thread = threading.Thread(target=quarantine)
        thread.start()
        assert not ended.wait(0.3)  # it stands behind the launch
    thread.join()
    assert ended.is_set()
    with pytest.raises(PoolClosed), transaction.atomic():
        journal.reserve(("m5.large", "use1-az1"), clock.now())


# --- Leases -------------------------------------------------------------------------------------------------------
def test_one_worker_has_the_lease_until_it_runs_out():
    operation = an_operation()
    first = journal.lease(operation.pk, holder="one")
    assert journal.lease(operation.pk, holder="two") is None
    with later(29 * SECONDS):
        assert journal.lease(operation.pk, holder="two") is None
    with later(31 * SECONDS):
        second = journal.lease(operation.pk, holder="two")
    assert second.fence > first.fence


def test_a_lease_that_is_renewed_in_time_is_kept():
    operation = an_operation()
    held = journal.lease(operation.pk, holder="one")
    with later(20 * SECONDS):
        journal.renew(held)
    with later(45 * SECONDS):
        assert journal.lease(operation.pk, holder="two") is None


def test_a_lease_that_is_given_back_is_free_at_once():
    operation = an_operation()
    journal.release(journal.lease(operation.pk, holder="one"))
    assert journal.lease(operation.pk, holder="two") is not None


@pytest.mark.parametrize("state", ["planned", "awaiting_approval", "done", "undone", "stuck"])
def test_what_is_not_to_be_driven_is_leased_to_nobody(state):
    operation = an_operation(begun=False)
    ended = {"ended_at": clock.now()} if state in {"done", "undone"} else {}
    Operation.objects.filter(pk=operation.pk).update(state=state, **ended)
    assert journal.lease(operation.pk, holder="one") is None


def overtaken():
    """(the lease that ran out, the one that took over, the step both know)"""
    operation = an_operation()
    step = operation.steps.get()
    old = journal.lease(operation.pk, holder="one")
    journal.start_step(old, step, {})
    with later(31 * SECONDS):
        return old, journal.lease(operation.pk, holder="two"), step


@pytest.mark.parametrize(
    "deed",
    [
        lambda held, step: journal.renew(held),
        lambda held, step: journal.note_attempt(held, step),
        lambda held, step: journal.note_look(held, step, due_at=clock.now(), error="late"),
        lambda held, step: journal.end_step(held, step, StepState.DONE, result={}),
        lambda held, step: journal.move(held, OperationState.UNDOING),
        lambda held, step: journal.close(held, OperationState.DONE),
        lambda held, step: journal.postpone(held, clock.now(), reason="late"),
    ],
)
def test_a_worker_that_woke_too_late_writes_nothing(deed):
    old, new, step = overtaken()
    rows = list(Operation.objects.values()), list(Step.objects.values())
    with pytest.raises(LeaseLost):
        deed(old, step)
    assert (list(Operation.objects.values()), list(Step.objects.values())) == rows
    journal.renew(new)


def test_giving_back_a_lost_lease_takes_it_from_nobody():
    old, new, _ = overtaken()
    journal.release(old)
    with later(32 * SECONDS):
        assert journal.lease(new.operation_id, holder="three") is None


# --- Moves --------------------------------------------------------------------------------------------------------
def test_the_intention_is_written_with_what_will_be_sent():
    operation = an_operation()
    held = journal.lease(operation.pk, holder="one")
    journal.start_step(held, operation.steps.get(), {"Name": "spotopt-1"})
    step = operation.steps.get()
    assert (step.state, step.request) == ("started", {"Name": "spotopt-1"})
    assert step.started_at is not None


def test_a_step_that_another_worker_moved_first_is_not_moved_again():
    operation = an_operation()
    held = journal.lease(operation.pk, holder="one")
    stale, step = operation.steps.get(), operation.steps.get()
    journal.start_step(held, step, {})
    with pytest.raises(LeaseLost, match="no longer waiting"):
        journal.start_step(held, stale, {})


def test_the_database_refuses_a_step_under_way_without_its_intention():
    step = an_operation().steps.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Step.objects.filter(pk=step.pk).update(state="started")


def test_a_move_the_lifecycle_does_not_know_is_refused():
    operation = an_operation()
    held = journal.lease(operation.pk, holder="one")
    with pytest.raises(NotAllowed, match="running cannot become undone"):
        journal.move(held, OperationState.UNDONE)


def test_one_that_is_paused_remembers_where_it_was_and_one_that_is_stuck_goes_on_by_a_persons_word():
    operation = an_operation()
    held = journal.lease(operation.pk, holder="one")
    journal.move(held, OperationState.UNDOING)
    journal.move(held, OperationState.STUCK, reason="look at i-0new")
    operation.refresh_from_db()
    assert (operation.resumes_to, operation.reason) == ("undoing", "look at i-0new")
    assert journal.resume(operation, by="a test", reason="ended it by hand")
    operation.refresh_from_db()
    assert operation.state == "undoing"


def test_what_follows_is_open_before_the_operation_is_closed():
    operation = an_operation()
    held = journal.lease(operation.pk, holder="one")
    plan = a_plan(kind="sweep_image", target="image/ami-1")
    journal.close(held, OperationState.DONE, followers=[(plan, timedelta(days=7))])
    (follower,) = operation.followers.all()
    assert follower.state == "running"
    assert follower.due_at - follower.opened_at == timedelta(days=7)
    operation.refresh_from_db()
    assert operation.state == "done"
    assert operation.ended_at is not None


def test_due_are_those_whose_time_has_come_and_that_nobody_holds_the_longest_waiting_first():
    account = an_acting_account()
    waiting, held, later_on, stuck = (
        an_operation(account, a_plan(target=f"instance/i-{n}"), most_in_flight=9) for n in range(4)
    )
    now = clock.now()
    Operation.objects.filter(pk=later_on.pk).update(due_at=now + 60 * SECONDS)
    journal.lease(held.pk, holder="one")
    journal.move(journal.lease(stuck.pk, holder="one"), OperationState.STUCK)
    assert journal.due(most=10) == [waiting.pk]
    with later(61 * SECONDS):
        assert journal.due(most=10) == [waiting.pk, held.pk, later_on.pk]
        assert journal.due(most=1) == [waiting.pk]
