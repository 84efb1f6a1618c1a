"""A demo that is killed takes everything along, starts again on what it had, and stops whole on Ctrl-C."""

import time
from pathlib import Path

import pytest

from spotopt.local import house
from tests.flows.conftest import start_demo

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(900)]


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


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="counts processes by /proc")
def test_a_killed_demo_leaves_no_process_and_comes_back_with_its_data(tmp_path):
    state = tmp_path / "state"
    first = start_demo(state)
    assert house.answers(f"{first.address}/readyz")
    assert len(belongings(state)) > 5
    first.process.kill()
    first.process.wait()
    until_nothing_is_left(state)

    again = start_demo(state)
    assert again.password == first.password
    assert "migrations … ok" in again.said.read_text()
    assert "nothing new" in again.said.read_text()
    assert house.answers(f"{again.address}/readyz")
    assert again.stop() == 0
    until_nothing_is_left(state)
