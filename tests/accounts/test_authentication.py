"""Is everybody who they say, in one organization, and allowed no more than they are?"""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.test import Client

from accounts import keys
from accounts.authentication import caller_of, signed_in
from accounts.domain import Role, Scope
from accounts.models import ApiKey, Membership, User
from tests.factories import (
    a_browser,
    a_person,
    a_program,
    alice,
    an_api_key,
    an_instance,
    an_organization,
    bob,
    northwind,
    said,
    southwind,
)

pytestmark = pytest.mark.django_db
LIST = "/api/v1/lab/instances"


def calling(text: str) -> Client:
    return Client(headers={"Authorization": text})


def test_a_key_is_known_by_its_text_and_kept_as_a_digest_only():
    key, text = keys.issue(northwind(), "core", [Scope.READ], by=None)
    assert text.startswith(f"spotopt_{key.prefix}_")
    assert len(text) == len("spotopt_12345678_") + 43  # 256 bits in base64
    assert text not in str(ApiKey.objects.filter(pk=key.pk).values().get())
    assert calling(f"Api-Key {text}").get(LIST).status_code == 200
    assert calling(f"api-key {text}").get(LIST).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text.upper(),
        lambda text: text.replace("spotopt", "other"),
        lambda text: text + " " + text,
        lambda text: text.rpartition("_")[0],
        lambda text: "",
        lambda text: "é" * 60,
        lambda text: "spotopt_\x00\x00\x00\x00\x00\x00\x00\x00_x",
    ],
)
def test_any_other_text_is_the_same_401(change):
    response = calling(f"Api-Key {change(an_api_key(northwind()))}").get(LIST)
    assert response.status_code == 401
    assert response.json()["detail"] == "This API key is not valid."


def test_an_expired_and_a_revoked_key_are_worth_nothing():
    now = datetime.now(UTC)
    live = an_api_key(northwind(), expires_at=now + timedelta(hours=1))
    dead = an_api_key(northwind(), expires_at=now - timedelta(seconds=1))
    revoked, text = keys.issue(northwind(), "old", [Scope.READ], by=None)
    ApiKey.objects.filter(pk=revoked.pk).update(revoked_at=now)
    assert [calling(f"Api-Key {key}").get(LIST).status_code for key in (live, dead, text)] == [200, 401, 401]
    with time_machine.travel(now + timedelta(hours=2)):
        assert calling(f"Api-Key {live}").get(LIST).status_code == 401


def test_last_use_is_written_once_a_minute(django_assert_num_queries):
    program = a_program(northwind(), Scope.READ)
    start = datetime(2026, 11, 18, 12, tzinfo=UTC)
    # the key, perhaps its last use, the count, the page, its models
    for seconds, questions in ((0, 5), (30, 4), (61, 5)):
        an_instance() if seconds == 0 else None
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False), django_assert_num_queries(questions):
            program.get(LIST)
    assert ApiKey.objects.get().last_used_at == start + timedelta(seconds=61)


def test_a_key_does_what_its_scopes_say_and_no_more():
    assert a_program(northwind(), Scope.PREDICT, Scope.MANAGE).get(LIST).status_code == 403
    response = a_program(northwind(), Scope.DECIDE).get(LIST)
    assert response.json()["detail"] == "This needs the scope read."


def test_a_tenants_key_names_no_other_customer():
    program = a_program(northwind(), Scope.READ)
    assert program.get(f"{LIST}?customer_id={northwind().pk}").status_code == 200
    foreign = program.get(f"{LIST}?customer_id={southwind().pk}")
    absent = program.get(f"{LIST}?customer_id={'0' * 32}")
    assert (foreign.status_code, said(foreign)) == (404, said(absent))


def test_a_session_needs_the_csrf_token_to_change_anything():
    browser = a_browser(alice(), csrf=True)
    assert browser.get(LIST).status_code == 200
    address = f"{LIST}/{an_instance().pk}/evaluate"
    refused = browser.post(address, {}, content_type="application/json")
    assert refused.status_code == 403
    assert refused.headers["Content-Type"] == "application/problem+json"
    browser.get("/")  # a page with a form hands the token out
    token = browser.cookies["csrftoken"].value
    accepted = browser.post(address, {}, content_type="application/json", headers={"X-CSRFToken": token})
    assert accepted.status_code == 202


def test_a_person_who_left_or_was_switched_off_sees_nothing():
    browser = a_browser(bob())
    Membership.objects.filter(user=bob()).delete()
    response = browser.get(LIST)
    assert (response.status_code, response.json()["detail"][:27]) == (403, "You belong to no organizati")
    User.objects.filter(username="bob").update(is_active=False)
    assert browser.get(LIST).status_code == 401


def test_staff_without_a_membership_see_nothing_outside_the_admin():
    an_instance(name="secret-of-northwind")
    browser = a_browser(a_person("root", is_staff=True, is_superuser=True))
    assert browser.get(LIST).status_code == 403
    page = browser.get("/")
    assert page.status_code == 403
    assert b"secret-of-northwind" not in page.content


def test_a_person_works_in_one_organization_at_a_time_of_their_own(client):
    person = alice()
    second = an_organization("Eastwind")
    Membership.objects.create(organization=second, user=person, role=Role.VIEWER.value)
    an_instance(name="northern")
    browser = a_browser(person)

    def seen() -> list[str]:
        return [row["name"] for row in browser.get(LIST).json()["results"]]

    assert seen() == []  # Eastwind, the first by name
    assert browser.post("/work-in/", {"organization": str(northwind().pk)}).status_code == 302
    assert seen() == ["northern"]
    assert browser.post("/work-in/", {"organization": str(southwind().pk)}).status_code == 404
    assert browser.post("/work-in/", {"organization": "nonsense"}).status_code == 404
    assert seen() == ["northern"]
    assert Client().post("/work-in/", {"organization": str(second.pk)}).status_code == 302


def test_a_role_holds_in_its_own_organization_only():
    person = bob()  # a viewer of Northwind
    Membership.objects.create(organization=an_organization("Eastwind"), user=person, role=Role.OWNER.value)
    browser = a_browser(person)
    browser.post("/work-in/", {"organization": str(northwind().pk)})
    response = browser.post(f"{LIST}/{an_instance().pk}/evaluate", {}, content_type="application/json")
    assert response.status_code == 403


def test_a_page_and_a_partial_send_nobody_to_sign_in_and_back():
    assert Client().get("/?q=x").headers["Location"] == "/sign-in/?next=/%3Fq%3Dx"
    part = Client().get("/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/?q=x"})
    assert part.headers["HX-Redirect"] == "/sign-in/?next=/%3Fq%3Dx"


def test_a_page_for_operators_is_closed_to_a_viewer(rf):
    opened = []
    page = signed_in(Role.OPERATOR)(lambda request: opened.append(caller_of(request).actor))
    for person in (alice(), bob()):
        request = rf.get("/")
        request.user, request.session = person, {}
        with nullcontext() if person == alice() else pytest.raises(PermissionDenied, match="needs the role operator"):
            page(request)
    assert opened == ["alice"]
