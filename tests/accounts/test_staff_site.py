"""Who comes into the admin, from where, for how long, and what is written down of what they look at?"""

from datetime import timedelta
from ipaddress import ip_network

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from tests.factories import a_browser, a_person, an_account, an_instance, charlie, northwind, southwind

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    return a_browser(a_person("root", is_staff=True, is_superuser=True))


def unasked(client):
    session = client.session
    del session["admin_reason"]
    session.save()
    return client


def reads():
    return list(AuditEntry.objects.filter(deed="admin.read").order_by("id"))


def test_staff_say_why_before_they_see_a_tenants_rows(root):
    account = an_account(northwind(), name="shop")
    page = reverse("admin:accounts_awsaccount_change", args=[account.pk])
    asked = unasked(root).get(page)
    assert asked.headers["Location"].startswith("/admin/reason/?next=%2Fadmin%2F")
    form = root.get(asked.headers["Location"])
    assert b"Why do you look?" in form.content
    assert root.post(asked.headers["Location"], {"reason": "why"}).status_code == 200  # too short to mean anything
    assert not reads()
    assert root.post(asked.headers["Location"], {"reason": "ticket 4711"}).headers["Location"] == page
    assert root.get(page).status_code == 200
    [entry] = reads()
    assert (entry.organization, entry.actor, entry.reason) == (northwind(), "root", "ticket 4711")
    assert entry.subject == f"aws-account/{account.pk}"


def test_the_form_sends_nobody_to_another_site(root):
    answer = root.post("/admin/reason/?next=https://example.org/", {"reason": "ticket 4711"})
    assert answer.headers["Location"] == "/admin/"


def test_a_row_that_leads_to_its_organization_by_others_is_written_down_there_too(root):
    theirs = an_instance(an_account(southwind()))
    root.get(reverse("admin:instances_instance_change", args=[theirs.pk]))
    root.get(reverse("admin:accounts_user_change", args=[charlie().pk]))
    root.get(reverse("admin:accounts_user_history", args=[charlie().pk]))
    assert [entry.organization for entry in reads()] == [southwind()] * 3


def test_a_list_is_written_down_with_what_was_asked(root):
    root.get(reverse("admin:instances_instance_changelist"), {"q": "ledger"})
    root.get(
        reverse("admin:autocomplete"),
        {"app_label": "accounts", "model_name": "membership", "field_name": "user", "term": "al"},
    )
    first, second = reads()
    assert (first.organization, first.subject, first.after) == (None, "instance", {"asked": {"q": "ledger"}})
    assert second.subject == "membership"


def test_what_is_nobodys_is_not_written_down_and_needs_no_reason(root):
    assert unasked(root).get(reverse("admin:instances_instancetype_changelist")).status_code == 200
    assert root.get("/admin/").status_code == 200
    assert not reads()


def test_what_is_not_there_is_no_read(root):
    assert root.get(reverse("admin:accounts_awsaccount_change", args=[99_999_999])).status_code == 302
    assert not reads()


def test_after_half_an_hour_without_a_request_staff_sign_in_again(root):
    now = timezone.now()
    for minutes in (20, 45):  # each less than half an hour after the one before
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            assert root.get("/admin/").status_code == 200
    with time_machine.travel(now + timedelta(minutes=76), tick=False):
        answer = root.get("/admin/accounts/user/")
        assert answer.headers["Location"] == "/sign-in/?next=/admin/accounts/user/"
        assert root.get("/admin/").status_code == 302
        assert "_auth_user_id" not in root.session


def test_who_signed_in_long_ago_does_not_come_in(root):
    with time_machine.travel(timezone.now() + timedelta(minutes=31), tick=False):
        assert root.get("/admin/").headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize(
    "address, forwarded, proxies, status",
    [
        ("10.1.2.3", None, 0, 200),
        ("192.0.2.1", None, 0, 404),
        ("192.0.2.1", "10.1.2.3", 0, 404),  # a header that anybody may write
        ("192.0.2.1", "10.1.2.3", 1, 200),
        ("10.1.2.3", "192.0.2.1", 1, 404),
        ("", None, 0, 404),
    ],
)
def test_the_admin_is_there_for_listed_networks_only(root, client, settings, address, forwarded, proxies, status):
    settings.ADMIN_NETWORKS = (ip_network("10.0.0.0/8"),)
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert root.get("/admin/", REMOTE_ADDR=address, headers=headers).status_code == status
    knocked = client.get("/admin/login/", REMOTE_ADDR=address, headers=headers)
    assert knocked.status_code == (302 if status == 200 else 404)


def test_a_second_factor_is_asked_for_before_the_admin(root, settings):
    settings.SECOND_FACTOR = "required"
    assert root.get("/admin/").headers["Location"] == "/second-factor/?next=%2Fadmin%2F"


def test_a_password_set_for_somebody_is_written_down_without_it(root):
    data = {"usable_password": "true", "password1": "a long new password", "password2": "a long new password"}
    address = reverse("admin:auth_user_password_change", args=[charlie().pk])
    assert root.post(address, data).status_code == 302
    entry = AuditEntry.objects.get(deed="person.password_set")
    assert entry.subject == f"user/{charlie().pk}"
    assert "a long new password" not in f"{entry.before} {entry.after}"
