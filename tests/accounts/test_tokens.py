"""Can a person's program get in, for how long, and what happens when a token is copied?"""

from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client

from accounts.domain import Role
from accounts.models import AuditEntry, Membership, TokenFamily, User
from tests.factories import NOW, PASSWORD, alice, an_instance, an_organization, bob, charlie, northwind, said, southwind

pytestmark = pytest.mark.django_db
TOKEN = "/api/v1/auth/token/"
REFRESH = f"{TOKEN}refresh/"
REVOKE = f"{TOKEN}revoke/"
LIST = "/api/v1/lab/instances"


def post(address: str, **body: str):
    return Client().post(address, body, content_type="application/json")


def tokens_of(person: User, **body: str) -> dict:
    answer = post(TOKEN, username=person.username, password=PASSWORD, **body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def calling(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


def test_a_token_is_worth_the_role_of_its_person():
    instance = an_instance(name="web-1")
    client = calling(tokens_of(bob())["access"])
    assert [row["name"] for row in client.get(LIST).json()["results"]] == ["web-1"]
    refused = client.post(f"{LIST}/{instance.pk}/evaluate", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["detail"]) == (403, "This needs the role operator.")
    accepted = calling(tokens_of(alice())["access"]).post(
        f"{LIST}/{instance.pk}/evaluate", {}, content_type="application/json"
    )
    assert accepted.status_code == 202
    assert AuditEntry.objects.filter(deed="token.issued", person=bob(), organization=northwind()).count() == 1


def test_a_token_names_who_it_is_from_and_for_and_lasts_ten_minutes():
    found = tokens_of(bob())
    claims = jwt.decode(found["access"], options={"verify_signature": False})
    assert claims["iss"] == "spotopt"
    assert claims["aud"] == "spotopt-api"
    assert claims["exp"] - claims["iat"] == found["expires_in"] == 600
    assert len(claims["jti"]) == 32
    assert claims["organization"] == str(northwind().pk)


def test_it_ends_after_ten_minutes_and_a_refresh_token_is_no_access_token():
    with time_machine.travel(NOW, tick=False):
        found = tokens_of(bob())
        assert calling(found["access"]).get(LIST).status_code == 200
        assert calling(found["refresh"]).get(LIST).status_code == 401
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        refused = calling(found["access"]).get(LIST)
    assert (refused.status_code, refused.json()["detail"]) == (401, "This token is not valid.")


@pytest.mark.parametrize(
    "change",
    [
        {"key": "another"},
        {"algorithm": "HS512"},
        {"algorithm": "none", "key": None},
        {"iss": "somebody"},
        {"aud": "something"},
        {"iss": None},
        {"aud": None},
        {"jti": None},
        {"exp": None},
        {"family": "nonsense"},
        {"family": "0" * 32},
        {"token_type": "refresh"},
    ],
    ids=str,
)
def test_a_forged_token_is_the_same_401(change):
    claims = jwt.decode(tokens_of(bob())["access"], options={"verify_signature": False})
    key = change.pop("key", settings.SIMPLE_JWT["SIGNING_KEY"])
    algorithm = change.pop("algorithm", "HS256")
    claims = {name: value for name, value in (claims | change).items() if value is not None}
    refused = calling(jwt.encode(claims, key, algorithm=algorithm)).get(LIST)
    assert (refused.status_code, refused.json()["detail"]) == (401, "This token is not valid.")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a b", "é.é.é"])
def test_nonsense_is_the_same_401(text):
    assert calling(text).get(LIST).status_code == 401


def test_a_wrong_password_an_unknown_name_and_a_switched_off_person_look_the_same():
    bob()
    User.objects.create_user("gone", "gone@example.org", PASSWORD, is_active=False)
    answers = [post(TOKEN, username="bob", password="x"), post(TOKEN, username="nobody", password="x")]
    answers.append(post(TOKEN, username="gone", password=PASSWORD))
    assert {answer.status_code for answer in answers} == {401}
    assert said(answers[0]) == said(answers[1]) == said(answers[2])
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("body", [{}, {"username": "bob"}, {"username": "bob", "password": PASSWORD, "passwort": "x"}])
def test_a_body_that_cannot_be_used_says_why(body):
    assert post(TOKEN, **body).status_code == 422


def test_guessing_is_stopped_and_counted_together_with_the_page():
    bob()
    with time_machine.travel(NOW, tick=False):
        for _ in range(5):
            post(TOKEN, username="bob", password="x")
            Client().post("/sign-in/", {"username": "bob", "password": "x"})
        refused = post(TOKEN, username="bob", password=PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_without_redis_nobody_signs_in_uncounted(settings):
    bob()
    settings.REDIS_CACHE_URL = "unix:///nonexistent/redis?db=0"
    assert post(TOKEN, username="bob", password=PASSWORD).json()["dependency"] == "Redis"


def test_a_refresh_token_works_once_and_gives_the_next():
    first = tokens_of(bob())
    second = post(REFRESH, refresh=first["refresh"]).json()
    third = post(REFRESH, refresh=second["refresh"]).json()
    assert calling(third["access"]).get(LIST).status_code == 200
    assert TokenFamily.objects.count() == 1


def test_a_refresh_token_that_comes_back_ends_the_whole_family_and_no_other():
    other = tokens_of(bob())
    first = tokens_of(bob())
    second = post(REFRESH, refresh=first["refresh"]).json()
    assert post(REFRESH, refresh=first["refresh"]).status_code == 401
    assert post(REFRESH, refresh=second["refresh"]).status_code == 401
    assert calling(first["access"]).get(LIST).status_code == 401
    assert calling(second["access"]).get(LIST).status_code == 401
    assert calling(other["access"]).get(LIST).status_code == 200
    entry = AuditEntry.objects.get(deed="token.reused")
    assert (entry.organization, entry.actor) == (northwind(), "bob")
    assert TokenFamily.objects.get(was_reused=True).revoked_at


def test_a_refresh_token_lasts_a_day_and_a_family_thirty():
    with time_machine.travel(NOW, tick=False) as clock:
        found = tokens_of(bob())
        clock.shift(timedelta(days=1))
        assert post(REFRESH, refresh=found["refresh"]).status_code == 401
        found = tokens_of(bob())
        for hour in range(12, 30 * 24, 12):
            clock.move_to(NOW + timedelta(days=1, hours=hour))
            found = post(REFRESH, refresh=found["refresh"]).json()
        clock.shift(timedelta(hours=12))
        assert post(REFRESH, refresh=found["refresh"]).status_code == 401


def test_giving_a_token_back_ends_its_family_at_once_and_says_nothing_of_others():
    found = tokens_of(bob())
    assert post(REVOKE, refresh=found["refresh"]).json() == {"status": "revoked"}
    assert calling(found["access"]).get(LIST).status_code == 401
    assert post(REFRESH, refresh=found["refresh"]).status_code == 401
    assert post(REVOKE, refresh=found["refresh"]).json() == {"status": "revoked"}
    assert post(REVOKE, refresh="nonsense").json() == {"status": "revoked"}
    assert AuditEntry.objects.filter(deed="token.revoked").count() == 1


def test_a_new_password_and_a_switched_off_person_end_all_tokens():
    found = tokens_of(bob())
    person = User.objects.get(username="bob")
    person.set_password("another one, quite long")
    person.save()
    assert calling(found["access"]).get(LIST).status_code == 401
    assert post(REFRESH, refresh=found["refresh"]).status_code == 401
    found = tokens_of(charlie())
    User.objects.filter(username="charlie").update(is_active=False)
    assert calling(found["access"]).get(LIST).status_code == 401


def test_a_role_that_was_taken_away_is_gone_before_the_token_is():
    instance = an_instance()
    client = calling(tokens_of(alice())["access"])
    Membership.objects.filter(user=alice()).update(role=Role.VIEWER.value)
    assert client.post(f"{LIST}/{instance.pk}/evaluate", {}, content_type="application/json").status_code == 403
    Membership.objects.filter(user=alice()).delete()
    assert client.get(LIST).status_code == 403


def test_a_token_works_for_the_organization_it_names_or_another_of_its_persons():
    person = bob()
    second = an_organization("Eastwind")
    Membership.objects.create(organization=second, user=person, role=Role.VIEWER.value)
    an_instance(name="northern")

    def seen(client: Client, query: str = "") -> list[str]:
        return [row["name"] for row in client.get(LIST + query).json()["results"]]

    first_by_name = calling(tokens_of(person)["access"])
    assert seen(first_by_name) == []
    assert seen(first_by_name, f"?customer_id={northwind().pk}") == ["northern"]
    assert seen(calling(tokens_of(person, customer_id=str(northwind().pk))["access"])) == ["northern"]


def test_a_strangers_organization_is_not_there_for_a_token():
    an_instance(name="northern")
    client = calling(tokens_of(charlie())["access"])
    foreign = client.get(f"{LIST}?customer_id={northwind().pk}")
    absent = client.get(f"{LIST}?customer_id={'0' * 32}")
    assert (foreign.status_code, said(foreign)) == (404, said(absent))
    assert post(TOKEN, username="charlie", password=PASSWORD, customer_id=str(northwind().pk)).status_code == 404
    assert client.get(f"{LIST}?customer_id={southwind().pk}").status_code == 200


def test_what_a_token_takes_to_check(django_assert_num_queries):
    client = calling(tokens_of(bob())["access"])
    an_instance()
    with django_assert_num_queries(5):  # the family with its person, their memberships, the count, the page, its models
        client.get(LIST)
