"""Does a stranger hear nothing of Alice's on any socket, whatever they say of her in address, ticket or frame?

Every conversation is held twice: before Alice's organization exists, and while it does and much happens in it. To
whoever does not belong to it both must read the same; numbers that count for all, and times, are not compared.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from channels.routing import URLRouter
from django.test import Client
from django.urls import path
from django.utils import timezone

from accounts import audit, feed, tokens
from accounts.feed import Kind
from accounts.live.socket import Socket
from accounts.models import Organization
from governance import health
from instances.models import Instance
from spotopt import sockets
from tests.architecture.addresses import Route, Unswept
from tests.architecture.test_stranger import MARK, alices_world
from tests.factories import a_program, a_run, an_account, an_instance, charlie, southwind
from tests.sockets import Open, cookie_of, done, played

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

OURS = "southern"  # in whatever happens in Charlie's own organization
LAST = f"{OURS} last"  # in what happens last: then whatever was to be heard has been
AT_ONCE = 40  # conversations
NOISE = (
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), "UUID"),
    (re.compile(r"(?:\d{4}-)?\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:\+00:00|Z)?"), "TIME"),
    (re.compile(r'"(?:last|number|id)":\s?\d+|value="\d+"|(?:entry|job)-\d+|/accounts/\d+/'), "NUMBER"),
    (re.compile(r"\d+ (?:ms|s)\b"), "TOOK"),
)


@dataclass(frozen=True)
class Said:
    """One conversation: how somebody comes in, with which address, and what they say first."""

    who: str
    address: str
    frame: str | None = None
    told: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.who}: {self.address} {self.frame or ''}"


def routes_of(router: Any) -> list[Any]:
    return [route for route in router.routes if route.callback is not sockets.nowhere]


def conversations(router: Any, ids: dict[tuple[str, str], Any], words: dict[str, Any]) -> Iterator[Said]:
    """All that a stranger might say on any socket: each id of Alice's in the address and in the first frame."""
    texts = {name: str(value) for name, value in words.items()}
    for route in routes_of(router):
        address = Route(str(route.pattern)).filled(ids)
        for who in ("session", "key", "token"):
            yield Said(who, f"{address}?last=0")
            yield Said(who, address, json.dumps({"last": "0", "customer_id": texts["customer_id"]}))
        for name, text in texts.items():
            yield Said("session", f"{address}?{urlencode({name: text, 'last': 0})}", told=(text,))
            yield Said("session", address, json.dumps({name: text, "last": "0"}), told=(text,))
        if route.callback.consumer_class.__name__ == "Pages":
            for part in sockets.PARTS:
                yield Said("session", address, json.dumps({"part": part, "last": "0"}))
                yield Said("session", address, json.dumps({"part": part, "of": "platform", "last": "0"}))
                for name, text in texts.items():
                    frame = {"part": part, "last": "0", name: text}
                    yield Said("session", address, json.dumps(frame), told=(text,))


def strangers() -> dict[str, Any]:
    """How Charlie comes in: a cookie, or a client that fetches tickets."""
    pair = tokens.issue(charlie(), southwind(), has_second_factor=True, now=timezone.now())
    return {
        "session": cookie_of(charlie()),
        "key": a_program(southwind()),
        "token": Client(headers={"Authorization": f"Bearer {pair.access}"}),
    }


def happen(organization: Organization, word: str, run: Any, instance: Instance) -> None:
    """One of everything that the feed tells, of that organization; what each socket hears last says so."""
    bodies: dict[Kind, dict[str, Any]] = {
        Kind.PREDICTION: {"predictions": [{"inputs": {"az": f"{word} of predictions"}}]},
        Kind.DECISION: {"decision_type": f"{word} of decisions"},
        Kind.EVALUATION: {"reason": word},
        Kind.RUN: {"run": run.pk, "state": "running", "step": None, "error": ""},
    }
    for kind, body in bodies.items():
        feed.tell(organization.pk, kind, body)
    audit.record(word, word, word, organization=organization)
    with health.run("inventory", "sync_account", str(instance.account_id)) as report:
        report.detail = f"{word} of inventories"
    with health.run("linear pipeline", "evaluate_instance", f"instance {instance.pk}") as report:
        report.detail = word


async def heard(said: Said, strangers: dict[str, Any], router: Any, ready: asyncio.Semaphore, go: asyncio.Event) -> str:
    """All that is sent until nothing more comes of what happened, or the code with which it ends."""
    words: dict[str, str] = {}
    address = said.address
    if said.who == "session":
        words["session"] = strangers["session"]
    else:
        answer = await done(strangers[said.who].post, "/api/v1/auth/ws-ticket/", {}, content_type="application/json")
        address += ("&" if "?" in address else "?") + f"ticket={answer.json()['ticket']}"
    async with Open(address, application=router, **words) as here:
        if not here.is_in:
            ready.release()
            return "refused"
        if said.frame:
            await here.says(said.frame)
        ready.release()
        await go.wait()
        predictions_alone = f"{LAST} of predictions" if "predictions/live" in said.address else f"{LAST}(?! of)"
        return await here.hears_all(until=predictions_alone)


def held(router: Any, sweep: list[Said], strangers: dict[str, Any], now: Any) -> list[str]:
    """What is heard in each conversation while `now` happens."""
    texts: list[str] = []

    async def story() -> None:
        for start in range(0, len(sweep), AT_ONCE):
            some = sweep[start : start + AT_ONCE]
            ready, go = asyncio.Semaphore(0), asyncio.Event()
            talks = [asyncio.create_task(heard(said, strangers, router, ready, go)) for said in some]
            for _ in some:
                await ready.acquire()
            await done(now)
            go.set()
            texts.extend(await asyncio.gather(*talks))

    played(story, patience=240)
    return texts


def rows_of(text: str) -> frozenset[str]:
    """What was heard, each row by itself: how many come in one frame is chance, and later more has come before."""
    rows = re.findall(r"<tr.*?</tr>", text, re.DOTALL)
    for line in text.splitlines():
        if line.startswith("{"):
            frame = json.loads(line)
            rows += [json.dumps(item) for item in frame["items"]] + [f"missed: {frame.get('missed', False)}"]
        elif line.startswith("closed"):
            rows.append(line)
    return frozenset(_plain(row) for row in rows)


def _plain(row: str) -> str:
    for pattern, word in NOISE:
        row = pattern.sub(word, row)
    return row


def sweep_of(router: Any) -> list[tuple[Said, str, str]]:
    """Each conversation with what was heard without and with Alice."""
    account = an_account(southwind(), name=f"{OURS} account", regions=["us-east-1"])
    instance = an_instance(account, name=f"{OURS} web")
    run = a_run(instance)
    ways = strangers()

    def ours() -> None:
        happen(southwind(), OURS, run, instance)
        happen(southwind(), LAST, run, instance)

    ids, words = _guesses()
    sweep = list(conversations(router, ids, words))
    without = held(router, sweep, ways, ours)
    alice = alices_world()
    theirs = Organization.objects.get(pk=alice.words["customer_id"])
    hers = Instance.objects.get(pk=alice.words["instance"])

    def both() -> None:
        happen(theirs, MARK, hers.runs.get(), hers)
        ours()

    both()
    sweep_with = list(conversations(router, alice.ids, alice.words))
    with_alice = held(router, sweep_with, ways, both)
    told = [
        f"{said} shows {mark}: {text[:300]}"
        for said, text in zip(sweep_with, with_alice, strict=True)
        for mark in alice.marks
        if mark in text and not any(mark in word for word in said.told)
    ]
    assert not told, "\n".join(told[:20])
    return list(zip(sweep_with, without, with_alice, strict=True))


def _guesses() -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """Ids of the same shapes as Alice's, while there is nothing behind them."""
    from django.db import transaction

    with transaction.atomic():
        alice = alices_world()
        transaction.set_rollback(True)
    return alice.ids, alice.words


def test_to_a_stranger_every_socket_sounds_as_if_alice_did_not_exist():
    found = sweep_of(sockets.sockets)
    differing = [
        f"{said}: {sorted(rows_of(seen) ^ rows_of(unseen))[:4]}"
        for said, unseen, seen in found
        if rows_of(seen) != rows_of(unseen)
    ]
    assert not differing, "\n".join(differing[:20])
    # or refusing all would look like hiding hers
    for route in sockets.routes:
        address = f"/{route.pattern}"
        heard = [seen for said, _, seen in found if said.address.partition("?")[0] == address]
        assert any(OURS in text for text in heard), f"{address}: nobody hears their own"
    for part in sockets.PARTS:
        heard = [seen for said, _, seen in found if said.frame and f'"part": "{part}"' in said.frame]
        assert part == "run" or any(OURS in text for text in heard), f"{part}: nobody hears their own"


def test_no_socket_is_served_that_the_sweep_does_not_know():
    from spotopt import asgi  # it begins to listen for news, which needs a database

    served = asgi.application.application_mapping["websocket"]
    assert served is sockets.sockets
    assert routes_of(served) == sockets.routes
    assert set(asgi.application.application_mapping) == {"http", "websocket"}


class Leaky(Socket):
    """Tells everybody what is there."""

    async def entered(self) -> None:
        names = await self.looked_up(lambda: list(Instance.objects.values_list("name", flat=True)))
        self.deliver(json.dumps(names))


def test_the_sweep_finds_a_socket_that_tells_too_much():
    router = URLRouter([path("ws/leaky/", Leaky.as_asgi())])
    with pytest.raises(AssertionError, match="ws/leaky/"):
        sweep_of(router)


def test_a_socket_with_a_part_that_the_sweep_cannot_fill_fails_it():
    router = URLRouter([path("ws/gadgets/<int:pk>/", Leaky.as_asgi())])
    with pytest.raises(Unswept, match="gadgets"):
        list(conversations(router, {}, {"customer_id": ""}))
