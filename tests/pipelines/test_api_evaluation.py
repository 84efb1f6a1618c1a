"""Lab 10: does a request queue one run, once, by those who may, and only on one's own?"""

import base64
import json

import pytest
from django.test import Client

from accounts.domain import Role, Scope
from accounts.models import AuditEntry
from pipelines.models import PipelineRun
from spotopt.celery import app
from tests.factories import (
    NOW,
    a_browser,
    a_person,
    a_program,
    an_instance,
    bob,
    charlie,
    northwind,
)

pytestmark = pytest.mark.django_db


def address(instance) -> str:
    return f"/api/v1/lab/instances/{instance.pk}/evaluate"


def evaluated(client: Client, instance, body=None, **extra):
    return client.post(address(instance), body or {}, content_type="application/json", **extra)


def queued() -> list[str]:
    """The ids of runs that wait in the broker's queue."""
    with app.connection_for_read() as connection:
        messages = [json.loads(raw) for raw in connection.default_channel.client.lrange("decide", 0, -1)]
    return [json.loads(base64.b64decode(message["body"]))[0][0] for message in messages]


@pytest.fixture
def operator() -> Client:
    return a_browser(a_person("olga", organization=northwind(), role=Role.OPERATOR))


def test_an_operator_gets_a_queued_run_and_where_to_follow_it(operator):
    instance = an_instance()
    response = evaluated(operator, instance)
    run = PipelineRun.objects.get()
    assert response.status_code == 202
    assert response.headers["Location"] == f"http://testserver/api/v1/lab/runs/{run.pk}"
    assert (response.json()["id"], response.json()["state"]) == (str(run.pk), "queued")
    assert (run.trigger, run.requested_by.username) == ("person", "olga")
    assert queued() == [str(run.pk)]


def test_a_second_request_joins_the_open_run(operator):
    instance = an_instance()
    first, second = (evaluated(operator, instance).json()["id"] for _ in range(2))
    assert first == second
    assert PipelineRun.objects.count() == 1


def test_the_request_is_in_the_audit_log_with_the_id_our_proxy_gave_it(settings):
    settings.PROXIES = 1
    instance = an_instance()
    program = a_program(northwind(), Scope.DECIDE, name="core")
    evaluated(program, instance, headers={"X-Request-Id": "request-0001"})
    entry = AuditEntry.objects.get(deed="instance.evaluation_requested")
    assert (entry.organization, entry.actor, entry.request_id) == (northwind(), "key core", "request-0001")
    assert entry.subject == f"instance/{instance.pk}"


@pytest.mark.parametrize(
    "caller, status",
    [
        (lambda: a_browser(bob()), 403),  # a viewer
        (lambda: a_program(northwind(), Scope.READ, Scope.PREDICT), 403),
        (lambda: a_program(northwind(), Scope.DECIDE), 202),
        (lambda: a_browser(charlie()), 404),
        (lambda: Client(), 401),
    ],
)
def test_who_may_evaluate(caller, status):
    instance = an_instance()
    assert evaluated(caller(), instance).status_code == status
    assert PipelineRun.objects.exists() is (status == 202)


def test_what_vanished_is_not_evaluated(operator):
    response = evaluated(operator, an_instance(vanished_at=NOW))
    assert (response.status_code, response.json()["state"]) == (409, "vanished")
    assert not PipelineRun.objects.exists()


def test_a_field_that_does_not_exist_is_refused_before_anything_is_queued(operator):
    response = evaluated(operator, an_instance(), {"wait": True})
    assert response.json()["errors"] == [{"pointer": "#/wait", "detail": "There is no such field."}]
    assert not PipelineRun.objects.exists()


def test_without_a_broker_the_answer_names_redis_and_the_run_waits_for_the_next_try(operator, monkeypatch):
    instance = an_instance()
    with monkeypatch.context() as patch:
        patch.setitem(app.conf, "broker_url", "redis+socket:///nonexistent/redis?virtual_host=0")
        patch.setattr(app, "_pool", None)
        patch.setattr(app.amqp, "_producer_pool", None)
        response = evaluated(operator, instance)
    assert (response.status_code, response.json()["dependency"]) == (503, "Redis")
    assert evaluated(operator, instance).status_code == 202
    assert PipelineRun.objects.count() == 1
