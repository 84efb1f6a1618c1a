"""The whole demo, once for all stories that need it."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Browser, BrowserContext, Page

from spotopt.local import house, services
from tests.plugin import ROOT

PATIENCE = 400  # s; a first start makes its database and fetches 90 days of prices
PICTURES = ROOT / "test-results"
LOOKS = [("light", 1280, 900), ("dark", 390, 844)]
TOTP_STEP = 30  # s, what every authenticator takes


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """A demo that serves pages, as whoever started it sees it."""

    state: Path
    address: str
    process: subprocess.Popen[str]
    said: Path

    @property
    def password(self) -> str:
        """Alice's, as printed."""
        return self.password_of("alice")

    @property
    def cloud(self) -> str:
        """Where its local AWS answers, as printed."""
        printed = re.search(r"^local cloud .* (http://\S+)$", self.said.read_text(), re.MULTILINE)
        assert printed, self.said.read_text()
        return printed[1]

    def password_of(self, name: str) -> str:
        return str(json.loads((self.state / "credentials.json").read_text())["passwords"][name])

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def start_demo(state: Path, *words: str) -> RunningDemo:
    """./run demo on a state of its own, as soon as it says that it is up."""
    port, said = house.free_port(), state.parent / f"{state.name}.said"
    ours = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_CACHE_URL"}}
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "spotopt.local.demo", "--port", str(port), *words],
            cwd=ROOT,
            env={**ours, "SPOTOPT_STATE": os.fspath(state), "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    deadline = time.monotonic() + PATIENCE
    while "Ctrl-C stops everything" not in said.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the demo did not come up:\n{said.read_text()}")
        time.sleep(0.2)
    return RunningDemo(state, f"http://127.0.0.1:{port}", process, said)


@pytest.fixture(scope="session")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    demo = start_demo(tmp_path_factory.mktemp("demo") / "state")
    assert re.search(r"user alice, password \S{12,}", demo.said.read_text())
    yield demo
    demo.stop()
    services.erase(demo.state)  # as root part of it lies elsewhere


class Visit:
    """A person's own browser: one size, one theme. What is wrong in any of its pages is kept in `trouble`."""

    def __init__(self, browser: Browser, address: str, look: tuple[Any, int, int], patience_ms: int) -> None:
        self._browser, self._address, self._patience = browser, address, patience_ms
        self.scheme, self.width, self._height = look
        self._contexts: list[BrowserContext] = []
        self.trouble: list[str] = []

    def page(self, kept: Any = None) -> Page:
        """A page with cookies of its own, or those that were `kept` of another."""
        context = self._browser.new_context(
            viewport={"width": self.width, "height": self._height},
            color_scheme=self.scheme,
            base_url=self._address,
            storage_state=kept,
        )
        context.set_default_timeout(self._patience)
        context.on("weberror", lambda problem: self.trouble.append(str(problem.error)))
        context.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        self._contexts.append(context)
        return context.new_page()

    def look(self, page: Page, name: str) -> None:
        """Keep a picture, and refuse a page that is wider than its window."""
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}-{self.scheme}-{self.width}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name}: the page is {wide} pixels wider than the window"

    def end(self) -> None:
        for context in self._contexts:
            context.close()


def next_code(secret: str, *, after: int = 0) -> tuple[str, int]:
    """What an authenticator with that secret shows, and its turn. A turn works once: `after` it comes the next."""
    totp = TOTP(base64.b32decode(secret.replace(" ", "")), TOTP_STEP)
    totp.time = time.time()
    if totp.t() <= after:
        totp.time += TOTP_STEP  # one step early is taken
    return f"{totp.token():06d}", totp.t()
