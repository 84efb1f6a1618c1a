"""How fast does a row of the feed come to a thousand open sockets, beside Redis telling as many subscribers?

The server is the demo's own process; readers are in another, as light as can be: they count how often the word that
every message holds has come. What is raw is Redis alone, and the same readers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import IO, Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib import auth

from accounts import feed
from accounts.feed import Kind
from accounts.models import Membership, Organization, User
from spotopt.local import house, supervise
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.http import serving
from spotopt.local.benches.measure import Row, at_least
from spotopt.local.benches.readers import WORD

CLIENTS = 1000
MESSAGES = 100  # in a burst, each written and committed by itself
GROUP_MESSAGES = 5  # the layer keeps a hundred for a process: more would be lost, not delivered
ALONE = 15  # messages that come one at a time
PATIENCE = 60  # s for everything that one burst brings
CHANNEL = "spotopt:bench"
GROUP = "bench"
BODY = {"decision_type": WORD, "cluster_id": "bench", "engine_name": "spot_optimizer", "confidence_score": 0.93}
NAMES = ("raw Redis", "the feed", "group_send")


def rows(on: Ground) -> list[Row]:
    clients, messages = on.sized(CLIENTS, least=2), on.sized(MESSAGES, least=2)
    organization, session = _somebody()
    plain = json.dumps({"last": 1, "items": [{"number": 1, "kind": "decision", **BODY}]})
    with redis.Redis.from_url(settings.REDIS_LIVE_URL) as client, serving(on) as port:
        sends: dict[str, Callable[[], object]] = {
            "raw Redis": lambda: client.publish(CHANNEL, plain),
            "the feed": lambda: feed.tell(organization.pk, Kind.DECISION, BODY),
            "group_send": lambda: _send_to_group(plain),
        }
        places: dict[str, dict[str, Any]] = {
            "raw Redis": {"redis": settings.REDIS_LIVE_URL, "channel": CHANNEL},
            "the feed": {"port": port, "address": "/api/v1/ml/stream", "session": session},
            "group_send": {"port": port, "address": "/bench/group", "session": session},
        }
        rates, waits, lost = {}, {}, {}
        for name in NAMES:
            count = messages if name != "group_send" else on.sized(GROUP_MESSAGES, least=2)
            with reading(name, places[name], clients) as readers:
                waits[name] = sorted(readers.seconds(sends[name], 1) for _ in range(on.sized(ALONE, least=2)))
                rates[name] = clients * count / readers.seconds(sends[name], count)
                lost[name] = readers.lost
    if lost["the feed"]:
        raise RuntimeError(f"the feed lost {lost['the feed']} of its sockets")
    middle = {name: took[len(took) // 2] * 1000 for name, took in waits.items()}
    burst = f"burst of {messages} messages to {clients}"
    return [
        Row(burst, rates["the feed"], "/s", rates["raw Redis"], at_least(0.35), "floor: raw Redis"),
        Row(
            "… beside group_send",
            rates["the feed"],
            "/s",
            rates["group_send"],
            at_least(10),
            f"floor: group_send; it lost {lost['group_send']}",
        ),
        Row(
            f"one message to {clients}, until the last has it",
            middle["the feed"],
            "ms",
            middle["raw Redis"],
            note=f"median of {len(waits['the feed'])}; floor: raw Redis; group_send: {middle['group_send']:.0f} ms",
        ),
    ]


class Readers:
    """The other process: it says how long it was until everybody had so many messages more."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.lost = 0  # connections that the server let go
        self._process = process

    def seconds(self, send: Callable[[], object], count: int) -> float:
        """From the first being sent until the last has come to all. Raises RuntimeError when it does not."""
        self._tell({"expect": count})
        began = time.monotonic()
        for _ in range(count):
            send()
        answer = self.hears()
        if "at" not in answer:
            raise RuntimeError(f"not everything came of {self.name}: {answer}")
        self.lost = int(answer["lost"])
        return float(answer["at"]) - began  # the clock of the machine, which both processes read

    def hears(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the readers ended with code {self._process.wait(5)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _tell(self, what: dict[str, Any]) -> None:
        pipe: IO[str] | None = self._process.stdin
        assert pipe is not None
        pipe.write(json.dumps(what) + "\n")
        pipe.flush()


@contextmanager
def reading(name: str, place: dict[str, Any], clients: int) -> Iterator[Readers]:
    """So many readers, each with a connection of its own, all listening."""
    command = [supervise.python(), "-m", "spotopt.local.benches.readers"]
    plan = json.dumps({**place, "clients": clients, "patience": PATIENCE})
    process = subprocess.Popen(
        [*command, plan], cwd=house.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    try:
        readers = Readers(name, process)
        if readers.hears() != {"listening": clients}:
            raise RuntimeError("not every reader was let in")
        yield readers
    finally:
        process.kill()
        process.wait()


def _somebody() -> tuple[Organization, str]:
    """An organization, and the session of a person in it."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    organization = Organization.objects.create(name=name)
    person = User.objects.create_user(name, f"{name}@example.org")
    Membership.objects.create(organization=organization, user=person, role="viewer")
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[auth.SESSION_KEY] = str(person.pk)
    session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[auth.HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return organization, str(session.session_key)


def _send_to_group(text: str) -> None:
    layer = get_channel_layer()
    assert layer is not None
    async_to_sync(layer.group_send)(GROUP, {"type": "bench.message", "text": text})
