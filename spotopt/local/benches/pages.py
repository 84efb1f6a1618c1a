"""How long does each page take for 20 people at once, with 10,000 instances and a million prices?

Served as production serves them: gunicorn, WSGI, two processes of four threads; asked by another process on the same
machine. First everybody pauses a second between pages, as people do at their fastest; then nobody pauses at all.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.urls import reverse
from django.utils import timezone

from mlregistry import scoring
from spotopt.local import house, supervise
from spotopt.local.benches import filled, inhabited, invented
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.inhabited import Inhabited
from spotopt.local.benches.measure import Row, percentile
from spotopt.local.postgres import CannotStart

INSTANCES, PRICES, PEOPLE = 10_000, 1_000_000, 20
LEAST_TYPES = 20  # with fewer a pool cannot be compared with others
REGIONS = 2
SECONDS, PAUSE = 25, 1.0
MOST_MS = 150
WORKERS, THREADS = 2, 4
PATIENCE = 60  # s until the server answers
EMPTY = "an empty page"
CARDS = ("needs", "savings", "fleet", "history")


def rows(on: Ground) -> list[Row]:
    now = timezone.now()
    pools = REGIONS * on.sized(len(invented.TYPES), least=LEAST_TYPES) * invented.ZONES
    days = on.sized(PRICES) / (pools * invented.ROWS_A_DAY)
    region = filled.fill(on, pools, now=now, days=days)[0]
    scoring.score_region(region, now=now)
    who = inhabited.inhabit(region, instances=on.sized(INSTANCES, least=4), people=on.sized(PEOPLE, least=2), now=now)
    with on.owner() as connection:
        connection.execute("VACUUM ANALYZE")  # as autovacuum would have
    plan = {
        "sessions": [inhabited.session_of(user) for user in who.people],
        "pages": pages(who, region),
        "seconds": SECONDS * on.scale,
    }
    with serving(on) as port:
        _seen(plan | {"port": port, "pause": 0, "seconds": 0})  # to warm up
        calm = _seen(plan | {"port": port, "pause": PAUSE * min(1, on.scale * 10)})
        busy = _seen(plan | {"port": port, "pause": 0})
    floor = percentile(calm[EMPTY], 0.95)
    return [_row(name, calm[name], busy[name], floor, busy[EMPTY]) for name in calm if name != EMPTY]


def _row(name: str, calm: list[float], busy: list[float], floor: float, empty: list[float]) -> Row:
    note = f"p50 {percentile(calm, 0.5):.0f} of {len(calm)}; without a pause p95 {percentile(busy, 0.95):.0f}"
    note += f" (an empty page {percentile(empty, 0.95):.0f})"
    return Row(f"page: {name}, p95", percentile(calm, 0.95), "ms", floor, note=note, limit=MOST_MS)


def pages(who: Inhabited, region: str) -> dict[str, str]:
    """Every page that shows rows, by a name for people; the overview's cards too, for they are asked with it."""
    a, b = (model.pk for model in who.models)
    listed = {
        "overview": reverse("pipelines:overview"),
        **{f"overview, {card}": reverse("pipelines:overview-card", args=[card]) for card in CARDS},
        "console": reverse("pipelines:console"),
        "console, by name": f"{reverse('pipelines:console')}?q=web-99&sort=name",
        "instance": reverse("pipelines:instance", args=[who.instance.pk]),
        "run": reverse("pipelines:run", args=[who.run.pk]),
        "receipt": reverse("pipelines:decision", args=[who.experiment.pk]),
        "experiments": reverse("pipelines:experiments"),
        "experiments, by savings": f"{reverse('pipelines:experiments')}?decision=SWITCH&sort=-savings",
        "two models": f"{reverse('pipelines:comparison')}?a={a}&b={b}",
        "prices, 7 days": f"{reverse('instances:prices')}?region={region}&type={invented.TYPES[0]}",
        "prices, 90 days": f"{reverse('instances:prices')}?region={region}&type={invented.TYPES[0]}&days=90",
        "accounts": reverse("accounts:accounts"),
        "account": reverse("accounts:account", args=[who.account.pk]),
        "inventory": reverse("instances:inventory", args=[who.account.pk]),
        "audit": reverse("governance:audit"),
        "system": reverse("governance:system"),
        "people": reverse("accounts:people"),
        "keys": reverse("accounts:keys"),
    }
    return {EMPTY: "/bench/empty-page", **listed}


def _seen(plan: dict[str, object]) -> dict[str, list[float]]:
    command = [supervise.python(), "-m", "spotopt.local.benches.crowd"]
    told = subprocess.run(
        command, cwd=house.ROOT, input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True
    )
    seen: dict[str, list[float]] = json.loads(told.stdout)
    return seen


@contextmanager
def serving(on: Ground) -> Iterator[int]:
    """Gunicorn on a free port of 127.0.0.1. Raises CannotStart with its last words."""
    port = house.free_port()
    options = ["--workers", str(WORKERS), "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"]
    options += ["--keep-alive", "75"]  # a connection that is closed while its person reads is no slow page
    server = supervise.start(
        "pages",
        [supervise.python(), "-m", "gunicorn", "spotopt.local.benches.served_pages:application", *options],
        log=on.state / "pages.log",
        env=dict(os.environ),
        cwd=house.ROOT,
        stops_on=signal.SIGTERM,
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
