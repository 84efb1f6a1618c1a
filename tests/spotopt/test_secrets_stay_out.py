"""Does a secret, pushed through every edge, ever stand in a log line? And does each line say whose request it was?"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from django.views.debug import ExceptionReporter

from accounts import tokens, tracing
from accounts.domain import Scope
from spotopt import redaction, requests
from spotopt.celery import app
from spotopt.local import house
from tests.architecture.addresses import routes
from tests.architecture.test_stranger import alices_world
from tests.factories import PASSWORD, a_browser, a_person, alice, an_account, an_api_key, bob, northwind

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-7f3a91c2d4e8"
PATIENCE = 60  # s


@contextlib.contextmanager
def log(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    """All that is logged meanwhile, at every level, as our handler would write it."""
    lines, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(lines), root.level
    handler.setFormatter(formatter)
    handler.addFilter(requests.RequestFilter())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class Unredacted(redaction.JsonLine):
    """The line as it would be without the second wall."""

    def format(self, record: logging.LogRecord) -> str:
        return super(redaction.JsonLine, self).format(record)


# --- Nothing of ours writes one -----------------------------------------------------------------------------------
def callers(settings: Any) -> tuple[dict[str, Client], list[str]]:
    """Everybody who has a secret, and the secrets."""
    key = an_api_key(northwind(), *Scope)
    pair = tokens.issue(alice(), northwind(), has_second_factor=True, now=timezone.now())
    owner, root = a_browser(alice()), a_browser(a_person("root", is_staff=True, is_superuser=True))
    clients = {
        "a key": Client(headers={"Authorization": f"Api-Key {key}"}),
        "a bad key": Client(headers={"Authorization": f"Api-Key spotopt_{CANARY}"}),
        "a token": Client(headers={"Authorization": f"Bearer {pair.access}"}),
        "a session": owner,
        "staff": root,
    }
    sessions = [client.cookies[settings.SESSION_COOKIE_NAME].value for client in (owner, root)]
    return clients, [key, pair.access, pair.refresh, *sessions]


PARTS = {"a key": "api/", "a bad key": "api/", "a token": "api/", "a session": "", "staff": "admin/"}
SLOW = "api/v1/ml/health"  # waits for workers that are not there
ENDS = ("sign-out/", "admin/logout/")


@pytest.mark.django_db
@pytest.mark.timeout(300)
def test_no_route_logs_what_was_sent_to_it(settings):
    ids = {**alices_world().ids, ("invitations", "text"): CANARY}
    settings.LOGGING_CONFIG = None  # django-celery-beat's form sets Django up again, and our handler would be gone
    clients, secrets = callers(settings)
    account = an_account(northwind(), name="shop")
    sent = dict.fromkeys(("password", "refresh", "external_id", "ticket", "code", "username", "text", "q"), CANARY)
    secrets += [CANARY, account.external_id, settings.SECRET_KEY, settings.AUDIT_KEY]
    asked = 0
    with log(Unredacted()) as lines:
        for who, client in clients.items():
            client.raise_request_exception = False
            for route in routes():
                is_its_own = route.template.startswith(PARTS[who])
                is_staffs = route.template.startswith("admin/") and who != "staff"
                if not is_its_own or is_staffs or route.template in (SLOW, *ENDS):
                    continue
                address = f"{route.filled(ids)}?token={CANARY}"
                if who != "staff":
                    client.get(address)
                body = (json.dumps(sent), "application/json") if "api/" in address else (sent,)
                client.post(address, *body)
                asked += 1 if who == "staff" else 2
    text = lines.getvalue()
    assert asked > 200
    assert text.count('"event": "answered"') == asked
    told = [line[:300] for line in text.splitlines() if any(secret in line for secret in secrets)]
    assert told == []


@pytest.mark.django_db
def test_signing_in_and_coming_back_with_an_old_token_says_nothing_of_them(client):
    alice()
    with log(Unredacted()) as lines:
        pair = client.post("/api/v1/auth/token/", {"username": "alice", "password": PASSWORD}, "application/json")
        old = pair.json().get("refresh", "")
        for _ in range(2):
            client.post("/api/v1/auth/token/refresh/", {"refresh": old}, "application/json")
        client.post("/sign-in/", {"username": "alice", "password": PASSWORD})
        client.post("/sign-in/", {"username": "alice", "password": CANARY})
    assert pair.status_code == 200
    text = lines.getvalue()
    assert [s for s in (PASSWORD, CANARY, old, client.cookies["sessionid"].value) if s and s in text] == []


@pytest.mark.django_db
def test_a_line_names_the_request_and_the_organization_and_the_answer_the_same_request(client):
    with log(redaction.JsonLine()) as lines:
        refused = a_browser(bob()).get("/api/v1/lab/instances?limit=none")
    [line] = [json.loads(each) for each in lines.getvalue().splitlines() if '"answered"' in each]
    assert refused.json()["request_id"] == refused.headers["X-Request-Id"] == line["request_id"]
    assert line["organization"] == str(northwind().pk)
    assert (line["method"], line["route"], line["status"]) == ("GET", "api/v1/lab/instances", 422)
    assert line["level"] == "info"
    assert line["ms"] > 0


def test_on_a_console_the_facts_stand_behind_the_words():
    with log(redaction.PlainLine()) as lines:
        logging.getLogger("tests").warning("prices kept", extra={"written": 12, "password": CANARY})
    assert "WARNING tests prices kept written=12 password=[kept out]" in lines.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("proxies, is_kept", [(0, False), (1, True)])
def test_a_request_id_is_taken_from_a_proxy_of_ours_only(client, settings, proxies, is_kept):
    settings.PROXIES = proxies
    told = client.get("/healthz", headers={"X-Request-Id": "from-the-proxy-1"}).headers["X-Request-Id"]
    assert (told == "from-the-proxy-1") is is_kept
    assert client.get("/healthz", headers={"X-Request-Id": "two\nlines"}).headers["X-Request-Id"] != "two\nlines"


# --- The second wall ----------------------------------------------------------------------------------------------
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlMTIz"


@pytest.mark.parametrize(
    "said, secret",
    [
        ("Authorization: Api-Key spotopt_0a1b2c3d_abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz"),
        (f"refused {JWT}", JWT),
        ("assumed with spotopt-abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("GET /invitations/abcdefghijklmnopqrst/ failed", "abcdefghijklmnopqrst"),
        ("redis://:hush-hush@cache:6379/0 is away", "hush-hush"),
        ("postgresql://app:hush-hush@db/spotopt", "hush-hush"),
        ("{'password': 'correct horse battery staple'}", "horse battery"),
        ('{"password": "correct \\"horse\\" staple"}', "horse"),
        ('{"said": "{\\"password\\": \\"correct\\"}"}', "correct"),
        ("GET /x?ticket=abc123&b=1", "abc123"),
        ("Cookie: sessionid=abc123; csrftoken=def456", "abc123"),
        ("sessionid=abc123; csrftoken=def456", "def456"),
        ("ExternalId=abc123", "abc123"),
    ],
)
def test_what_is_shaped_or_named_like_a_secret_is_blackened(said, secret):
    assert secret in said
    assert secret not in redaction.redacted(said)
    assert redaction.BLACK in redaction.redacted(said)


@pytest.mark.parametrize(
    "said", ["12 rows of eu-west-3", "postgresql://db/spotopt", "pool m5.large use1-az1: no password"]
)
def test_other_lines_stay_as_they_are(said):
    assert redaction.redacted(said) == said


@pytest.mark.parametrize("formatter", [redaction.JsonLine, redaction.PlainLine])
def test_an_exception_that_quotes_the_installations_secrets_is_logged_without_them(settings, monkeypatch, formatter):
    password = f'{CANARY}"quoted\\'
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", password)
    settings.REDIS_BROKER_URL = "redis://:broker%2Fsecret@queue/0"
    redaction._own_secrets.cache_clear()
    secrets = [settings.SECRET_KEY, settings.AUDIT_KEY, settings.SIMPLE_JWT["SIGNING_KEY"], "broker/secret", password]
    with log(formatter()) as lines:
        try:
            raise RuntimeError(" ".join(secrets), password)
        except RuntimeError:
            logging.getLogger("tests").exception("failed for %s", secrets, extra={"all": secrets})
    redaction._own_secrets.cache_clear()
    assert "RuntimeError" in lines.getvalue()
    assert [secret for secret in (*secrets, CANARY) if secret in lines.getvalue()] == []


def test_a_report_of_an_exception_shows_no_form_and_no_secret(settings):
    request = RequestFactory().post("/sign-in/", {"password": CANARY, "note": CANARY})
    request.COOKIES["sessionid"] = CANARY
    password, held = CANARY, {"Authorization": f"Bearer {JWT}"}
    try:
        raise RuntimeError(f"{len(password)} {len(held)}")
    except RuntimeError:
        reporter = ExceptionReporter(request, *sys.exc_info())
    for report in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        assert "RuntimeError" in report
        told = [
            s for s in (CANARY, JWT, settings.SECRET_KEY, settings.AUDIT_KEY, settings.REDIS_CACHE_URL) if s in report
        ]
        # the line of source that made the canary is shown, and names the constant only
        assert told == []


# --- Whole processes ----------------------------------------------------------------------------------------------
@contextlib.contextmanager
def a_process(tmp_path: Path, *command: str, **environment: str) -> Iterator[Path]:
    said = tmp_path / "said"
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, "LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield said
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until(said: Path, *words: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while not all(word in said.read_text() for word in words):
        assert time.monotonic() < deadline, said.read_text()[-3000:]
        time.sleep(0.05)
    return said.read_text()


@pytest.mark.django_db
def test_a_server_with_its_services_away_logs_neither_address_nor_header_nor_password(tmp_path):
    port = house.free_port()
    away = {
        "SECRET_KEY": f"{CANARY}-secret-key-0123456789-0123456789",
        "AUDIT_KEY": f"{CANARY}-audit-key-0123456789-0123456789",
        "DATABASE_URL": f"postgresql://app:{CANARY}-database@127.0.0.1:1/away",
        "REDIS_BROKER_URL": f"redis://:{CANARY}-broker@127.0.0.1:1/0",
        "REDIS_CACHE_URL": f"redis://:{CANARY}-cache@127.0.0.1:1/0",
    }
    with a_process(tmp_path, "uvicorn", "spotopt.asgi:application", "--port", str(port), **away) as said:
        until(said, "Uvicorn running")
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        headers = {"Authorization": f"Api-Key {CANARY}", "Cookie": f"sessionid={CANARY}", "X-Canary": CANARY}
        for path in ("/", f"/invitations/{CANARY}-0123456789/", f"/api/v1/lab/instances?token={CANARY}", "/readyz"):
            asked.request("GET", path, headers=headers)
            answer = asked.getresponse()
            assert answer.status in (302, 401, 503), (path, answer.status)
            answer.read()
        text = until(said, '"api/v1/lab/instances"', '"readyz"')
    assert "OperationalError" in text  # it did fail, and did log
    assert CANARY not in text


@pytest.mark.django_db
def test_a_job_logs_under_the_request_that_asked_for_it_and_under_its_own_id_otherwise(tmp_path):
    token, owner = tracing.request_id.set("request-4711"), tracing.organization.set(CANARY)
    asked = app.send_task("accounts.tasks.seal_audit")
    tracing.request_id.reset(token), tracing.organization.reset(owner)
    tracing.organization.set("")  # a job that ran in this process before may have left its own
    alone = app.send_task("instances.tasks.sync_account", args=[99_999_999])
    command = ("celery", "-A", "spotopt", "worker", "--pool", "solo", "-Q", "scan,ingest", "-l", "INFO")
    with a_process(tmp_path, *command) as said:
        text = until(said, f"seal_audit[{asked.id}] succeeded", f"{alone.id}] raised")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    [done] = [line for line in lines if f"{asked.id}] succeeded" in line["event"]]
    assert (done["request_id"], done["organization"]) == ("request-4711", CANARY)
    [failed] = [line for line in lines if f"{alone.id}] raised" in line["event"]]
    assert (failed["request_id"], failed["organization"]) == (alone.id, "")
