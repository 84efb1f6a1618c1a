"""The whole demo, once for all stories that need it."""

from __future__ import annotations

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

import pytest

from spotopt.local import house, services
from tests.plugin import ROOT

PATIENCE = 400  # s; a first start makes its database and fetches 90 days of prices


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
        return str(json.loads((self.state / "credentials.json").read_text())["passwords"]["alice"])

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
