"""Are limits checked and deeds audited when a platform admin changes them?"""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from governance.models import ComponentRun, OptimizationPolicy, Quarantine
from tests.factories import a_person, an_account, southwind

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(client):
    client.force_login(a_person("root", is_staff=True, is_superuser=True))
    return client


def saved(console, overrides, *, account=None, organization=None):
    account = account or an_account()
    return console.post(
        "/admin/governance/optimizationpolicy/add/",
        {
            "organization": str((organization or account.organization).pk),
            "account": account.pk,
            "overrides": json.dumps(overrides),
        },
    )


def test_a_policy_is_saved_with_who_changed_it(console):
    assert saved(console, {"min_zones": 2}).status_code == 302
    row = OptimizationPolicy.objects.get()
    assert (row.overrides, row.changed_by and row.changed_by.username) == ({"min_zones": 2}, "root")
    entry = AuditEntry.objects.get(deed="policy.changed")
    assert (entry.after, entry.organization) == ({"min_zones": 2}, row.organization)


@pytest.mark.parametrize("overrides, said", [({"min_zones": 0}, "not between 1 and 20"), ({"x": 1}, "no limit called")])
def test_limits_that_cannot_be_taken_are_told_in_the_form(console, overrides, said):
    answer = saved(console, overrides)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not OptimizationPolicy.objects.exists()


def test_an_account_of_another_organization_is_refused(console):
    assert "is not an account of" in saved(console, {}, organization=southwind()).content.decode()


def test_a_pool_is_closed_and_opened_by_hand(console):
    wanted = {"instance_type": "m5.large", "zone_id": "use1-az1", "reason": "a test"}
    assert console.post("/admin/governance/quarantine/add/", wanted).status_code == 302
    row = Quarantine.objects.get()
    assert row.expires_at > timezone.now() + timedelta(days=14)
    console.post("/admin/governance/quarantine/", {"action": "release", "_selected_action": [row.pk]})
    assert not Quarantine.objects.exists()
    assert AuditEntry.objects.filter(actor="root").count() == 2


def test_closing_a_closed_pool_extends_it(console):
    wanted = {"instance_type": "m5.large", "zone_id": "use1-az1", "reason": "a test"}
    console.post("/admin/governance/quarantine/add/", wanted)
    first = Quarantine.objects.get().expires_at
    assert console.post("/admin/governance/quarantine/add/", wanted).status_code == 302
    assert Quarantine.objects.get().expires_at > first


def test_what_is_no_pool_is_told_in_the_form(console):
    wanted = {"instance_type": "m5.large", "zone_id": "us-east-1a", "reason": "a test"}
    assert "is no pool" in console.post("/admin/governance/quarantine/add/", wanted).content.decode()


def test_history_can_be_read_and_not_changed(console):
    run = ComponentRun.objects.create(component="scoring", task="score", started_at=timezone.now())
    assert console.get("/admin/governance/componentrun/").status_code == 200
    assert console.get("/admin/governance/componentrun/add/").status_code == 403
    assert console.post(f"/admin/governance/componentrun/{run.pk}/change/", {"task": "x"}).status_code == 403
