"""Does each answer, of every route, forbid the browser what no page of ours needs, and does no page need it?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.architecture.addresses import Route, routes
from tests.architecture.test_stranger import alices_world
from tests.factories import PASSWORD, a_browser, a_person, alice, northwind

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
WANTED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}
DATA = {"application/json", "application/ld+json"}  # a script element that no browser runs
SWITCHED_OFF = {
    "allowEval": False,
    "allowScriptTags": False,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
    "historyCacheSize": 0,
}


class Inline(HTMLParser):
    """What a page runs or styles by itself, instead of by a file of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.htmx: dict[str, object] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "script" and "src" not in given and given.get("type") not in DATA:
            self.found.append("<script>")
        if tag == "style":
            self.found.append("<style>")
        for name, value in given.items():
            is_run = name == "style" or name.startswith(("on", "hx-on", "data-hx-on")) or "javascript:" in value.lower()
            is_read_as_code = name in ("hx-vals", "hx-headers", "hx-vars") and re.match(
                r"(?i)\s*(js|javascript):", value
            )
            is_filter = name == "hx-trigger" and "[" in value
            if is_run or is_read_as_code or is_filter:
                self.found.append(f"{tag} {name}={value[:40]}")
        if given.get("name") == "htmx-config":
            self.htmx = json.loads(given["content"])


def everybody() -> Iterator[tuple[str, Client, list[Route]]]:
    """Who asks, and at which routes they are let in; nobody at all of them."""
    owner, root = a_person(organization=northwind()), a_person("root", is_staff=True, is_superuser=True)
    admin = [route for route in routes() if route.template.startswith(settings.ADMIN_PATH)]
    yield "nobody", Client(), list(routes())
    yield "an owner", a_browser(owner), [route for route in routes() if route not in admin]
    yield "staff", a_browser(root), admin


def test_every_route_answers_with_the_same_strict_headers_and_no_inline_script_or_style(settings):
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    ids = alices_world().ids
    wrong, pages = [], 0
    for who, client, theirs in everybody():
        client.raise_request_exception = False
        for route in theirs:
            answer = client.get(route.filled(ids), secure=True)
            wrong += [f"{who} {route.template}: {each}" for each in missing(answer)]
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                pages += 1
                wrong += [f"{who} {route.template}: {each}" for each in inline(answer)]
    assert not wrong, "\n".join(sorted(set(wrong))[:30])
    assert pages > 100


def missing(answer) -> list[str]:
    told = answer.headers
    found = [f"{name} is {told.get(name)}" for name, value in WANTED.items() if told.get(name) != value]
    policy = dict(part.strip().partition(" ")[::2] for part in told.get("Content-Security-Policy", "").split(";"))
    found += [f"CSP {name} is {policy.get(name)}" for name, value in POLICY.items() if policy.get(name) != value]
    found += [f"CSP has {word}" for word in ("unsafe", "http:", "https:", "*") if word in str(policy)]
    if "camera=()" not in told.get("Permissions-Policy", ""):
        found.append("no Permissions-Policy")
    if told.get("Strict-Transport-Security") != "max-age=31536000; includeSubDomains; preload":
        found.append("no HSTS")
    if not ({"no-store", "no-cache"} & set(re.split(r", ?", told.get("Cache-Control", "")))):
        found.append(f"Cache-Control is {told.get('Cache-Control')}")
    if not re.fullmatch(r"[0-9a-f]{32}", told.get("X-Request-Id", "")):
        found.append("no request id")
    return found


def inline(answer) -> list[str]:
    page = Inline()
    page.feed(answer.content.decode())
    wrong = [f"{name} is {page.htmx.get(name)}" for name, off in SWITCHED_OFF.items() if page.htmx.get(name) != off]
    return page.found + (wrong if page.htmx else [])


def test_a_page_with_htmx_has_it_locked_down(client):
    page = Inline()
    page.feed(client.get("/sign-in/").content.decode())
    assert page.htmx.items() >= SWITCHED_OFF.items()


@pytest.mark.parametrize(
    "text, found",
    [
        ("<script>1</script>", "<script>"),
        ("<p onclick='x()'>", "p onclick=x()"),
        ("<a href='JavaScript:x'>", "a href=JavaScript:x"),
        ("<p style='color:red'>", "p style=color:red"),
        ("<p hx-vals='js:{a:1}'>", "p hx-vals=js:{a:1}"),
        ("<p hx-trigger='click[ctrlKey]'>", "p hx-trigger=click[ctrlKey]"),
    ],
)
def test_the_look_for_inline_code_finds_it(text, found):
    page = Inline()
    page.feed(text)
    assert page.found == [found]


def test_cookies_of_a_session_are_for_this_site_over_tls_only(settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client = Client()
    page = client.get("/sign-in/", secure=True)
    alice()
    signed = client.post("/sign-in/", {"username": "alice", "password": PASSWORD}, secure=True)
    assert signed.status_code == 302
    for cookie in (page.cookies["csrftoken"], signed.cookies["sessionid"]):
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


def test_django_finds_nothing_to_warn_of_in_a_deployment():
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": os.environ["PATH"], **example},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_http_is_sent_to_https_but_for_who_supervises_us(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/prices/").headers["Location"] == "https://testserver/prices/"
    assert client.get("/healthz").status_code == 200
