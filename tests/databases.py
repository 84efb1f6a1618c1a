"""How does each worker get a migrated database, and a fresh one after a test that committed?

Never `flush`: the audit table refuses it. The template is migrated once a run, as `owner`; the product connects as
`app`, so that the grants bind in tests as they do in production.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

import psycopg
from psycopg import sql

from tests import plugin

TEMPLATE = "test_template"


def migrate_template() -> None:
    """Make the template unless another worker has. Raises AssertionError with what migrate said."""
    done = plugin.state_dir() / "migrated"
    with (plugin.state_dir() / "migrating.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        _as("owner", "CREATE DATABASE {}", TEMPLATE)
        migrated = subprocess.run(
            [sys.executable, plugin.ROOT / "manage.py", "migrate", "--no-input", "--verbosity", "0"],
            env=os.environ | {"DATABASE_URL": plugin.running().database_url("owner", TEMPLATE)},
            cwd=plugin.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if migrated.returncode != 0:
            _as("postgres", "DROP DATABASE {} WITH (FORCE)", TEMPLATE)
            raise AssertionError(f"migrate failed:\n{migrated.stderr}")
        done.touch()


def renew() -> None:
    """This worker's database as the template is, whatever was in it."""
    drop()
    _as("owner", "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", plugin.database(), TEMPLATE)


def drop() -> None:
    """Remove this worker's database, with whoever is still connected. Harmless when there is none."""
    _as("postgres", "DROP DATABASE IF EXISTS {} WITH (FORCE)", plugin.database())


def _as(role: str, statement: str, *names: str) -> None:
    host = os.fspath(plugin.running().postgres_socket_dir)
    with psycopg.connect(host=host, user=role, dbname="postgres", autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
