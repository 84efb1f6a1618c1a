"""What happened that somebody may be watching for? Written with the deed, numbered after it, read once a process.

A row's id is taken before its transaction commits, so a reader that asks for `id > last` skips whatever commits late.
So rows get their number when somebody reads, in one order for all readers: docs/decisions/0022-the-feed.md.
"""

from __future__ import annotations

import functools
import json
import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import redis
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Q

from accounts.models import FeedHead, FeedItem

logger = logging.getLogger(__name__)

CHANNEL = "spotopt:feed"  # a message names the organization that has news, or PLATFORM; it carries nothing else
PLATFORM = "-"
PATIENCE = 0.5  # s that a deed waits for Redis after its commit; readers look by themselves too (live/hub.py)
NUMBERED_AT_ONCE = 1000
TRIMMED_AT_ONCE = 10_000

Stream = uuid.UUID | None  # an organization's id; None = the platform's own


class Kind(StrEnum):
    """All that the feed tells, and who writes it."""

    AUDIT = "audit"  # every audit entry, as it is written: accounts.audit
    PREDICTION = "prediction"  # up to 100 of one call or evaluation: mlregistry.predicting
    DECISION = "decision"  # an engine's answer: pipelines.deciding
    EVALUATION = "evaluation"  # what was decided on an instance: pipelines.linear
    RUN = "run"  # each step and the end of a run that somebody asked for: pipelines.recording
    JOB = "job"  # a worker's job that began or ended, of whomever, in the platform's stream: governance.health


@dataclass(frozen=True, slots=True)
class Told:
    """A row as readers get it."""

    number: int
    kind: Kind
    at: datetime
    body: Mapping[str, Any]


def tell(stream: Stream, kind: Kind, body: Mapping[str, Any]) -> None:
    """Write a row, in the transaction of the deed; whoever watches is woken once that is committed."""
    FeedItem.objects.create(organization_id=stream, kind=kind.value, body=_plain(body))
    transaction.on_commit(functools.partial(wake, stream))


def tell_all(stream: Stream, kind: Kind, bodies: Iterable[Mapping[str, Any]]) -> None:
    """The same of several rows at once."""
    FeedItem.objects.bulk_create(
        FeedItem(organization_id=stream, kind=kind.value, body=_plain(body)) for body in bodies
    )
    transaction.on_commit(functools.partial(wake, stream))


def wake(stream: Stream) -> None:
    """Let the live processes look. Without Redis the deed stands all the same, and they look a little later."""
    try:
        _client(settings.REDIS_LIVE_URL).publish(CHANNEL, PLATFORM if stream is None else str(stream))
    except redis.RedisError as error:
        logger.warning("nobody was woken", extra={"error": str(error)})


def head(stream: Stream) -> int:
    """The number of the newest row that is committed now; 0 while there never was one."""
    _number(stream)
    return reached(stream)


def reached(stream: Stream) -> int:
    """The last number that was given, for a page that is about to read tables: what has none yet comes after it."""
    whose, values = _whose(stream)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT last FROM accounts_feedhead WHERE {whose}", values)  # noqa: S608 -- a constant
        found = cursor.fetchone()
    return found[0] if found else 0


def after(stream: Stream, last: int, *, until: int | None = None, most: int) -> list[Told]:
    """Rows with a higher number than `last`, and at most `until`, in order: none is skipped, none comes twice.

    The first number may be higher than `last + 1` where older rows were trimmed.
    """
    if until is None:
        _number(stream)
    whose, values = _whose(stream)
    bound = "" if until is None else " AND number <= %s"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number, kind, at, body::text FROM accounts_feeditem"  # noqa: S608 -- constants
            f" WHERE {whose} AND number > %s{bound} ORDER BY number LIMIT %s",
            [*values, last, *([] if until is None else [until]), most],
        )
        return [Told(number, Kind(kind), at, json.loads(body)) for number, kind, at, body in cursor.fetchall()]


def heads() -> dict[Stream, int]:
    """Every stream's last number, and the streams that have rows without one numbered first: who may have news?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT organization_id FROM accounts_feeditem WHERE number IS NULL")
        waiting = [row[0] for row in cursor.fetchall()]
    for stream in waiting:
        _number(stream)
    return {row.organization_id: row.last for row in FeedHead.objects.all()}


def trim(*, now: datetime) -> int:
    """Forget what is older than anybody may catch up with; how many rows."""
    before, forgotten = now - timedelta(hours=settings.FEED_RETENTION_HOURS), 0
    while True:
        oldest = FeedItem.objects.filter(at__lt=before).order_by("at").values("pk")[:TRIMMED_AT_ONCE]
        count, _ = FeedItem.objects.filter(pk__in=oldest).delete()
        forgotten += count
        if count < TRIMMED_AT_ONCE:
            return forgotten


def _number(stream: Stream) -> None:
    """Number what is committed and has none yet. Whoever reads does it, one after the other: a number is never lower
    than one that was read before, for the row that gives it out is held until this commits.
    """
    whose, values = _whose(stream)
    unnumbered = f"{whose} AND number IS NULL"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM accounts_feeditem WHERE {unnumbered})",  # noqa: S608 -- a constant
            values,
        )
        if cursor.fetchone() == (False,):
            return
    given = NUMBERED_AT_ONCE
    while given == NUMBERED_AT_ONCE:
        with transaction.atomic(), connection.cursor() as cursor:
            last = _held_head(stream)
            # a statement of its own: it must see what whoever held the head before us has numbered
            cursor.execute(
                "UPDATE accounts_feeditem f SET number = %s + o.place FROM ("  # noqa: S608 -- constants
                "SELECT id, row_number() OVER (ORDER BY id) AS place FROM accounts_feeditem"
                f" WHERE {unnumbered} ORDER BY id LIMIT %s) o WHERE f.id = o.id",
                [last, *values, NUMBERED_AT_ONCE],
            )
            given = cursor.rowcount
            cursor.execute(
                f"UPDATE accounts_feedhead SET last = %s WHERE {whose}",  # noqa: S608 -- a constant
                [last + given, *values],
            )


def _held_head(stream: Stream) -> int:
    """The last number given, locked until the transaction ends."""
    whose = Q(organization=None) if stream is None else Q(organization=stream)
    held = FeedHead.objects.select_for_update().filter(whose)
    found = held.values_list("last", flat=True).first()
    if found is None:
        FeedHead.objects.bulk_create([FeedHead(organization_id=stream)], ignore_conflicts=True)
        found = held.values_list("last", flat=True).get()
    return int(found)


def _whose(stream: Stream) -> tuple[str, list[Any]]:
    return ("organization_id IS NULL", []) if stream is None else ("organization_id = %s", [stream])


def _plain(body: Mapping[str, Any]) -> Any:
    """As JSON keeps it: times and money as text."""
    return json.loads(json.dumps(body, cls=DjangoJSONEncoder))


@functools.cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
