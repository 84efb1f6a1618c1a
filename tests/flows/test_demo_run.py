"""One cycle decides and ends; a demo that is killed takes everything along, and comes back on what it had."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spotopt.local import house, services
from tests.flows.conftest import PATIENCE, start_demo
from tests.plugin import ROOT

pytestmark = pytest.mark.timeout(900)


def belongings(state):
    """The processes whose environment or command names this state."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            is_dead = (folder / "stat").read_text().split(")")[-1].split()[0] == "Z"
        except OSError:
            continue
        if str(state).encode() in told and not is_dead:
            found.append(int(folder.name))
    return found


def until_nothing_is_left(state):
    deadline = time.monotonic() + 30
    while left := belongings(state):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.1)


def one_cycle(state):
    """./run demo --once, to its end."""
    ours = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-m", "spotopt.local.demo", "--once"],
        cwd=ROOT,
        env={**ours, "SPOTOPT_STATE": os.fspath(state)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="counts processes by /proc")
def test_one_cycle_decides_then_a_killed_demo_leaves_no_process_and_comes_back_with_its_data(tmp_path):
    state = tmp_path / "state"
    told = one_cycle(state)
    assert told.returncode == 0, told.stdout + told.stderr
    until_nothing_is_left(state)
    summary = json.loads((state / "decisions.json").read_text())
    assert str(state / "decisions.json") in told.stdout
    assert summary["switch"] > 0
    assert summary["stay"] > 0
    assert summary["switch"] + summary["stay"] == summary["instances"] == len(summary["decisions"])
    assert all(row["reason"] and row["decision_id"] for row in summary["decisions"])
    printed = [line.split()[0] for line in told.stdout.splitlines() if line.startswith(("SWITCH ", "STAY "))]
    assert printed == [row["decision"] for row in summary["decisions"]]

    first = start_demo(state)
    assert "migrations … ok" in first.said.read_text()
    assert "nothing due" in first.said.read_text()
    assert house.answers(f"{first.address}/readyz")
    assert len(belongings(state)) > 5
    first.process.kill()
    first.process.wait()
    until_nothing_is_left(state)

    again = start_demo(state)
    assert again.password == first.password
    assert house.answers(f"{again.address}/readyz")
    assert again.stop() == 0
    until_nothing_is_left(state)
    services.erase(state)  # as root part of it lies elsewhere
