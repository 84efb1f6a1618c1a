"""Where are the PostgreSQL and the Redis of this state directory, and how are they started?

Everything listens on unix sockets in a directory only we may enter: no port, no password, nothing to collide with.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

import psycopg

from spotopt.local import postgres, valkey
from spotopt.local.postgres import CannotStart
from spotopt.local.supervise import Child

DATABASE = "spotopt"
LONGEST_SOCKET_DIR = 107 - len("/postgres/.s.PGSQL.5432.lock")  # bytes; sockaddr_un takes 107
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # the URLs of Celery's broker know no other characters
START_PATIENCE = 40  # s that a second start waits for the first one


@dataclass(frozen=True, slots=True)
class Services:
    """Both servers by their addresses. `children` is empty when they were found, not started, by us."""

    sockets: Path
    children: tuple[Child, ...] = ()
    record: Path | None = None
    _lock: IO[str] | None = field(default=None, repr=False)

    @property
    def postgres_socket_dir(self) -> Path:
        return self.sockets / "postgres"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis" / "s"

    def database_url(self, role: str = "app", name: str = DATABASE) -> str:
        return f"postgresql://{role}@/{name}?host={quote(os.fspath(self.postgres_socket_dir))}"

    def broker_url(self, database: int = 0) -> str:
        return f"redis+socket://{self.redis_socket}?virtual_host={database}"

    def cache_url(self, database: int = 2) -> str:
        return f"unix://{self.redis_socket}?db={database}"

    def live_url(self, database: int = 1) -> str:
        return self.cache_url(database)

    def environment(self) -> dict[str, str]:
        """The settings that name these services."""
        return {
            "DATABASE_URL": self.database_url("app"),
            "DATABASE_OWNER_URL": self.database_url("owner"),
            "REDIS_BROKER_URL": self.broker_url(),
            "REDIS_CACHE_URL": self.cache_url(),
            "REDIS_LIVE_URL": self.live_url(),
        }

    def is_up(self) -> bool:
        try:
            psycopg.connect(host=os.fspath(self.postgres_socket_dir), user="app", dbname=DATABASE).close()
        except psycopg.OperationalError:
            return False
        return valkey.is_up(self.redis_socket)

    def stop(self) -> None:
        """Stop what we started; what was only found runs on. Harmless when repeated."""
        for child in reversed(self.children):
            child.stop()
        if self.record:
            self.record.unlink(missing_ok=True)
            _forget_sockets(self.sockets)
        if self._lock:
            self._lock.close()

    def __enter__(self) -> Services:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def find(state_dir: Path) -> Services | None:
    """The services that already run on this state, or None. Changes nothing."""
    try:
        sockets = Path(json.loads((state_dir / "services.json").read_text())["sockets"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
    found = Services(sockets)
    return found if found.is_up() else None


def start(state_dir: Path, *, durable: bool) -> Services:
    """Both services on `state_dir`, made on first use; those that run already are returned as found.

    Raises CannotStart. They die with this process: start them from its main thread.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = (state_dir / "services.lock").open("w")
    deadline = time.monotonic() + START_PATIENCE
    while not _is_ours(lock):
        if running := find(state_dir):
            lock.close()
            return running
        if time.monotonic() > deadline:
            raise CannotStart(f"Another process holds {state_dir} but its services do not answer.")
        time.sleep(0.1)
    record = state_dir / "services.json"
    sockets = _place_for_sockets(state_dir, record)
    started: list[Child] = []
    try:
        started.append(_start_redis(state_dir, sockets, durable))
        started.append(_start_postgres(state_dir, sockets, durable))
        postgres.grant_roles(sockets / "postgres", DATABASE)
    except BaseException:
        for child in started:
            child.stop()
        _forget_sockets(sockets)
        lock.close()
        raise
    _write_whole(record, json.dumps({"sockets": os.fspath(sockets), "pids": [c.process.pid for c in started]}))
    return Services(sockets, tuple(started), record, lock)


def erase(state_dir: Path) -> None:
    """Forget everything kept under `state_dir`. Raises CannotStart while its services run."""
    if find(state_dir):
        raise CannotStart(f"Services still run on {state_dir}: stop the demo first.")
    if state_dir.exists():
        shutil.rmtree(postgres.home(state_dir), ignore_errors=True)
        shutil.rmtree(state_dir, ignore_errors=True)


def _start_redis(state_dir: Path, sockets: Path, durable: bool) -> Child:
    (sockets / "redis").mkdir(mode=0o700, exist_ok=True)
    log = state_dir / "logs" / "redis.log"
    return valkey.start(state_dir.resolve() / "redis", socket=sockets / "redis" / "s", log=log, durable=durable)


def _start_postgres(state_dir: Path, sockets: Path, durable: bool) -> Child:
    home = postgres.home(state_dir)
    if home != state_dir:
        home.mkdir(mode=0o711, exist_ok=True)
        if home.stat().st_uid != os.geteuid():
            raise CannotStart(f"{home} belongs to somebody else.")
    (sockets / "postgres").mkdir(mode=0o700, exist_ok=True)
    log = state_dir / "logs" / "postgres.log"
    return postgres.start(home.resolve() / "postgres", socket_dir=sockets / "postgres", log=log, durable=durable)


def _place_for_sockets(state_dir: Path, record: Path) -> Path:
    """`sockets/` of the state where that is short, plain and reachable; else a fresh directory of the system's.

    One that a killed process left behind is removed first.
    """
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        _forget_sockets(Path(json.loads(record.read_text())["sockets"]))
    place = state_dir.resolve() / "sockets"
    is_short = len(os.fsencode(place)) <= LONGEST_SOCKET_DIR and PLAIN_PATH.fullmatch(os.fspath(place))
    if is_short and postgres.is_reachable(state_dir):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    else:
        place = Path(tempfile.mkdtemp(prefix="spotopt-"))
    place.chmod(0o711)  # PostgreSQL's own user passes through; the two directories inside are closed
    return place


def _forget_sockets(sockets: Path) -> None:
    if sockets.name == "sockets" or sockets.name.startswith("spotopt-"):
        shutil.rmtree(sockets, ignore_errors=True)


def _is_ours(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write_whole(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def hold(state_dir: Path) -> int:
    """For a test run: services that last until we are told to stop, and leave nothing. 1 when they cannot start,
    with the reason in `failed`."""
    is_over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_over.set())
    try:
        with start(state_dir, durable=False):
            is_over.wait()
    except CannotStart as error:
        _write_whole(state_dir / "failed", str(error))
        return 1
    erase(state_dir)
    return 0


if __name__ == "__main__":
    sys.exit(hold(Path(sys.argv[1])))
