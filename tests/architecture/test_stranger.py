"""Does a stranger see nothing of Alice's, at any address, by any method, with any id of hers?

Every request is sent twice: while Alice's organization exists, and in a world in which it never did. Whoever does not
belong to it must get the same answers, to the byte: no row, no count, no order, no "exists already" may differ.
Times to answer are not compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
import redis
import time_machine
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import include, path

from accounts import audit
from accounts.models import AuditEntry, Invitation
from governance.models import OptimizationPolicy
from instances.models import Instance, InventorySync
from mlregistry.models import Assignment, ModelVersion, Prediction
from pipelines.models import EngineDecision
from spotopt import urls
from tests.architecture.addresses import METHODS, PARAMETER, Asked, Route, Unswept, requests, routes
from tests.factories import (
    NOW,
    a_browser,
    a_group,
    a_model,
    a_person,
    a_program,
    a_run,
    an_account,
    an_api_key,
    an_experiment,
    an_idempotency_key,
    an_instance,
    an_organization,
    charlie,
    southwind,
    zones_of,
)
from tests.mlregistry.a_market import a_registered_model

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

MARK = "wonderland"  # in every text of Alice's that a test can choose
OPEN_TO_ALL = {"sign-in/", "api/v1/", "api/v1/schema/", "api/v1/docs/", "healthz", "readyz"}
WITHOUT_WORKERS = "/api/v1/ml/health"  # is honestly 503 here: no worker runs
SIGN_IN = re.compile(r"/sign-in/|/admin/login/|/admin/$")
READING = ("GET", "HEAD", "OPTIONS")
REFUSED = {302, 308, 400, 401, 403, 404, 405, 409, 415, 422, 429}
# what differs between two answers to the same request, and says nothing
NOISE = (
    (re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), b"UUID"),
    (re.compile(rb'name="csrfmiddlewaretoken" value="\w+"|X-CSRFToken": "\w+"'), b"TOKEN"),
    (re.compile(rb"\b[0-9a-f]{32}\b"), b"REQUEST"),
    (re.compile(rb'"prediction_id": ?\d+'), b"NUMBER"),
    (re.compile(rb'"external_id": ?"spotopt-[^"]+"'), b"MADE"),
    (re.compile(rb'<svg class="qr".*?</svg>|<code id="secret">.*?</code>'), b"MADE"),
    (re.compile(rb'"ticket":"[^"]+"'), b"MADE"),
    (re.compile(rb'"(?:\w*_ms|uptime\w*)": ?[\d.]+'), b"TOOK"),
)

MADE = ((re.compile(rb'"id": ?\d+'), b"NUMBER"),)  # of what the stranger just made; sequences are shared
NOT_HERS = {"name", "card", "model_id"}  # no id of anybody's: a component's name, a card's, what all share


@dataclass(frozen=True)
class Alices:
    """What there is of Alice's: ids by (segment before, name) for paths, words for queries and bodies, and marks."""

    ids: dict[tuple[str, str], Any]
    words: dict[str, Any]
    marks: tuple[str, ...]


def shared_model() -> ModelVersion:
    """Of the installation, and active: a stranger reads it too, but not who uses it."""
    return ModelVersion.objects.filter(is_active=True).first() or a_registered_model(name="of-all")


def alices_world() -> Alices:
    """An organization with one of everything, each text marked."""
    organization = an_organization(f"{MARK} ltd")
    person = a_person(f"alice-{MARK}", organization=organization)
    person.set_unusable_password()  # the schema's examples hold the one that all test people share
    person.save()
    account = an_account(organization, name=f"{MARK} account", account_id="777700001111", regions=["sa-east-1"])
    zones_of(account, "sa-east-1", sa_east_1a="sae1-az1")
    group = a_group(account, name=f"{MARK} group")
    instance = an_instance(account, name=f"{MARK} web", region="sa-east-1", group=group, tags={MARK: MARK})
    run = a_run(instance, error=f"{MARK} error")
    experiment = an_experiment(instance, run=run, reason=f"{MARK} reason", receipt={MARK: MARK})
    decision = EngineDecision.objects.create(
        organization=organization,
        request_id=f"{MARK}-request",
        decision_type="spot_optimize",
        engine_name="spot_optimizer",
        engine_version="1",
        cluster_id=f"{MARK}-cluster",
        request={MARK: 1},
        response={MARK: 1},
        executed_at=NOW,
    )
    model = shared_model()
    assignment = Assignment.objects.create(
        organization=organization, account=account, instance=instance, model=model, kind="serving", assigned_at=NOW
    )
    Prediction.objects.create(
        organization=organization,
        model=model,
        prediction_type="spot_interruption",
        inputs={MARK: 1},
        output={MARK: 1},
        evidence="none",
        latency_ms=1.0,
    )
    key = an_api_key(organization, name=f"{MARK} key")
    audit.record(MARK, MARK, MARK, organization=organization)
    invitation = Invitation.objects.create(
        organization=organization, email=f"{MARK}@example.org", digest="0" * 64, expires_at=NOW + timedelta(days=7)
    )
    InventorySync.objects.create(account=account, requested_by=person, requested_at=NOW)
    overrides = {"infrastructure_tags": [MARK]}
    for of in (None, account):
        policy = OptimizationPolicy.objects.create(organization=organization, account=of, overrides=overrides)
        AuditEntry.objects.create(
            organization=organization,
            actor=MARK,
            deed="policy.changed",
            subject=f"optimization-policy/{policy.pk}",
            after=overrides,
        )
    an_idempotency_key(organization, key=MARK, body=MARK)  # every POST of the sweep is sent with her key once more
    ids = {
        ("instances", "pk"): instance.pk,
        ("instances", "instance_id"): instance.pk,
        ("models", "model_id"): model.pk,
        ("assignments", "assignment_id"): assignment.pk,
        ("runs", "pk"): run.pk,
        ("runs", "run_id"): run.pk,
        ("decisions", "pk"): experiment.pk,
        ("decisions", "execution_id"): decision.pk,
        ("experiments", "experiment_id"): experiment.pk,
        ("overview", "card"): "fleet",
        ("people", "pk"): person.memberships.get().pk,
        ("invitations", "pk"): invitation.pk,
        ("invitations", "text"): "a-guess",  # whoever holds the real one is meant to see whose it is
        ("keys", "pk"): organization.api_keys.get().pk,
        ("accounts", "pk"): account.pk,
        ("accounts", "account_pk"): account.pk,
        ("role", "form"): "cloudformation",
        ("components", "name"): "scoring",
        # the admin's
        ("organization", "object_id"): organization.pk,
        ("user", "object_id"): person.pk,
        ("user", "id"): person.pk,
        ("awsaccount", "object_id"): account.pk,
        ("instance", "object_id"): instance.pk,
        ("pipelinerun", "object_id"): run.pk,
        ("experimentlog", "object_id"): experiment.pk,
        ("enginedecision", "object_id"): decision.pk,
        ("", "object_id"): 1,
        ("", "content_type_id"): 1,
        ("", "app_label"): "accounts",
        ("", "url"): "nothing",
    }
    words = {
        "customer_id": str(organization.pk),
        "organization": str(organization.pk),
        "account": account.pk,
        "account_id": account.account_id,
        "instance": instance.pk,
        "instance_id": instance.instance_id,
        "cluster_id": decision.cluster_id,
        "experiment": str(experiment.pk),
        "run": str(run.pk),
        "q": MARK,
        "search": MARK,
        "region": "sa-east-1",
        "username": person.username,
        "next": f"/instances/{instance.pk}/",
    }
    marks = (MARK, account.account_id, account.external_id, instance.instance_id, key, "sae1-az1")
    return Alices(ids, words, (*marks, *(str(row.pk) for row in (organization, run, experiment, decision))))


def answer_to(asked: Asked, client: Callable[[], Client]) -> tuple[int, dict[str, str], bytes]:
    """Status, telling headers and body; whatever the request changed is taken back."""
    with transaction.atomic():
        data = asked.body if asked.media == "form" or asked.body is None else json.dumps(asked.body)
        media = {} if asked.media == "form" else {"content_type": asked.media}
        send = getattr(client(), asked.method.lower())
        extra = {"headers": {"Idempotency-Key": asked.key} if asked.key else {}}
        response = send(asked.address, **({} if data is None else {"data": data, **media}), **extra)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        transaction.set_rollback(True)
    for pattern, word in (*NOISE, *(MADE if response.status_code == 201 else ())):
        body = pattern.sub(word, body)
    told = {name: response.headers.get(name, "") for name in ("Location", "HX-Redirect", "Allow", "Content-Type")}
    if response.status_code == 201:
        told["Location"] = re.sub(r"\d+$", "NUMBER", told["Location"])
    return response.status_code, told, body


def answers(sweep: list[Asked], client: Callable[[], Client]) -> list[tuple[int, dict[str, str], bytes]]:
    with redis.Redis.from_url(settings.REDIS_CACHE_URL) as counters:
        counters.flushdb()  # tries to sign in are counted
    return [answer_to(asked, client) for asked in sweep]


def sweep_as(client: Callable[[], Client], wanted: list[Route]) -> set[bytes]:
    """Fails with every request whose answer depends on Alice; returns the bodies of those that were granted."""
    with time_machine.travel(NOW, tick=False):
        shared_model()
        with transaction.atomic():
            alice = alices_world()
            sweep = [asked for route in wanted for asked in requests(route, alice.ids, alice.words, MARK)]
            with_alice = answers(sweep, client)
            transaction.set_rollback(True)
        without = answers(sweep, client)
    told = [
        f"{asked}: {seen[0]} {seen[2][:300]!r} instead of {unseen[0]} {unseen[2][:300]!r}"
        for asked, seen, unseen in zip(sweep, with_alice, without, strict=True)
        if seen != unseen
    ]
    told += [
        f"{asked} shows {mark}: {seen[2][:300]!r}"
        for asked, seen in zip(sweep, with_alice, strict=True)
        for mark in alice.marks
        if mark.encode() in seen[2] and not any(mark in word for word in asked.told)
    ]
    broken = [
        f"{asked}: {seen[0]}"
        for asked, seen in zip(sweep, with_alice, strict=True)
        if seen[0] >= 500 and not asked.address.startswith(WITHOUT_WORKERS)
    ]
    assert not told + broken, "\n".join([*told, *broken][:20])
    return {body for status, _, body in with_alice if status == 200}


ADMIN, PAGES, API = "the admin", "the pages", "the API"
STRANGERS: dict[str, Callable[[], Client]] = {
    "a session": lambda: a_browser(charlie()),
    "a key": lambda: a_program(southwind()),
    "nobody": Client,
}


def unchanged(client: Client) -> Callable[[], Client]:
    """The client with the cookies it has now, each time: one of the requests signs out."""
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    client.raise_request_exception = False

    def again() -> Client:
        client.cookies = SimpleCookie(cookies)
        return client

    return again


def of(part: str) -> list[Route]:
    prefixes = {ADMIN: settings.ADMIN_PATH, API: "api/"}
    if part == PAGES:
        return [route for route in routes() if not route.template.startswith(tuple(prefixes.values()))]
    return [route for route in routes() if route.template.startswith(prefixes[part])]


@pytest.mark.parametrize("part", [API, PAGES])
@pytest.mark.parametrize("stranger", list(STRANGERS))
def test_to_a_stranger_it_is_as_if_alice_did_not_exist(stranger, part):
    an_experiment(an_instance(an_account(southwind(), name="southern")), model=a_model())
    granted = sweep_as(unchanged(STRANGERS[stranger]()), of(part))
    is_let_in = stranger == "a session" or (stranger == "a key" and part == API)
    assert any(b"southern" in body for body in granted) is is_let_in  # or refusing all would look like hiding hers


@pytest.mark.parametrize("stranger", list(STRANGERS))
def test_an_address_with_an_id_of_alices_and_all_of_the_admin_is_refused(stranger):
    client = unchanged(STRANGERS[stranger]())
    alice = alices_world()
    opened = []
    with_hers = [route for route in of(API) + of(PAGES) if set(PARAMETER.findall(route.template)) - NOT_HERS]
    for route in (*with_hers, *of(ADMIN)):
        for method in METHODS:
            asked = Asked(method, route.filled(alice.ids), None if method in READING else {})
            status, told, body = answer_to(asked, client)
            is_refused = status in REFUSED and (status != 302 or SIGN_IN.match(told["Location"]))
            if (not is_refused and method != "OPTIONS") or MARK.encode() in body:
                opened.append(f"{asked}: {status}")
    assert not opened


def test_nobody_gets_in_anywhere_but_where_everybody_may():
    """A route that is open to all must be said to be so here."""
    ids = alices_world().ids
    nobody = unchanged(Client())
    opened = {route.template for route in routes() if answer_to(Asked("GET", route.filled(ids)), nobody)[0] < 300}
    assert opened == OPEN_TO_ALL


# --- The sweep itself -----------------------------------------------------------------------------------------------
def leaky_list(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"names": list(Instance.objects.values_list("name", flat=True))})


def leaky_count(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"count": Instance.objects.count()})


def leaky_existence(request: HttpRequest, pk: int) -> JsonResponse:
    return JsonResponse({}, status=403 if Instance.objects.filter(pk=pk).exists() else 404)


urlpatterns = [
    path("", include(urls.urlpatterns)),
    path("leaks/list", leaky_list),
    path("leaks/count", leaky_count),
    path("instances/<int:pk>/leak", leaky_existence),
    path("gadgets/<int:pk>", leaky_existence),
]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("leak", ["leaks/list", "leaks/count", "instances/<int:pk>/leak"])
def test_the_sweep_finds_rows_counts_and_existence(leak):
    with pytest.raises(AssertionError, match=re.escape(leak.partition("<")[0])):
        sweep_as(unchanged(Client()), [route for route in routes() if route.template == leak])


@pytest.mark.urls(__name__)
def test_an_address_that_the_sweep_cannot_fill_fails_it():
    with pytest.raises(Unswept, match="gadgets"):
        sweep_as(unchanged(Client()), list(routes()))
