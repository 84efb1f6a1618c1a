"""Does the API refuse in one and the same form, whatever goes wrong?"""

import json
from collections.abc import Iterator

import psycopg.errors
import pytest
import redis
import time_machine
from django.db import OperationalError
from django.test import Client
from django.urls import include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import keys
from accounts.authentication import requires
from accounts.domain import Role, Scope
from accounts.refusals import Conflict, Unusable
from accounts.wire import Strict
from spotopt import problems, urls
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Inner(Strict):
    region = serializers.CharField()


class Body(Strict):
    count = serializers.IntegerField()
    inputs = Inner(many=True, required=False)


class Probe(APIView):
    """Fails as the test says, or takes a body."""

    permission_classes = (requires(scope=Scope.READ, role=Role.VIEWER),)
    error: Exception | None = None

    def get(self, request: Request) -> Response:
        if Probe.error:
            raise Probe.error
        return Response({})

    def post(self, request: Request) -> Response:
        body = Body(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


urlpatterns = [path("api/v1/probe", Probe.as_view()), path("", include(urls.urlpatterns))]
handler400, handler403 = problems.page_bad, problems.page_denied
handler404, handler500 = problems.page_not_found, problems.page_failed


@pytest.fixture
def program() -> Iterator[Client]:
    _, text = keys.issue(factories.northwind(), "tests", [Scope.READ], by=None)
    yield Client(headers={"Authorization": f"Api-Key {text}"}, raise_request_exception=False)
    Probe.error = None


def refused(response, status: int) -> dict:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    body = json.loads(response.content)
    assert body["status"] == status
    assert body["type"]
    assert body["title"]
    return body


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("address", ["/api/v1/nothing", "/api/", "/api/v2/lab/instances", "/api/v1/lab/../x"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_of_the_api_is_a_problem_and_no_page(client, settings, debug, address, method):
    settings.DEBUG = debug
    body = refused(getattr(client, method)(address), 404)
    assert body["detail"] == problems.NOTHING_HERE


def test_an_unknown_address_elsewhere_is_a_page(client):
    response = client.get("/nothing")
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_a_slash_too_many_is_forgiven_with_method_and_query_kept(client):
    response = client.post("/api/v1/probe/?limit=3")
    assert response.status_code == 308
    assert response.headers["Location"] == "/api/v1/probe?limit=3"


def test_nobody_gets_a_401_that_says_how_to_identify_oneself(client):
    response = client.get("/api/v1/probe")
    refused(response, 401)
    assert response.headers["WWW-Authenticate"] == "Api-Key"


def test_a_method_that_is_not_there_is_a_405(program):
    refused(program.delete("/api/v1/probe"), 405)


@pytest.mark.parametrize("body", ["{", '{"count": NaN}', "\x00", '{"a":' * 100_000])
def test_what_is_no_json_is_a_400(program, body):
    refused(program.post("/api/v1/probe", body, content_type="application/json"), 400)


def test_another_media_type_is_a_415(program):
    refused(program.post("/api/v1/probe", "count=1", content_type="application/x-www-form-urlencoded"), 415)


def test_a_body_beyond_the_limit_is_a_413(program, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    big = json.dumps({"count": 1, "inputs": [{"region": "x" * 1000}]})
    refused(program.post("/api/v1/probe", big, content_type="application/json"), 413)


def test_unknown_and_bad_fields_are_pointed_at_together(program):
    given = {"count": "many", "cuont": 1, "inputs": [{"region": "a"}, {"regionn": "b", "region": "b"}]}
    response = program.post("/api/v1/probe", json.dumps(given), content_type="application/json")
    errors = {error["pointer"]: error["detail"] for error in refused(response, 422)["errors"]}
    assert errors == {
        "#/count": "A valid integer is required.",
        "#/cuont": "There is no such field.",
        "#/inputs/1/regionn": "There is no such field.",
    }


@pytest.mark.parametrize("body", ["[]", '"text"', "3", "null"])
def test_a_body_that_is_no_object_is_refused(program, body):
    refused(program.post("/api/v1/probe", body, content_type="application/json"), 422)


def test_a_conflict_names_the_state_that_stands_in_the_way(program):
    Probe.error = Conflict("It is gone.", state="vanished")
    body = refused(program.get("/api/v1/probe"), 409)
    assert (body["detail"], body["state"]) == ("It is gone.", "vanished")


def test_the_unusable_says_what_to_change(program):
    Probe.error = Unusable(errors=[{"pointer": "?b", "detail": "Name another."}])
    assert refused(program.get("/api/v1/probe"), 422)["errors"] == [{"pointer": "?b", "detail": "Name another."}]


def test_a_failure_of_ours_shows_no_trace_and_is_logged(program, caplog):
    Probe.error = RuntimeError("the secret of the house")
    response = program.get("/api/v1/probe")
    refused(response, 500)
    assert b"secret" not in response.content
    assert b"Traceback" not in response.content
    assert "the secret of the house" in caplog.text


@pytest.mark.parametrize(
    "error, dependency",
    [
        (OperationalError("connection refused"), "PostgreSQL"),
        (redis.ConnectionError("refused"), "Redis"),
        (redis.TimeoutError("slow"), "Redis"),
    ],
)
def test_a_dependency_that_is_down_is_named(program, error, dependency):
    Probe.error = error
    response = program.get("/api/v1/probe")
    assert refused(response, 503)["dependency"] == dependency
    assert response.headers["Retry-After"]


def test_a_statement_that_took_too_long_is_not_told_as_a_dead_database(program):
    Probe.error = OperationalError("canceled")
    Probe.error.__cause__ = psycopg.errors.QueryCanceled()
    assert refused(program.get("/api/v1/probe"), 503)["dependency"] == "PostgreSQL (busy)"


def test_too_many_requests_say_when_to_come_back(program, settings):
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] | {"caller": "3/min"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    with time_machine.travel(factories.NOW, tick=False):  # all in one window
        answers = [program.get("/api/v1/probe") for _ in range(7)]
    refused(answers[-1], 429)
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[0].status_code == 200


def test_without_redis_reading_goes_on_uncounted(program, settings):
    settings.REDIS_CACHE_URL = "unix:///nonexistent/redis?db=0"
    assert program.get("/api/v1/probe").status_code == 200


def test_without_a_database_the_api_says_so_and_a_page_does_too(program, settings, monkeypatch):
    from django.db.backends.postgresql.base import DatabaseWrapper

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(DatabaseWrapper, "_cursor", refuse)
        api = program.get("/api/v1/probe")
        page = Client(raise_request_exception=False)
        page.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32
        shown = page.get("/sign-in/")
        readiness = page.get("/readyz")
    assert refused(api, 503)["dependency"] == "PostgreSQL"
    assert shown.status_code == 503
    assert (readiness.status_code, readiness.json()["database"]) == (503, "down")


def test_alive_and_ready_answer_for_the_supervisor(client, settings, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok", "database": "ok", "redis": "ok"}
    settings.REDIS_CACHE_URL = "unix:///nonexistent/redis?db=0"
    response = client.get("/readyz")
    assert (response.status_code, response.json()["redis"]) == (503, "down")
