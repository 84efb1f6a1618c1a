"""What does each page cost? Few questions to the database however many rows there are, and few bytes to begin with.

Every route that is a page is opened, in an organization with one of everything and in one with many: a page that asks
once for each row asks more in the second. A new page is in the sweep by itself.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.domain import Role
from accounts.models import Invitation, Organization
from governance.models import ComponentRun
from instances.models import InventorySync
from mlregistry.models import Assignment
from pipelines import linear
from pipelines.models import SavingsDaily
from tests.architecture.addresses import Route, routes
from tests.factories import (
    NOW,
    a_browser,
    a_model,
    a_person,
    a_pool,
    a_rating,
    a_run,
    an_account,
    an_api_key,
    an_experiment,
    an_instance,
    an_on_demand_price,
    an_organization,
    prices_for,
)
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

MOST_QUERIES = 12
MOST_BYTES = 250_000  # HTML, styles and scripts together, as they are: not compressed
FEW, MANY = 2, 60  # a page of a list holds 50
# what is no page: deeds that answer no GET, files, probes, and what is drawn from no row of ours
NO_PAGES = {
    "sign-out/",
    "work-in/",
    "accounts/<int:pk>/role/<slug:form>/",
    "healthz",
    "readyz",
    "metrics",  # for a program that scrapes, not for people
}
ASSET = re.compile(r'(?:src|href)="(/static/[^"]+)"')


def pages() -> list[Route]:
    """Every route of the product that a browser may open."""
    ours = [r for r in routes() if not r.template.startswith(("api/", settings.ADMIN_PATH))]
    return [route for route in ours if route.template not in NO_PAGES]


def a_world(name: str, count: int) -> tuple[Organization, dict[tuple[str, str], Any]]:
    """An organization with `count` of everything that a page lists, and the ids that fill its addresses."""
    organization = an_organization(name)
    models = [a_model(f"{name}-{n}", is_experimental=True) for n in range(count)]
    for n in range(count):
        account = an_account(organization, name=f"{name} {n}", synced_at=NOW, is_valid=n % 2 == 0)
        person = a_person(organization=organization, role=Role.VIEWER)
        InventorySync.objects.create(account=account, requested_by=person, requested_at=NOW)
        instance = an_instance(account, seen_at=NOW, is_spot=n % 2 == 0, instance_type=f"m7.{name}{n}xlarge")
        for model in models[:2]:
            experiment = an_experiment(instance, model=model, decision="SWITCH" if n % 3 else "STAY")
        assignment = Assignment.objects.create(
            organization=organization,
            account=account,
            instance=instance,
            model=models[0],
            kind="shadow",
            assigned_at=NOW,
        )
        run = a_run(instance, steps=[f"step {k}" for k in range(9)])
        pool = a_pool(instance.instance_type)
        prices_for(pool, [(5, "0.04"), (1, "0.05")])
        an_on_demand_price(instance.instance_type, "0.2", effective_at=NOW - timedelta(days=n + 1))
        a_rating(instance.instance_type, n % 5, 50, region=f"eu-west-{n % 17 + 10}")
        an_api_key(organization, name=f"{name} key {n}")
        audit.record("a test", "a.deed", instance, organization=organization, after={"n": n})
        ComponentRun.objects.create(
            component="inventory", task="sync_account", subject=str(account.pk), started_at=NOW, is_success=n % 2 == 0
        )
        SavingsDaily.objects.create(
            organization=organization,
            day=(NOW - timedelta(days=n)).date(),
            noted_at=NOW,
            instances=1,
            unpriced=0,
            usd_per_month=9,
            switches=1,
            savings_usd_per_month=3,
        )
        invitation = Invitation.objects.create(
            organization=organization,
            email=f"{n}@x.org",
            digest=f"{name}{n}".rjust(64, "0"),
            expires_at=NOW + timedelta(9),
        )
    decided = a_plain_instance(account, seen_at=NOW)
    experiment = linear.evaluate(decided, now=NOW).experiment  # a receipt is read whole: it must be a real one
    return organization, {
        ("instances", "pk"): instance.pk,
        ("runs", "pk"): run.pk,
        ("decisions", "pk"): experiment.pk,
        ("accounts", "pk"): account.pk,
        ("people", "pk"): person.memberships.get().pk,
        ("invitations", "pk"): invitation.pk,
        ("invitations", "text"): "a-guess",
        ("keys", "pk"): organization.api_keys.values_list("pk", flat=True)[0],
        ("overview", "card"): "fleet",
        ("models", "model_id"): models[0].pk,
        ("assignments", "assignment_id"): assignment.pk,
        ("models", "a"): models[0].pk,
        ("models", "b"): models[1].pk,
    }


def addresses(route: Route, ids: dict[tuple[str, str], Any]) -> list[str]:
    """The route's own, and where it shows more than one thing each of them."""
    if route.template == "overview/<slug:card>/":
        return [f"/overview/{card}/" for card in ("needs", "savings", "fleet", "history")]
    if route.template == "experiments/compare/":
        return ["/experiments/compare/", f"/experiments/compare/?a={ids['models', 'a']}&b={ids['models', 'b']}"]
    return [route.filled(ids)]


def asked(client: Client, address: str) -> tuple[int, int, list[str]]:
    """The status, how many questions were asked, and which."""
    with CaptureQueriesContext(
        connection,
    ) as found:
        answer = client.get(address)
    return answer.status_code, len(found), [query["sql"] for query in found.captured_queries]


def test_a_page_asks_few_questions_and_no_more_when_there_is_more():
    seen: dict[str, list[tuple[int, int, list[str]]]] = {}
    with time_machine.travel(NOW, tick=False):
        a_scored_market()
        for name, count in (("few", FEW), ("many", MANY)):
            organization, ids = a_world(name, count)
            owner = a_browser(a_person(organization=organization, is_staff=True))
            owner.get("/")
            for route in pages():
                for place, address in enumerate(addresses(route, ids)):
                    seen.setdefault(f"{route.template} {place}", []).append(asked(owner, address))
    too_many = [f"/{page} asks {n}" for page, each in seen.items() for _, n, _ in each if n > MOST_QUERIES]
    growing = [
        f"/{page} asks {few[1]} of few rows and {many[1]} of many: {sorted(set(many[2]) - set(few[2]))[:2]}"
        for page, (few, many) in seen.items()
        if few[1] != many[1]
    ]
    broken = [f"/{page}: {status}" for page, each in seen.items() for status, _, _ in each if status >= 500]
    opened = [page for page, each in seen.items() if each[0][0] == 200]
    assert not broken + too_many + growing
    assert len(opened) >= 20  # or it would be refusals that are cheap


def test_the_first_page_is_light():
    a_scored_market()
    organization, _ = a_world("many", MANY)
    client = a_browser(a_person(organization=organization))
    now = timezone.now()
    for n in range(400):
        an_on_demand_price(f"c5.{n}xlarge", "0.2")
        a_pool(f"c5.{n}xlarge")
    prices_for(a_pool("m5.large"), [(d / 10, f"0.0{3 + d % 5}") for d in range(1, 400)], now=now)
    heavy = {}
    for address in ("/", "/instances/", "/experiments/", "/accounts/", "/audit/", "/system/", "/people/", "/prices/"):
        html = client.get(address).content
        assets = set(ASSET.findall(html.decode()))
        assert any(asset.endswith(".css") for asset in assets)
        weight = len(html) + sum(_size(asset) for asset in assets)
        if weight > MOST_BYTES:
            heavy[address] = weight
    assert not heavy


def _size(asset: str) -> int:
    found = finders.find(asset.removeprefix("/static/"))
    assert found, asset
    with open(found, "rb") as file:
        return len(file.read())
