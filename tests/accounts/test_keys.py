"""Can an admin give each program a key of its own, see what it does, and take it back?"""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from accounts.domain import Role, Scope
from accounts.models import ApiKey, AuditEntry
from tests.factories import NOW, a_browser, a_person, alice, an_api_key, bob, charlie, northwind, southwind

pytestmark = pytest.mark.django_db
PAGE = "/keys/"
LIST = "/api/v1/lab/instances"


def made(browser: Client, **fields) -> str:
    """The text of a new key, as the page showed it."""
    answer = browser.post(PAGE, {"name": "core", "scopes": ["read"], "days": "30"} | fields)
    assert "no-store" in answer.headers["Cache-Control"]
    return re.findall(r'id="made-key">(spotopt_[^<]+)<', answer.content.decode())[0]


def calling(text: str) -> Client:
    return Client(headers={"Authorization": f"Api-Key {text}"})


def test_a_key_is_made_shown_once_used_and_revoked():
    browser = a_browser(a_person("ada", organization=northwind(), role=Role.ADMIN))
    text = made(browser, scopes=["read", "decide"])
    assert calling(text).get(LIST).status_code == 200
    page = browser.get(PAGE).content.decode()
    assert text not in page
    key = ApiKey.objects.get()
    assert key.prefix in page
    assert "decide, read" in page
    assert "just now" in page
    assert (key.created_by.username, key.organization) == ("ada", northwind())
    browser.post(f"{PAGE}{key.pk}/revoke/")
    browser.post(f"{PAGE}{key.pk}/revoke/")
    assert calling(text).get(LIST).status_code == 401
    assert "revoked" in browser.get(PAGE).content.decode()
    deeds = list(AuditEntry.objects.filter(subject=f"api-key/{key.pk}").values_list("deed", flat=True))
    assert sorted(deeds) == ["key.created", "key.revoked"]
    assert text not in str(list(AuditEntry.objects.values()))


def test_a_key_ends_when_it_was_said_to():
    with time_machine.travel(NOW, tick=False) as clock:
        brief, lasting = made(a_browser(alice()), days="30"), made(a_browser(alice()), days="")
        clock.shift(timedelta(days=30))
        assert [calling(text).get(LIST).status_code for text in (brief, lasting)] == [401, 200]
        assert b"expired" in a_browser(alice()).get(PAGE).content


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_admins_see_and_change_keys(role):
    an_api_key(northwind())
    browser = a_browser(a_person("dora", organization=northwind(), role=role))
    assert browser.get(PAGE).status_code == 403
    assert browser.post(PAGE, {"name": "x", "scopes": ["read"]}).status_code == 403
    assert browser.post(f"{PAGE}{ApiKey.objects.get().pk}/revoke/").status_code == 403
    assert b'"/keys/"' not in browser.get("/").content


def test_a_stranger_sees_and_revokes_no_key_of_ours():
    an_api_key(northwind(), name="northern")
    an_api_key(None, name="of-the-platform")
    browser = a_browser(charlie())
    page = browser.get(PAGE).content.decode()
    assert "northern" not in page
    assert "of-the-platform" not in page
    for key in ApiKey.objects.all():
        assert browser.post(f"{PAGE}{key.pk}/revoke/").status_code == 404
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_an_organization_gives_no_scope_that_writes_what_all_share():
    browser = a_browser(alice())
    answer = browser.post(PAGE, {"name": "x", "scopes": [Scope.MANAGE.value], "days": ""})
    assert b"Select a valid choice" in answer.content
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("change", [{"name": ""}, {"scopes": []}, {"days": "100000"}, {"days": "-1"}])
def test_a_key_that_cannot_be_made_says_why(change):
    answer = a_browser(alice()).post(PAGE, {"name": "core", "scopes": ["read"], "days": "30"} | change)
    assert b'class="error"' in answer.content
    assert not ApiKey.objects.exists()


def test_an_empty_page_says_what_to_do():
    assert b"No keys yet" in a_browser(alice()).get(PAGE).content


def test_what_a_key_is_called_is_shown_as_text():
    made(a_browser(alice()), name="<script>alert(1)</script>")
    assert b"<script>alert" not in a_browser(alice()).get(PAGE).content


@pytest.mark.parametrize("n", [1, 60])
def test_the_page_takes_as_many_queries_for_many_keys_as_for_few(n, django_assert_max_num_queries):
    bob()
    for _ in range(n):
        an_api_key(southwind())
    browser = a_browser(charlie())
    with django_assert_max_num_queries(7):
        browser.get(PAGE)
