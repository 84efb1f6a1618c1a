"""How is a person reached on the pages they have open? What is not delivered at once is lost, and no fact with it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
from channels.layers import get_channel_layer
from django.db import transaction

from accounts.models import ApiKey, User

PATIENCE = 2  # s; who changes something does not wait longer for a page to hear of it
TOAST, LOOK_AGAIN = "live.toast", "live.look_again"  # as the sockets' methods are named

logger = logging.getLogger(__name__)


def of_person(pk: int) -> str:
    """The group of all sockets of a person, made here and never from what somebody sent."""
    return f"person.{pk}"


def of_key(pk: int) -> str:
    return f"key.{pk}"


def toast(person: User, organization_id: uuid.UUID, text: str, *, address: str, is_good: bool = True) -> None:
    """Once this is committed, tell a person something on the pages on which they work in that organization."""
    message = {"type": TOAST, "organization": str(organization_id), "text": text, "address": address, "good": is_good}
    transaction.on_commit(lambda: _send(of_person(person.pk), message))


def look_again(who: User | ApiKey) -> None:
    """Once this is committed, each of their sockets looks whether it may stay open, and closes if not."""
    group = of_key(who.pk) if isinstance(who, ApiKey) else of_person(who.pk)
    transaction.on_commit(lambda: _send(group, {"type": LOOK_AGAIN}))


def _send(group: str, message: dict[str, Any]) -> None:
    """Without Redis nobody is told; sockets look by themselves every five minutes."""
    layer = get_channel_layer()
    assert layer is not None  # settings.CHANNEL_LAYERS

    async def send() -> None:
        async with asyncio.timeout(PATIENCE):
            await layer.group_send(group, message)

    try:
        with ThreadPoolExecutor(1) as aside:  # a loop of its own: the deed may run where there is one already
            aside.submit(lambda: asyncio.run(send())).result()
    except (redis.RedisError, OSError, TimeoutError) as error:
        logger.warning("open pages were not told", extra={"group": group, "error": str(error)})
