"""How long do the Core Platform's calls take beside an empty view of the same stack?

The demo's own server, one process, asked over one open connection by a client in another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from accounts import keys
from accounts.domain import Scope
from accounts.models import Organization
from mlregistry import scoring
from spotopt.local import house, supervise
from spotopt.local.benches import filled, invented
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.measure import Goal, Row, at_most, percentile
from spotopt.local.postgres import CannotStart

ROUNDS, BATCH = 15, 20  # of each call; all of them stay below the rate that one key is allowed
TYPES, INPUTS = 700, 100
LEAST_TYPES = 20  # with fewer a pool cannot be compared with others
PATIENCE = 60  # s until the server answers
EMPTY = "empty view"


def rows(on: Ground) -> list[Row]:
    now, types = timezone.now(), on.sized(TYPES, least=LEAST_TYPES)
    (region,) = filled.fill(on, types * invented.ZONES, now=now)
    scoring.score_region(region, now=now)
    asked, goals = calls(region, types, min(types, on.sized(INPUTS)))
    _, key = keys.issue(Organization.objects.create(name="Bench"), "bench", tuple(Scope), by=None)
    with serving(on) as port:
        plan = {"port": port, "key": key, "calls": asked, "rounds": on.sized(ROUNDS), "batch": on.sized(BATCH)}
        command = [supervise.python(), "-m", "spotopt.local.benches.client"]
        told = subprocess.run(
            command, cwd=house.ROOT, input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True
        )
    seen: dict[str, dict[str, Any]] = json.loads(told.stdout)
    _check([seen[name]["answer"] for name in goals], types)
    return [row for name, goal in goals.items() for row in _rows(name, goal, seen)]


def _rows(name: str, goal: Goal | None, seen: dict[str, dict[str, Any]]) -> Iterator[Row]:
    mine, empty = seen[name]["ms"], seen[EMPTY]["ms"]
    note = f"floor: an empty view that knows its caller, p50; {len(mine)} requests, one at a time"
    yield Row(f"{name}, p50", percentile(mine, 0.5), "ms", percentile(empty, 0.5), goal, note)
    yield Row(f"{name}, p99", percentile(mine, 0.99), "ms", percentile(empty, 0.99), note="floor: the empty view's p99")


def calls(region: str, types: int, inputs: int) -> tuple[dict[str, dict[str, Any]], dict[str, Goal | None]]:
    """What is asked, path and body by name; and the goal of each but the empty view."""
    pools = [
        {"instance_type": name, "region": region, "az": filled.zone_id(region, place % invented.ZONES)}
        for place, name in enumerate(invented.TYPES[:types])
    ]
    workload = {"name": "web", "region": region, "vcpus": 2, "memory_gib": 4, "count": 10}
    named = {**workload, "instance_types": list(invented.TYPES[:types])}
    many = {"prediction_type": "spot_interruption", "inputs": pools[:inputs]}
    optimize = {"request_id": "bench", "requirements": [named]}
    told: dict[str, tuple[str, dict[str, Any], Goal | None]] = {
        EMPTY: ("/bench/empty", {}, None),
        "predict/spot-interruption": ("/api/v1/ml/predict/spot-interruption", pools[0], None),
        f"predict, {inputs} inputs": ("/api/v1/ml/predict", many, None),
        f"spot-optimize, {types} types, nothing kept": ("/bench/spot-optimize", optimize, at_most(2.5)),
        f"spot-optimize, {types} types": ("/api/v1/ml/decision/spot-optimize", optimize, at_most(5)),
    }
    asked = {name: {"path": path, "body": body} for name, (path, body, _) in told.items()}
    return asked, {name: goal for name, (_, _, goal) in told.items() if name != EMPTY}


def _check(answers: list[dict[str, Any]], types: int) -> None:
    """That what was timed was an answer and not a refusal to give one."""
    one, many, *both = answers
    for row in (one, *many["predictions"]):
        assert row["interruption_probability"] is not None, row
    for answer in both:
        (found,) = answer["recommendations"]
        assert found["considered"] == types * invented.ZONES, found["considered"]
        assert found["top_pools"], found["refused"]


@contextmanager
def serving(on: Ground) -> Iterator[int]:
    """The server as the demo starts it, on a free port of 127.0.0.1. Raises CannotStart with its last words."""
    port = house.free_port()
    application = "spotopt.local.benches.served:application"
    server = supervise.start(
        "server",
        [supervise.python(), "-m", "uvicorn", application, "--port", str(port), *house.LIVE_OPTIONS],
        log=on.state / "server.log",
        env=dict(os.environ),
        cwd=house.ROOT,
    )
    deadline = time.monotonic() + PATIENCE
    try:
        while not house.answers(f"http://127.0.0.1:{port}/readyz"):
            if not server.is_running or time.monotonic() > deadline:
                raise CannotStart(f"the server does not answer: {server.last_words()}")
            time.sleep(0.1)
        yield port
    finally:
        server.stop()
