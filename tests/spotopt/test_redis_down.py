"""With the cache and the queue gone, what still answers, answers the same; what cannot, says that Redis is down."""

import json

import pytest
from django.utils import timezone

from pipelines import linear
from pipelines.models import PipelineRun, RunState
from spotopt.celery import app
from tests.factories import a_browser, alice, an_account, northwind
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db
NOWHERE = "redis+socket:///nonexistent/redis?virtual_host=0"
PREDICT = "/api/v1/ml/predict/spot-interruption"
OPTIMIZE = "/api/v1/ml/decision/spot-optimize"


@pytest.fixture
def instance(db):
    now = timezone.now()
    a_scored_market(now=now)
    return a_plain_instance(an_account(northwind()), seen_at=now)


@pytest.fixture
def without_redis(settings, monkeypatch):
    settings.REDIS_CACHE_URL = "unix:///nonexistent/redis?db=0"
    monkeypatch.setitem(app.conf, "broker_url", NOWHERE)
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)


def decided(instance):
    run = linear.evaluate(instance, now=timezone.now())
    assert run.state == RunState.DONE, run.error
    return run.experiment


def test_an_instance_is_decided_as_with_redis(instance, request):
    before = decided(instance)
    request.getfixturevalue("without_redis")
    after = decided(instance)
    assert (after.decision, after.target_instance_type) == (before.decision, before.target_instance_type)
    assert after.expected_savings_usd_per_month == before.expected_savings_usd_per_month


def test_pages_and_lists_are_read(instance, without_redis):
    experiment = decided(instance)
    browser = a_browser(alice())
    for address in (
        "/",
        "/overview/needs/",
        "/overview/fleet/",
        "/instances/",
        "/experiments/",
        f"/instances/{instance.pk}/",
        f"/decisions/{experiment.pk}/",
        f"/runs/{experiment.run_id}/",
        "/api/v1/lab/instances",
        f"/api/v1/lab/experiments/{experiment.pk}",
        "/api/v1/ml/models/list",
    ):
        assert browser.get(address).status_code == 200, address


def test_predictions_and_engines_answer(instance, without_redis):
    browser = a_browser(alice())
    launch = {"instance_type": "m5.large", "region": "us-east-1", "az": "use1-az1"}
    answer = browser.post(PREDICT, json.dumps(launch), content_type="application/json")
    assert (answer.status_code, answer.json()["recommendation"]) == (200, "LAUNCH")
    wanted = {"request_id": "r", "requirements": [{"region": "us-east-1", "vcpus": 2, "memory_gib": 8}]}
    answer = browser.post(OPTIMIZE, json.dumps(wanted), content_type="application/json")
    assert answer.json()["recommendations"][0]["top_pools"]


@pytest.mark.django_db(transaction=True)
def test_the_console_says_that_it_cannot_queue_and_loses_no_request(instance, without_redis):
    browser = a_browser(alice())
    browser.raise_request_exception = False
    answer = browser.post(f"/instances/{instance.pk}/evaluate/")
    assert answer.status_code == 503
    waiting = PipelineRun.objects.get()
    assert waiting.state == RunState.QUEUED
    assert linear.evaluate(instance, now=timezone.now()) == waiting
    assert waiting.experiment.decision


def test_health_names_what_is_gone(instance, without_redis):
    answer = a_browser(alice()).get("/api/v1/ml/health")
    assert (answer.status_code, answer.json()["redis"], answer.json()["workers"]) == (503, "down", None)
