"""Does the admin show staff what they need, hide what is secret, and keep what must stay?"""

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.models import ApiKey, AuditEntry, AwsAccount, Membership
from tests.factories import a_browser, a_person, alice, an_account, an_api_key, northwind

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    return a_browser(a_person("root", is_staff=True, is_superuser=True))


def test_the_admin_is_not_there_for_people_who_are_no_staff(client):
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/login/?next=/admin/").headers["Location"] == "/sign-in/?next=/admin/"
    assert a_browser(alice()).get("/admin/", follow=True).status_code == 404


@pytest.mark.parametrize("model", [m for m in admin.site._registry if m._meta.app_label == "accounts"])
def test_every_list_opens_and_is_searched(root, model):
    an_account()
    an_api_key(northwind())
    AuditEntry.objects.create(actor="a", deed="b", subject="c")
    address = reverse(f"admin:accounts_{model._meta.model_name}_changelist")
    assert root.get(address).status_code == 200
    assert root.get(address, {"q": "a"}).status_code == 200
    assert admin.site._registry[model].search_fields


def test_the_external_id_is_shown_and_cannot_be_changed(root):
    account = an_account(name="shop")
    before = account.external_id
    address = reverse("admin:accounts_awsaccount_change", args=[account.pk])
    page = root.get(address)
    assert before in page.content.decode()
    data = {"name": "renamed", "environment": "PROD", "read_role_arn": account.read_role_arn, "act_role_arn": ""}
    data |= {"regions": "us-east-1", "initial-regions": "us-east-1", "is_active": "on"}
    data |= {"external_id": "chosen", "is_valid": "", "account_id": "9" * 12}
    assert root.post(address, data).status_code == 302
    account.refresh_from_db()
    assert (account.name, account.external_id, account.is_valid) == ("renamed", before, True)
    assert account.account_id != "9" * 12
    entry = AuditEntry.objects.get(deed="admin.changed")
    assert (entry.actor, entry.organization) == ("root", northwind())
    assert (entry.before, entry.after) == ({"name": "shop"}, {"name": "renamed"})


def test_a_key_is_made_here_and_shown_once(root, client):
    data = {"organization": str(northwind().pk), "name": "core", "scopes": ["read", "decide"]}
    data |= {"expires_at_0": "", "expires_at_1": ""}
    response = root.post(reverse("admin:accounts_apikey_add"), data, follow=True)
    [message] = [str(m) for m in response.context["messages"] if "spotopt_" in str(m)]
    text = message.rpartition(" ")[2]
    headers = {"Authorization": f"Api-Key {text}"}
    assert client.get("/api/v1/lab/instances", headers=headers).status_code == 200
    key = ApiKey.objects.get()
    assert key.created_by.username == "root"
    page = root.get(reverse("admin:accounts_apikey_change", args=[key.pk])).content.decode()
    assert key.digest not in page
    assert text not in page


def test_a_revoked_key_stops_at_once(root, client):
    headers = {"Authorization": f"Api-Key {an_api_key(northwind())}"}
    data = {"action": "revoke", "_selected_action": [ApiKey.objects.get().pk]}
    root.post(reverse("admin:accounts_apikey_changelist"), data)
    assert client.get("/api/v1/lab/instances", headers=headers).status_code == 401
    assert AuditEntry.objects.filter(deed="key.revoked").count() == 1


def test_the_audit_log_is_only_read(root):
    entry = AuditEntry.objects.create(actor="a", deed="b", subject="c")
    assert root.get(reverse("admin:accounts_auditentry_add")).status_code == 403
    address = reverse("admin:accounts_auditentry_change", args=[entry.pk])
    assert root.get(address).status_code == 200
    assert root.post(address, {"actor": "x"}).status_code == 403
    assert root.post(reverse("admin:accounts_auditentry_delete", args=[entry.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["organization", "user", "apikey", "awsaccount"])
def test_what_the_audit_log_names_is_not_deleted(root, model):
    account = an_account()
    an_api_key(northwind())
    pk = {
        "organization": northwind().pk,
        "user": alice().pk,
        "apikey": ApiKey.objects.get().pk,
        "awsaccount": account.pk,
    }[model]
    assert root.post(reverse(f"admin:accounts_{model}_delete", args=[pk]), {"post": "yes"}).status_code == 403


def test_taking_somebody_out_of_an_organization_is_recorded(root):
    membership = alice().memberships.get()
    root.post(reverse("admin:accounts_membership_delete", args=[membership.pk]), {"post": "yes"})
    assert not Membership.objects.exists()
    assert AuditEntry.objects.get(deed="admin.deleted").organization == northwind()


def test_an_account_that_cannot_be_tried_says_why_in_the_admin(root, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    account = an_account()
    data = {"action": "validate", "_selected_action": [account.pk]}
    response = root.post(reverse("admin:accounts_awsaccount_changelist"), data, follow=True)
    assert "The installation has no AWS credentials" in response.content.decode()
    assert AwsAccount.objects.get().validated_at == account.validated_at
