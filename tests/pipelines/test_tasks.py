"""Do the hourly jobs queue each instance once, and is a message that comes twice harmless?"""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from governance.models import ComponentRun
from pipelines import tasks
from pipelines.models import ExperimentLog, PipelineRun, RunState
from pipelines.recording import ABANDONED
from tests.factories import an_account
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db


@pytest.fixture
def queued(monkeypatch):
    """The broker, as a list of run ids."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.evaluate_instance, "delay", ids.append)
    return ids


def test_every_present_instance_of_an_account_in_use_is_queued_once(queued):
    account = an_account()
    here = {a_plain_instance(account).pk, a_plain_instance(account).pk}
    a_plain_instance(account, vanished_at=timezone.now())
    a_plain_instance(an_account(is_active=False))
    tasks.evaluate_all()
    tasks.evaluate_all()  # the hour before was slow: the same runs are handed out again
    assert set(PipelineRun.objects.values_list("instance", flat=True)) == here
    assert len(queued) == 4
    assert len(set(queued)) == 2
    assert ComponentRun.objects.filter(task="evaluate_all", detail="2 instances queued").count() == 2


def test_a_message_that_comes_twice_decides_once(queued):
    now = timezone.now()
    a_scored_market(now=now)
    a_plain_instance(seen_at=now - timedelta(minutes=1))
    tasks.evaluate_all()
    for _ in range(2):
        tasks.evaluate_instance(queued[0])
    assert PipelineRun.objects.get().state == RunState.DONE
    assert ExperimentLog.objects.get().decision == "SWITCH"
    assert set(ComponentRun.objects.values_list("is_success", flat=True)) == {True}


def test_a_failed_evaluation_is_a_failed_run_of_the_component(queued):
    a_plain_instance(policy_overrides={"min_risk": 1})
    tasks.evaluate_all()
    tasks.evaluate_instance(queued[0])
    row = ComponentRun.objects.get(task="evaluate_instance")
    assert row.is_success is False
    assert "min_risk" in row.detail


def test_a_run_that_was_removed_meanwhile_is_left_alone():
    tasks.evaluate_instance("00000000-0000-0000-0000-000000000000")
    assert not ComponentRun.objects.exists()


def test_while_the_database_is_away_a_run_is_asked_for_again_once_its_worker_counts_as_lost(settings):
    task = tasks.evaluate_instance
    assert {OperationalError, InterfaceError} <= set(task.autoretry_for)
    visible_again = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]  # later, Redis hands it out twice
    assert ABANDONED.total_seconds() < task.default_retry_delay < visible_again
