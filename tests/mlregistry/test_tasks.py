"""Scores follow the market by themselves, once, whichever worker is first."""

import pytest
from django.db import connections

from instances.locks import advisory_lock
from instances.models import FetchSource
from mlregistry import tasks
from mlregistry.models import PoolScore
from spotopt.celery import app
from tests import factories
from tests.factories import NOW
from tests.mlregistry.a_market import a_market

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon(time_machine, monkeypatch):
    time_machine.move_to(NOW, tick=False)
    monkeypatch.setitem(app.conf, "task_always_eager", True)


def test_a_region_with_news_is_scored():
    a_market()
    tasks.score_fresh_regions()
    assert PoolScore.objects.count() == 15


def test_a_region_without_news_is_left_alone(time_machine):
    a_market()
    time_machine.move_to(NOW.replace(minute=1), tick=False)
    tasks.score_fresh_regions()
    time_machine.move_to(NOW.replace(minute=2), tick=False)
    tasks.score_fresh_regions()
    assert PoolScore.objects.values_list("scored_at", flat=True).distinct().get() == NOW.replace(minute=1)
    factories.a_fetch(FetchSource.SPOT, "us-east-1", through=NOW.replace(minute=3))
    time_machine.move_to(NOW.replace(minute=4), tick=False)
    tasks.score_fresh_regions()
    assert PoolScore.objects.values_list("scored_at", flat=True).distinct().get() == NOW.replace(minute=4)


def test_the_same_task_twice_scores_once(django_assert_max_num_queries):
    a_market()
    tasks.score_region("us-east-1")
    with django_assert_max_num_queries(8):  # the lock, and the question whether it is due
        tasks.score_region("us-east-1")


@pytest.mark.django_db(transaction=True)
def test_while_another_worker_scores_a_region_nobody_else_does():
    a_market()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(7301, hashtext('score us-east-1'))")
            tasks.score_region("us-east-1")
            assert not PoolScore.objects.exists()
            cursor.execute("SELECT pg_advisory_unlock_all()")  # closing alone lets go a moment later
    finally:
        other.close()
    with advisory_lock("score us-east-1") as is_ours:
        assert is_ours
