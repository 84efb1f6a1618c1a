"""Does the admin show every table of the market and the fleets, and change nothing that was fetched?"""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from instances import models
from instances.domain.market import DataType
from instances.market import orders
from instances.models import FetchSource, Instance, SpotPrice, SpotPriceDaily
from tests.factories import (
    NOW,
    a_fetch,
    a_group,
    a_person,
    a_pool,
    a_rating,
    a_sync,
    a_type,
    an_account,
    an_instance,
    an_on_demand_price,
    zones_of,
)

pytestmark = pytest.mark.django_db
SHOWN = [getattr(models, name) for name in models.__all__ if hasattr(getattr(models, name), "_meta")]
SHOWN.remove(SpotPrice)  # millions of rows, and its page is a chart
SHOWN.remove(SpotPriceDaily)


@pytest.fixture
def browser_of_admin() -> Client:
    client = Client()
    client.force_login(a_person("root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def one_of_each():
    account = an_account()
    a_type(), a_pool(), a_rating(), an_on_demand_price(), a_fetch(FetchSource.SPOT, "us-east-1")
    orders.place(DataType.SPOT_ADVISOR, by="m5", now=NOW)
    an_instance(account, group=a_group(account))
    a_sync(account)
    zones_of(account)
    zones_of(None)


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_every_table_is_listed_searched_and_shown(model, browser_of_admin, one_of_each):
    base = f"admin:instances_{model._meta.model_name}"
    listing = browser_of_admin.get(reverse(f"{base}_changelist"), {"q": "m5"})
    row = browser_of_admin.get(reverse(f"{base}_change", args=[model.objects.first().pk]))
    assert (listing.status_code, row.status_code) == (200, 200)


@pytest.mark.parametrize("model", [model for model in SHOWN if model is not Instance], ids=lambda model: model.__name__)
def test_what_was_fetched_is_not_edited(model, browser_of_admin, one_of_each):
    base, pk = f"admin:instances_{model._meta.model_name}", model.objects.first().pk
    assert browser_of_admin.get(reverse(f"{base}_add")).status_code == 403
    assert browser_of_admin.post(reverse(f"{base}_change", args=[pk]), {}).status_code == 403
    assert browser_of_admin.post(reverse(f"{base}_delete", args=[pk]), {"post": "yes"}).status_code == 403


def test_of_an_instance_only_what_people_say_is_edited(browser_of_admin):
    instance = an_instance(launched_at=NOW - timedelta(days=3))
    change = reverse("admin:instances_instance_change", args=[instance.pk])
    sent = {"pipeline_mode": "CLUSTER", "health_port": "8080", "health_path": "/up", "state": "stopped"}
    assert browser_of_admin.post(change, sent).status_code == 302
    instance.refresh_from_db()
    assert (instance.pipeline_mode, instance.health_port, instance.state) == ("CLUSTER", 8080, "running")
    entry = AuditEntry.objects.get(deed="instance.changed")
    assert (entry.organization, entry.actor) == (instance.account.organization, "root")
    assert (entry.before["pipeline_mode"], entry.after["pipeline_mode"]) == ("LINEAR", "CLUSTER")


def test_prices_are_not_in_the_admin():
    assert SpotPrice not in admin.site._registry
