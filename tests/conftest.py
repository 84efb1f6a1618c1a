"""What does every test find: a migrated database as `app`, an empty Redis, a browser where asked for?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.contrib.auth.signals import user_logged_in
from django.db import connections
from django.test import TransactionTestCase
from playwright.sync_api import Browser, sync_playwright

from tests import databases, plugin
from tests.fakes.cloud import (  # noqa: F401  (fixtures of every test)
    cloud_process,
    inner_cloud,
    local_cloud,
    one_inner_cloud,
)
from tests.served import Served


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None) -> Iterator[None]:
    """One clone of the migrated template for this worker; a new one after each test that commits."""
    plugin.wait_until_ready()
    databases.migrate_template()
    databases.renew()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _renew_database)
        yield
    connections.close_all()
    databases.drop()


def _renew_database(_: TransactionTestCase) -> None:
    connections.close_all()
    databases.renew()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """A hash that takes half a second on purpose is for people, not for tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _staff_have_said_why_they_look() -> Iterator[None]:
    """Or each story of the admin would begin with the form that asks; tests/accounts/test_staff_site.py fills it in."""

    def say(request: Any, user: Any, **_: object) -> None:
        if user.is_staff:
            request.session["admin_reason"] = "a test asks"

    user_logged_in.connect(say)
    yield
    user_logged_in.disconnect(say)


@pytest.fixture(autouse=True)
def _empty_redis(request: pytest.FixtureRequest) -> None:
    """A test finds its broker and its cache empty; rules have neither."""
    if "domain" not in request.path.parts:
        for client in request.getfixturevalue("_own_redis"):
            client.flushdb()


@pytest.fixture(scope="session")
def _own_redis() -> Iterator[list[redis.Redis]]:
    socket = os.fspath(plugin.running().redis_socket)
    clients = [redis.Redis(unix_socket_path=socket, db=number) for number in plugin.redis_databases()]
    yield clients
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def live_server() -> Iterator[Served]:
    """Pages and sockets, as the demo serves them."""
    server = Served()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, without a head. In CI a missing one is a failure, elsewhere a skip that says what to do."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no chromium for browser tests: apt-get install -y chromium")
    # playwright's loop runs in this thread, and Django would refuse every query beside it
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
