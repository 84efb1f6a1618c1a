"""The queue is a hint, the journal the truth: what the tasks hand out, and that a second delivery does nothing."""

from __future__ import annotations

import pytest
from celery import current_app

from pipelines import tasks
from pipelines.actuator import clock, journal
from pipelines.models import Operation
from spotopt.celery import app
from tests.factories import an_account
from tests.pipelines.actuator.journals import a_plan, an_acting_account, an_operation


@pytest.fixture
def queued(monkeypatch):
    """What was put on the queue, by task."""
    sent = []
    for name in ("drive_operation", "reconcile_region"):
        task = current_app.tasks[f"pipelines.tasks.{name}"]
        monkeypatch.setattr(task, "delay", lambda *args, name=name: sent.append((name, *args)))
    return sent


@pytest.mark.django_db
def test_every_operation_that_is_due_is_handed_out_and_no_other(queued):
    account = an_acting_account()
    due = an_operation(account)
    an_operation(account, a_plan(target="instance/i-0planned"), begun=False, most_in_flight=9)
    held = an_operation(account, a_plan(target="instance/i-0held"), most_in_flight=9)
    journal.lease(held.pk, holder="somebody")
    tasks.drive_due.run()
    assert queued == [("drive_operation", str(due.pk))]


@pytest.mark.django_db
def test_a_second_delivery_while_a_worker_is_at_it_does_nothing(queued):
    operation = an_operation()
    journal.lease(operation.pk, holder="somebody")
    before = Operation.objects.values().get(pk=operation.pk)
    tasks.drive_operation.run(str(operation.pk))
    assert Operation.objects.values().get(pk=operation.pk) == before
    assert queued == []


@pytest.mark.django_db
def test_a_delivery_for_an_operation_that_is_gone_does_nothing(queued):
    tasks.drive_operation.run("6f0b9a50-0f35-4b5c-9a0c-6f6d3c1d2e3f")
    assert queued == []


@pytest.mark.django_db
def test_each_region_of_each_account_that_lets_us_act_is_swept_and_what_was_lost_is_woken(queued):
    account = an_acting_account(regions=["us-east-1", "eu-west-3"])
    an_account()
    lost = an_operation(account)
    Operation.objects.filter(pk=lost.pk).update(due_at=None)
    tasks.reconcile_all.run()
    assert queued == [("reconcile_region", account.pk, region) for region in ("us-east-1", "eu-west-3")]
    lost.refresh_from_db()
    assert lost.due_at <= clock.now()


def test_acting_has_a_queue_of_its_own():
    names = ("drive_due", "drive_operation", "reconcile_all", "reconcile_region")
    queues = {app.amqp.router.route({}, f"pipelines.tasks.{name}")["queue"].name for name in names}
    assert queues == {"act"}
