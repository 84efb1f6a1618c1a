"""The embedded PostgreSQL and Redis: what they keep, whom they let do what, and whom they outlive (nobody)."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis

from spotopt.local import postgres, services, supervise
from tests import plugin

T = f"t_{plugin.worker()}"  # two workers share the services


@pytest.fixture
def state(tmp_path_factory):
    """A directory as the demo's own: PostgreSQL's user can get into it, and its path is short."""
    with tempfile.TemporaryDirectory(prefix="spotopt-services-") as name:
        Path(name).chmod(0o755)
        yield Path(name, "state")


def query(running, statement, role="app"):
    host = os.fspath(running.postgres_socket_dir)
    with psycopg.connect(host=host, user=role, dbname="spotopt", autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def until(is_so, seconds=20):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.05)


def test_committed_rows_and_queued_messages_survive_a_kill(state):
    with services.start(state, durable=True) as first:
        query(first, "CREATE TABLE kept AS SELECT 7 AS answer", role="owner")
        redis.Redis(unix_socket_path=os.fspath(first.redis_socket)).lpush("queue", "a message")
        for child in first.children:
            os.kill(child.process.pid, signal.SIGKILL)
            child.process.wait()
    with services.start(state, durable=True) as again:
        assert query(again, "SELECT answer FROM kept") == [(7,)]
        assert redis.Redis(unix_socket_path=os.fspath(again.redis_socket)).llen("queue") == 1


def test_a_second_start_finds_the_first_and_leaves_it_running_when_it_ends(state):
    assert services.find(state) is None
    with services.start(state, durable=False) as first:
        with services.start(state, durable=False) as second:
            assert second.children == ()
            assert second.environment() == first.environment()
        assert services.find(state) is not None
        with pytest.raises(services.CannotStart, match="stop the demo first"):
            services.erase(state)
    assert services.find(state) is None
    home = postgres.home(state)
    services.erase(state)
    assert not state.exists()
    assert not home.exists()


def test_whoever_is_killed_takes_the_services_along_and_nothing_stays(state):
    holder = subprocess.Popen([sys.executable, "-m", "spotopt.local.services", state], cwd=plugin.ROOT)
    until(lambda: services.find(state) is not None)
    holder.kill()
    holder.wait()
    until(lambda: services.find(state) is None)
    with services.start(state, durable=False) as restarted:  # while the old ones may still be on their way out
        assert restarted.is_up()


def test_a_test_run_that_is_told_to_stop_leaves_no_file(state):
    holder = subprocess.Popen([sys.executable, "-m", "spotopt.local.services", state], cwd=plugin.ROOT)
    until(lambda: (state / "services.json").exists())
    holder.terminate()
    assert holder.wait(20) == 0
    assert not state.exists()


def test_a_long_path_with_spaces_still_gets_sockets_that_fit(state):
    odd = state / "a folder with spaces" / ("long" * 20)
    with services.start(odd, durable=False) as running:
        assert len(os.fsencode(running.postgres_socket_dir / ".s.PGSQL.5432.lock")) <= 107
        assert " " not in running.broker_url()
        sockets = running.sockets
        assert query(running, "SELECT current_user") == [("app",)]
    assert not sockets.exists()


def test_sockets_are_closed_to_other_users():
    for directory in (plugin.running().postgres_socket_dir, plugin.running().redis_socket.parent):
        assert directory.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="not root, so there is nobody to become")
def test_as_root_the_database_runs_as_nobody(state):
    with services.start(state, durable=False) as running:
        database = next(child for child in running.children if child.name == "PostgreSQL")
        assert Path(f"/proc/{database.process.pid}").owner() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="a plain user keeps everything in the state directory")
def test_where_nobody_cannot_go_the_data_live_elsewhere(state):
    state.parent.chmod(0o700)
    with services.start(state, durable=False) as running:
        assert postgres.home(state) != state
        assert running.is_up()
    services.erase(state)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "CREATE ROLE another",
        "SET ROLE owner",
        "CREATE DATABASE another",
        "DROP TABLE {t}",
    ],
)
def test_the_role_the_product_runs_as_owns_nothing(statement, owned_table):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(plugin.running(), statement.format(t=T))


def test_the_role_the_product_runs_as_uses_what_the_owner_makes(owned_table):
    query(plugin.running(), f"INSERT INTO {T} (word) VALUES ('a')")
    query(plugin.running(), f"UPDATE {T} SET word = 'b'")
    assert query(plugin.running(), f"SELECT word FROM {T}") == [("b",)]
    query(plugin.running(), f"DELETE FROM {T}")
    assert query(plugin.running(), "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [
        (False, False)
    ]


@pytest.fixture
def owned_table():
    query(plugin.running(), f"CREATE TABLE {T} (id serial, word text)", role="owner")
    yield
    query(plugin.running(), f"DROP TABLE {T}", role="owner")


def test_a_chosen_database_that_is_none_is_refused_in_a_sentence(state, monkeypatch, tmp_path):
    monkeypatch.setenv("SPOTOPT_PG_BIN", os.fspath(tmp_path))
    with pytest.raises(services.CannotStart, match="holds no postgres"):
        services.start(state, durable=False)
    assert services.find(state) is None


def test_data_of_another_major_version_are_refused_and_kept(state):
    services.start(state, durable=False).stop()
    version = postgres.home(state) / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(services.CannotStart, match=r"made by PostgreSQL 17.*--fresh"):
        services.start(state, durable=False)
    assert version.exists()


def test_a_server_that_cannot_start_says_why(state, monkeypatch):
    monkeypatch.setattr(postgres, "RESTART_PATIENCE", 1)
    monkeypatch.setitem(postgres.SETTINGS, "shared_buffers", "nonsense")
    with pytest.raises(services.CannotStart, match="nonsense"):
        services.start(state, durable=False)


def test_without_the_kernels_help_a_child_still_ends_with_its_parent(tmp_path):
    """The way of systems that have no PR_SET_PDEATHSIG."""
    note = tmp_path / "pid"
    child = f'sh -c "echo \\$\\$ > {note}; exec sleep 60"'
    watched = f"{shlex.quote(sys.executable)} {shlex.quote(supervise.__file__)} $$ 15 {child}"
    command = f"{watched} & while [ ! -s {note} ]; do sleep 0.05; done"
    subprocess.run(["sh", "-c", command], check=True, timeout=20)
    until(lambda: not is_alive(int(note.read_text())))


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0]
    return False


def test_a_child_that_ignores_its_signal_is_killed(tmp_path):
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    child = supervise.start("stubborn", ["sh", "-c", script], log=tmp_path / "log")
    until(lambda: "ready" in child.last_words())
    child.stop(within=0.2)
    child.stop()
    assert not child.is_running


def test_a_child_heeds_its_signal_also_where_a_shell_had_it_ignored(tmp_path):
    """A shell without job control ignores Ctrl-C and Ctrl-\\ for what it starts with &, and children inherit that."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        child = supervise.start("sleeper", ["sleep", "60"], log=tmp_path / "log", stops_on=signal.SIGQUIT)
    finally:
        signal.signal(signal.SIGQUIT, before)
    child.stop(within=20)
    assert child.process.returncode == -signal.SIGQUIT
