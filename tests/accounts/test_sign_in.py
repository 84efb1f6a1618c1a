"""Can people come in and leave, and can guessing not?"""

import pytest
import time_machine
from django.test import Client

from accounts.models import AuditEntry
from tests.factories import NOW, PASSWORD, a_browser, a_person, alice, bob, charlie, northwind

pytestmark = pytest.mark.django_db
HERE = "/sign-in/"


@pytest.fixture
def one_minute():
    """Tries are counted by the minute; a test must not straddle two."""
    with time_machine.travel(NOW, tick=False):
        yield


def signing_in(client: Client, name: str = "alice", password: str = PASSWORD, **fields: str):
    return client.post(HERE, {"username": name, "password": password, **fields})


def test_a_person_signs_in_and_is_sent_where_they_wanted_to_go(client):
    alice()
    response = signing_in(client, next="/?q=web")
    assert (response.status_code, response.headers["Location"]) == (302, "/?q=web")
    assert client.get("/").status_code == 200
    entry = AuditEntry.objects.get(deed="person.signed_in")
    assert (entry.person, entry.organization.name) == (alice(), "Northwind")


def test_nobody_is_sent_to_another_site(client):
    alice()
    assert signing_in(client, next="https://evil.example/").headers["Location"] == "/"
    organization = alice().memberships.get().organization_id
    for address in ("https://evil.example/", "//evil.example"):
        response = client.post("/work-in/", {"organization": str(organization), "next": address})
        assert response.headers["Location"] == "/"


def test_a_wrong_name_and_a_wrong_password_look_the_same(client):
    alice()
    wrong, unknown = signing_in(client, password="x"), signing_in(client, name="nobody", password="x")
    assert wrong.status_code == unknown.status_code == 200
    errors = [response.context["form"].non_field_errors() for response in (wrong, unknown)]
    assert errors[0] == errors[1]


def test_a_switched_off_person_does_not_come_in(client):
    a_person("gone", is_active=False)
    assert signing_in(client, name="gone").status_code == 200
    assert client.get("/").status_code == 302


def test_signing_out_needs_a_post(client):
    browser = a_browser(alice())
    assert browser.get("/sign-out/").status_code == 405
    assert browser.get("/").status_code == 200
    browser.post("/sign-out/")
    assert browser.get("/").status_code == 302


@pytest.mark.usefixtures("one_minute")
def test_guessing_one_name_from_many_addresses_is_stopped_before_the_password_is_tried(client):
    alice()
    for number in range(10):
        client.post(HERE, {"username": "Alice", "password": "x"}, REMOTE_ADDR=f"10.0.0.{number}")
    response = client.post(HERE, {"username": "alice", "password": PASSWORD}, REMOTE_ADDR="10.0.0.99")
    assert response.status_code == 429
    assert b"Too many tries" in response.content
    assert client.get("/").status_code == 302


@pytest.mark.usefixtures("one_minute")
def test_guessing_many_names_from_one_address_is_stopped_and_others_still_come_in(client):
    alice()
    charlie()
    for number in range(11):
        response = client.post(HERE, {"username": f"n{number}", "password": "x"}, REMOTE_ADDR="10.0.0.1")
    assert response.status_code == 429
    assert client.post(HERE, {"username": "alice", "password": PASSWORD}, REMOTE_ADDR="10.0.0.2").status_code == 302


@pytest.mark.usefixtures("one_minute")
def test_a_forged_forwarded_address_does_not_help(client):
    for number in range(11):
        data = {"username": f"n{number}", "password": "x"}
        response = client.post(HERE, data, headers={"X-Forwarded-For": f"192.0.2.{number}"}, REMOTE_ADDR="10.0.0.1")
    assert response.status_code == 429


def test_without_redis_nobody_signs_in_uncounted(client, settings):
    alice()
    settings.REDIS_CACHE_URL = "unix:///nonexistent/redis?db=0"
    response = signing_in(client)
    assert response.status_code == 503
    assert b"Redis is down" in response.content
    assert client.get("/").status_code == 302


def test_the_session_changes_its_key_when_somebody_signs_in(client):
    alice()
    client.get(HERE)
    session = client.session
    session["x"] = 1
    session.save()
    before = session.session_key
    signing_in(client)
    assert client.session.session_key != before


def test_every_page_names_the_organization_and_the_role():
    page = a_browser(bob()).get("/")
    assert b"Northwind" in page.content
    assert page.context["active_role"] == "viewer"


def test_staff_who_belong_to_no_organization_come_in_at_the_admin(client):
    a_person("root", is_staff=True)
    assert signing_in(client, "root").headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_staff_who_belong_to_one_come_in_where_everybody_does(client):
    a_person("root", organization=northwind(), is_staff=True)
    assert signing_in(client, "root").headers["Location"] == "/"


def test_whoever_belongs_nowhere_is_told_so_and_staff_are_led_to_the_monitor():
    nobody, root = a_browser(a_person("nobody")).get("/"), a_browser(a_person("root", is_staff=True)).get("/")
    assert nobody.status_code == root.status_code == 403
    assert b"You belong to no organization" in nobody.content
    assert b'href="/system/"' in root.content
    assert b'href="/system/"' not in nobody.content
