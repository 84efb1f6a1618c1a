"""What does the demo do between an empty database and decisions, in which order?

Imported only once the settings are in the environment.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from spotopt.local import house, supervise, tenants
from spotopt.local.house import Secrets


@dataclass(frozen=True, slots=True)
class Demo:
    """What a step may need to know."""

    state: Path
    environment: dict[str, str]
    cloud_url: str
    secrets: Secrets


@dataclass(frozen=True, slots=True)
class Step:
    """`act` says in a few words what came of it; it raises when it fails. Each is harmless when repeated."""

    name: str
    act: Callable[[Demo], str]


class StepFailed(Exception):
    """A part of the demo failed in its own process; the message is what it said."""


def migrate(demo: Demo) -> str:
    """Bring the tables up to date as `owner`; the process that goes on may not."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not missing:
        return "nothing new"
    done = subprocess.run(
        [supervise.python(), house.ROOT / "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        cwd=house.ROOT,
        env=house.as_owner(demo.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StepFailed(" ".join(done.stderr.split()[-60:]))
    return f"{len(missing)} applied"


PREPARE = (
    Step("migrations", migrate),
    Step("organizations and people", lambda demo: tenants.settle(demo.secrets.passwords)),
    Step("roles in the local cloud", lambda demo: tenants.deploy_roles(demo.cloud_url)),
)
STEPS = PREPARE
