"""The demo before and around its steps: one sentence for what does not work, nothing half started, no known secret."""

import errno
import os
import socket
import subprocess
import sys
import time

import pytest

from spotopt.local import demo, house
from spotopt.local.postgres import CannotStart
from spotopt.local.services import Services
from tests.plugin import ROOT


def start_demo(state, *words, **env):
    return subprocess.run(
        [sys.executable, "-m", "spotopt.local.demo", *words],
        cwd=ROOT,
        env={**os.environ, "SPOTOPT_STATE": str(state), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_taken_port_is_said_before_anything_starts(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = start_demo(tmp_path, "--port", str(port))
    assert told.returncode == 1
    assert told.stderr.startswith(f"Port {port} is taken by another program: ./run demo --port ")
    assert told.stdout == ""


@pytest.mark.parametrize("words", [[], ["--once"], ["--fresh"]])
def test_a_second_demo_names_the_first_and_leaves_its_state_alone(tmp_path, words):
    (tmp_path / "kept").touch()
    with demo.alone(tmp_path, "http://127.0.0.1:8000"):
        told = start_demo(tmp_path, *words)
    assert told.returncode == 1
    assert told.stderr == f"The demo already runs: http://127.0.0.1:8000 (process {os.getpid()}).\n"
    assert (tmp_path / "kept").exists()


def test_a_step_that_fails_gives_its_name_and_a_bad_exit_code(tmp_path):
    told = start_demo(tmp_path, "--once", SPOTOPT_PG_BIN=str(tmp_path))
    assert told.returncode == 1
    assert told.stdout == "PostgreSQL and Redis … FAILED\n"
    assert told.stderr.startswith("PostgreSQL and Redis: SPOTOPT_PG_BIN=")
    assert len(told.stderr.splitlines()) == 1
    assert "Traceback" in (tmp_path / "logs" / "demo.log").read_text()


def test_a_state_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    told = start_demo(tmp_path / "file" / "state")
    assert told.returncode == 1
    assert told.stderr.startswith("The demo cannot keep its state: ")
    assert len(told.stderr.splitlines()) == 1


def test_a_full_disk_is_called_that(tmp_path, capsys):
    with pytest.raises(demo.Failed, match="prices: the disk is full"), demo.Progress(tmp_path / "log").step("prices"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert capsys.readouterr().out == "prices … FAILED\n"


def test_each_step_says_how_long_it_took_and_what_came_of_it(tmp_path, capsys):
    with demo.Progress(tmp_path / "log").step("prices") as said:
        said.append("7 rows")
    assert capsys.readouterr().out == "prices … ok 0.0 s — 7 rows\n"


def test_a_process_that_ends_is_reported_in_a_line_and_started_again_until_it_is_hopeless(tmp_path):
    command = ["sh", "-c", "echo no such table; exit 3"]
    process = demo.Started("worker", command, tmp_path / "worker.log", dict(os.environ))
    lines: list[str] = []
    deadline = time.monotonic() + 20
    while not lines or "stays down" not in lines[-1]:
        assert time.monotonic() < deadline
        process.child.process.wait(10)
        lines.append(process.look() or "")
    assert all(line.startswith("worker ended with code 3: no such table") for line in lines)
    assert all("\n" not in line for line in lines)
    assert len(lines) == demo.MOST_RESTARTS + 1
    assert process.look() is None


def test_a_server_that_ends_before_it_answers_is_no_success(tmp_path):
    process = demo.Started("server", ["sh", "-c", "echo port in use"], tmp_path / "log", dict(os.environ))
    with pytest.raises(CannotStart, match="port in use"):
        demo.wait_for(f"http://127.0.0.1:{house.free_port()}/readyz", process)


def test_secrets_are_made_once_for_each_state_and_only_their_owner_reads_them(tmp_path):
    (tmp_path / "other").mkdir()
    first, other = house.own_secrets(tmp_path), house.own_secrets(tmp_path / "other")
    assert house.own_secrets(tmp_path) == first
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600
    all_of_them = [*first.passwords.values(), *other.passwords.values(), first.secret_key, other.secret_key]
    assert len(set(all_of_them)) == len(all_of_them)


def test_whoever_runs_the_demo_lends_nothing_of_their_own_cloud(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")
    given = house.settings(Services(tmp_path), "http://127.0.0.1:9", house.own_secrets(tmp_path))
    assert "AWS_PROFILE" not in given
    assert "AWS_SESSION_TOKEN" not in given
    assert given["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert given["DATABASE_URL"].startswith("postgresql://app@")
    assert house.as_owner(given)["DATABASE_URL"].startswith("postgresql://owner@")
