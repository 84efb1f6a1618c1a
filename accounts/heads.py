"""How far was each audit chain known to reach? The last seals, kept outside the database.

In the Redis of the queue, which never evicts. Losing it loses the comparison until the next seal, and no fact.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import kombu.exceptions
import redis
from celery import current_app

KEY = "audit:heads"
PLATFORM_FIELD = "platform"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of a chain."""

    sequence: int
    seal: str


def read(organization: str | None) -> Head | None:
    """The head that was kept; None when there is none, or Redis does not answer."""
    try:
        with _client() as client:
            found = client.hget(KEY, organization or PLATFORM_FIELD)
    except (redis.RedisError, kombu.exceptions.OperationalError) as error:
        logger.warning("heads of the audit log are not read", extra={"error": str(error)})
        return None
    sequence, _, seal = (found or b"").decode().partition(" ")
    return Head(int(sequence), seal) if sequence.isdigit() else None


def write(organization: str | None, head: Head) -> None:
    """Keep this head instead; without Redis the old one stays, which is as true."""
    try:
        with _client() as client:
            client.hset(KEY, organization or PLATFORM_FIELD, f"{head.sequence} {head.seal}")
    except (redis.RedisError, kombu.exceptions.OperationalError) as error:
        logger.warning("a head of the audit log is not kept", extra={"error": str(error)})


@contextmanager
def _client() -> Iterator[redis.Redis]:
    """The broker's own client, which alone knows how to read the broker's address."""
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
        yield broker.default_channel.client
