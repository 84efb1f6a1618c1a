"""Does a POST that is sent again with its key do nothing twice, answer as before, and tell nobody else?"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from accounts import idempotency, tasks
from accounts.authentication import member, requires
from accounts.domain import Role, Scope
from accounts.idempotency import LEASE, LIFETIME, MOST_KEPT, REPLAYED, Repeatable
from accounts.models import AuditEntry, AwsAccount, IdempotencyKey
from accounts.refusals import DependencyDown, Unusable
from spotopt import urls
from tests.factories import NOW, a_browser, a_person, a_program, alice, charlie, northwind, southwind

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
ACCOUNTS = "/api/v1/lab/accounts"
SHOP = {"account_id": "111122223333", "name": "shop", "regions": ["eu-west-3"]}

done: list[object] = []  # deeds of the views below
how: dict[str, object] = {}  # how the next one ends


class Deed(Repeatable):
    """Counts itself, and ends as `how` says."""

    permission_classes = (requires(scope=Scope.EXECUTE, role=Role.OPERATOR),)

    def post(self, request):
        done.append(request.data)
        if "begun" in how:
            how["begun"].set()
            how["go_on"].wait(30)
        if "raises" in how:
            raise how["raises"]
        body = how.get("body", {"deed": len(done)})
        return Response(body, status=201, headers={"Location": "/deeds/1", "ETag": '"1"', "X-Other": "x"})


class SecretDeed(Deed):
    holds_secrets = True
    look = "Look under the mat."


class FileDeed(Deed):
    parser_classes = (MultiPartParser,)

    def post(self, request):
        done.append(request.data["file"].read())
        return Response({"deed": len(done)})


urlpatterns = [
    path("", include(urls.urlpatterns)),
    path("deeds", Deed.as_view()),
    path("secrets", SecretDeed.as_view()),
    path("files", FileDeed.as_view()),
]


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()
    how.clear()


def send(client, address="/deeds", body=None, *, key="first", **options):
    body = {"what": "this"} if body is None else body
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(address, body, content_type="application/json", headers=headers, **options)


def an_executor() -> Client:
    return a_program(northwind(), Scope.EXECUTE)


def refusal(answer) -> tuple[int, object]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content
    return answer.status_code, answer.json()["state"]


def test_the_same_key_and_body_get_the_first_answer_again_and_do_nothing():
    program = an_executor()
    first, again = send(program), send(program)
    assert (len(done), again.status_code, again.content) == (1, 201, first.content)
    assert [again.headers[name] for name in ("Location", "ETag", "Content-Type")] == [
        first.headers[name] for name in ("Location", "ETag", "Content-Type")
    ]
    assert (first.headers.get(REPLAYED), again.headers[REPLAYED]) == (None, "true")
    assert "X-Other" not in again.headers
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


def test_without_a_key_and_with_another_key_it_is_done_again():
    program = an_executor()
    for key in (None, None, "first", "second"):
        assert send(program, key=key).status_code == 201
    assert len(done) == 4


@pytest.mark.parametrize("other", [{"body": {"what": "that"}}, {"address": "/deeds?at=2"}, {"address": "/secrets"}])
def test_the_same_key_with_another_request_is_refused_and_does_nothing(other):
    program = an_executor()
    send(program)
    answer = send(program, **other)
    assert refusal(answer) == (409, "other_request")
    assert "new one" in answer.json()["detail"]
    assert len(done) == 1


@pytest.mark.parametrize("key", ["", "two words", "é", "x" * 201])
def test_what_is_no_key_is_refused(key):
    answer = send(an_executor(), key=key)
    assert (answer.status_code, done) == (400, [])
    assert "1 to 200" in answer.json()["detail"]


def test_a_refusal_of_the_deed_is_repeated_too():
    program = an_executor()
    how["raises"] = Unusable(errors=[{"pointer": "#/what", "detail": "Not this."}])
    first = send(program)
    how.clear()
    again = send(program)
    assert (len(done), again.status_code, again.content) == (1, 422, first.content)
    assert again.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("error", [DependencyDown("Redis"), Throttled(5)])
def test_what_says_try_again_may_be_tried_again(error):
    program = an_executor()
    how["raises"] = error
    assert send(program).status_code in (429, 503)
    how.clear()
    assert send(program).status_code == 201
    assert len(done) == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_does_the_deed_and_the_other_is_told_it_is_in_flight():
    program = an_executor()
    how.update(begun=threading.Event(), go_on=threading.Event())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_and_close, send, program)
        assert how["begun"].wait(30)
        second = send(program)
        how["go_on"].set()
        answered = first.result(30)
    assert refusal(second) == (409, "in_flight")
    assert (answered.status_code, len(done)) == (201, 1)
    assert send(program).content == answered.content
    assert len(done) == 1


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_make_one_account():
    clients = [a_browser(alice()) for _ in range(8)]
    start = threading.Barrier(8)

    def go(client):
        start.wait(30)
        return send(client, ACCOUNTS, SHOP)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: _and_close(go, client), clients))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201, *[409] * 7]
    told = [answer.json()["state"] for answer in answers if answer.status_code == 409]
    assert all(state == "in_flight" or "done" in state for state in told)  # never "it is there already"
    assert AwsAccount.objects.count() == AuditEntry.objects.filter(deed="account.enrolled").count() == 1


def _and_close(function, *args):
    """Each thread has a connection of its own, and nobody else closes it."""
    try:
        return function(*args)
    finally:
        connection.close()


@pytest.mark.parametrize("end", [SystemExit(), ZeroDivisionError("a fault of ours")])
def test_after_a_crash_nobody_knows_whether_it_was_done_and_it_is_not_done_twice(end):
    program = an_executor()
    program.raise_request_exception = False
    how["raises"] = end
    with time_machine.travel(NOW, tick=False):
        if isinstance(end, SystemExit):  # the worker died: nobody could say that it broke off
            with pytest.raises(SystemExit):
                send(program)
            assert refusal(send(program)) == (409, "in_flight")
        else:
            assert send(program).status_code == 500
    how.clear()
    with time_machine.travel(NOW + LEASE, tick=False):
        answer = send(program)
    assert refusal(answer) == (409, "unknown")
    assert "new key" in answer.json()["detail"]
    assert len(done) == 1


def a_lock_not_to_be_had() -> OperationalError:
    error = OperationalError("canceling statement due to lock timeout")
    error.__cause__ = psycopg.errors.LockNotAvailable()
    return error


def test_a_lost_connection_may_have_lost_the_word_of_a_commit_and_a_lock_has_not():
    program = an_executor()
    how["raises"] = OperationalError("server closed the connection unexpectedly")
    assert send(program).status_code == 503
    how["raises"] = a_lock_not_to_be_had()
    assert send(program, key="second").status_code == 503
    how.clear()
    assert refusal(send(program)) == (409, "unknown")
    assert send(program, key="second").status_code == 201


def test_an_answer_that_comes_after_the_lease_is_kept_all_the_same():
    program = an_executor()

    class Late:
        def set(self):
            traveller.shift(LEASE * 2)

        def wait(self, seconds):
            return True

    how.update(begun=Late(), go_on=Late())
    with time_machine.travel(NOW, tick=False) as traveller:
        assert send(program).status_code == 201
        assert send(program).headers[REPLAYED] == "true"


def test_an_answer_with_a_secret_is_not_kept_and_the_repeat_says_where_to_look():
    program = an_executor()
    how["body"] = {"secret": "sesame"}
    send(program, "/secrets")
    again = send(program, "/secrets")
    status, state = refusal(again)
    assert (status, state["done"]["status"], state["done"]["location"], len(done)) == (409, 201, "/deeds/1", 1)
    assert "Look under the mat." in again.json()["detail"]
    assert "sesame" not in str(IdempotencyKey.objects.values())


def test_the_external_id_of_an_account_is_kept_with_no_key():
    program = a_program(northwind(), Scope.MANAGE, Scope.READ)
    made = send(program, ACCOUNTS, SHOP)
    again = send(program, ACCOUNTS, SHOP)
    assert refusal(again)[1]["done"]["location"] == made.headers["Location"]
    assert made.json()["external_id"] not in str(IdempotencyKey.objects.values()) + again.content.decode()
    assert program.get(made.headers["Location"]).json()["external_id"] == made.json()["external_id"]


def test_a_longer_answer_than_is_kept_is_told_of_and_not_done_again():
    program = an_executor()
    how["body"] = {"long": "x" * MOST_KEPT}
    send(program)
    assert "done" in refusal(send(program))[1]
    assert len(done) == 1


def test_another_organization_with_the_same_key_does_its_own_deed():
    send(an_executor())
    assert send(a_program(southwind(), Scope.EXECUTE)).json() == {"deed": 2}
    assert send(a_browser(charlie()), key="second").json() == {"deed": 3}


def test_a_colleague_with_the_same_key_sees_no_answer_of_somebody_elses():
    send(a_browser(alice()))
    other = a_browser(a_person(organization=northwind(), role=Role.OPERATOR))
    assert refusal(send(other)) == (409, "other_request")


def test_whoever_may_not_do_it_learns_nothing_of_the_key():
    send(a_browser(alice()))
    viewer = a_browser(a_person(organization=northwind(), role=Role.VIEWER))
    assert send(viewer).status_code == 403
    assert send(Client()).status_code == 401


def test_keys_of_the_platform_are_apart_from_each_other_and_from_every_organization():
    first, second = a_program(None, Scope.EXECUTE), a_program(None, Scope.EXECUTE)
    named = f"/deeds?customer_id={northwind().pk}"
    answers = [send(client, named).json()["deed"] for client in (first, second, first, an_executor())]
    assert answers == [1, 2, 1, 3]


def test_a_person_of_no_organization_has_keys_too():
    nobodys = a_person(is_staff=True)
    idempotency.claim(member(nobodys, None), "first", "f" * 64, now=timezone.now())
    assert IdempotencyKey.objects.get().person == nobodys


def test_a_form_with_the_same_file_is_the_same_whatever_its_boundary():
    program = an_executor()
    headers = {"Idempotency-Key": "first"}

    def upload(content: bytes, **fields):
        file = SimpleUploadedFile("model.txt", content)
        return program.post("/files", {"file": file, **fields}, headers=headers)

    assert upload(b"tree", name="a").json() == {"deed": 1}
    bodies = {upload(b"tree", name="a").content for _ in range(2)}
    assert (bodies, done) == ({b'{"deed":1}'}, [b"tree"])
    assert refusal(upload(b"leaf", name="a")) == (409, "other_request")
    assert refusal(upload(b"tree", name="b")) == (409, "other_request")


def test_a_key_lives_for_a_day_and_is_then_removed():
    program = an_executor()
    with time_machine.travel(NOW, tick=False):
        send(program)
    with time_machine.travel(NOW + LIFETIME - timedelta(seconds=1), tick=False):
        tasks.forget_idempotency_keys()
        assert send(program).headers[REPLAYED] == "true"
    with time_machine.travel(NOW + LIFETIME, tick=False):
        assert send(program).json() == {"deed": 2}  # also before the clean-up came by
    with time_machine.travel(NOW + LIFETIME * 2, tick=False):
        assert idempotency.forget(now=timezone.now()) == 1
    assert not IdempotencyKey.objects.exists()
