"""On which PostgreSQL and Redis is measured? On a pair of their own, set up as the demo's, gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import psycopg

from spotopt.local import house, services
from spotopt.local.services import Services

SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "autovacuum", "shared_buffers")


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a bench stands: how large it is to be (1 = whole), and the services where it asked for them."""

    scale: float
    is_full: bool
    state: Path
    running: Services | None = None

    def sized(self, whole: int, *, least: int = 1) -> int:
        return max(least, round(whole * self.scale))

    def owner(self) -> psycopg.Connection[Any]:
        """A plain connection as who owns the tables, each statement its own transaction."""
        assert self.running is not None
        host = os.fspath(self.running.postgres_socket_dir)
        return psycopg.connect(host=host, user="owner", dbname=services.DATABASE, autocommit=True)

    def forget(self, *tables: str) -> None:
        """Empty these tables, and whatever refers to them."""
        with self.owner() as connection:
            connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE".encode())

    def database_facts(self) -> str:
        """The settings that decide what a commit costs, as the server says them."""
        with self.owner() as connection:
            found = {name: connection.execute(f"SHOW {name}".encode()).fetchone() for name in SHOWN}
        version, *rest = ((name, value[0]) for name, value in found.items() if value)
        return f"PostgreSQL {version[1].split()[0]} (" + ", ".join(" ".join(each) for each in rest) + ")"


@contextmanager
def standing(*, scale: float, is_full: bool, has_services: bool) -> Iterator[Ground]:
    """A ground for the benches to stand on. With services: started as the demo starts them, migrated, Django ready."""
    with tempfile.TemporaryDirectory(prefix="spotopt-bench-") as name:
        state = Path(name)
        if not has_services:
            yield Ground(scale, is_full, state)
            return
        state.chmod(0o711)  # PostgreSQL's own user passes through
        try:
            with services.start(state, durable=True) as running:
                _settle(running, state)
                yield Ground(scale, is_full, state, running)
                _disconnect()
        finally:
            services.erase(state)


def _settle(running: Services, state: Path) -> None:
    environment = house.settings(running, "http://127.0.0.1:1", house.own_secrets(state)) | {"LOG_LEVEL": "ERROR"}
    subprocess.run(
        [sys.executable, house.ROOT / "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        env=house.as_owner(environment),
        cwd=house.ROOT,
        check=True,
    )
    os.environ.clear()
    os.environ.update(environment)
    django.setup()


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()
