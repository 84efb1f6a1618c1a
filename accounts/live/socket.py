"""How does a socket live: let in, told, asked again whether it may stay, and let go?

Nothing is kept for a reader that does not read: a socket whose outbox is full is closed, and catches up when it is
back. Why so: docs/decisions/0023-sockets.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl

import redis
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError
from django.http import Http404

from accounts import feed, reach
from accounts.live import door
from accounts.live.door import Guest
from accounts.live.hub import READ_AT_ONCE, hub, rendered
from accounts.live.threads import entering, reading
from accounts.live.views import Refused, View

LOOKS_AGAIN_EVERY = 300  # s: whether they may still be here
LARGEST_FRAME = 64 * 2**10  # bytes, of what they send
MOST_FRAMES, IN_SECONDS = 20, 1.0  # that they send
OUTBOX = 64  # frames that wait to be sent
MOST_CAUGHT_UP = 1000  # rows; whoever missed more is told so, and asks the API or reloads the page
READING_PATIENCE = 20  # s for a reader to take what it asked for
CLOSING_PATIENCE = 2  # s for a reader that does not read to hear that it is closed


# why a socket was closed; below 4000: RFC 6455. A page comes back by itself after TRY_AGAIN alone.
TOO_MANY, TOO_LARGE, TRY_AGAIN = 1008, 1009, 1013
UNUSABLE, NO_LONGER_ALLOWED, NOT_THERE = 4400, 4403, 4404

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Ear:
    """What a socket hears of one view. While it catches up, what is new waits behind what was missed."""

    def __init__(self, view: View, deliver: Callable[[str], None], drop: Callable[[], None]) -> None:
        self.view = view
        self._deliver = deliver
        self._drop = drop
        self._held: list[str] | None = []

    def offer(self, frame: str) -> None:
        if self._held is None:
            self._deliver(frame)
        elif len(self._held) == OUTBOX:
            self._drop()
        else:
            self._held.append(frame)

    def release(self) -> None:
        held, self._held = self._held or [], None
        for frame in held:
            self._deliver(frame)


class Socket(AsyncWebsocketConsumer):
    """The base of every socket: subclasses say what a frame, or the address, asks to hear."""

    is_for_people_alone: ClassVar[bool] = False

    guest: Guest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._ears: dict[str, Ear] = {}
        self._groups: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX)
        self._received: list[float] = []
        self._is_leaving = False
        try:
            await super().__call__(scope, receive, send)
        except (redis.RedisError, OSError) as error:  # without Redis it could not be told to close: better none
            logger.warning("a socket is closed", extra={"error": str(error)})
            await self._close(TRY_AGAIN)
        finally:
            await self._clean_up()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without the look at Django's connections: there are none in this thread."""
        handlers = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
            reach.TOAST: self.live_toast,
            reach.LOOK_AGAIN: self.live_look_again,
        }
        await handlers[message["type"]](message)

    # --- What subclasses say ------------------------------------------------------------------------------------------
    async def entered(self) -> None:
        """They are in. The address may ask for something already."""

    async def asked(self, body: dict[str, Any]) -> None:
        """They sent a frame, and may still be here. Raises Refused, or Http404 for what is not theirs or not there."""

    async def live_toast(self, message: dict[str, Any]) -> None:
        """A message for the person; programs have no page to show it on."""

    # --- In and out ---------------------------------------------------------------------------------------------------
    async def websocket_connect(self, message: dict[str, Any]) -> None:
        try:
            pairs = parse_qsl(self.scope["query_string"].decode(), keep_blank_values=True)
            self.query = dict(pairs)
            guest = await entering(door.enter, door.headers_of(self.scope), self.query.pop("ticket", None))
        except (redis.RedisError, DatabaseError, UnicodeDecodeError) as error:
            logger.warning("nobody is let in", extra={"error": str(error)})
            guest = None
        if guest is None or (self.is_for_people_alone and guest.caller.user is None):
            await self.close()
            raise StopConsumer
        self.guest = guest
        caller = guest.caller
        self._groups = [reach.of_person(caller.user.pk)] if caller.user else []
        self._groups += [reach.of_key(caller.api_key.pk)] if caller.api_key else []
        for group in self._groups:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        self._tasks = [asyncio.create_task(work()) for work in (self._write, self._keep_looking)]
        await self._guarded(self.entered())

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        text = message.get("text")
        now = time.monotonic()
        self._received = [at for at in self._received if now - at < IN_SECONDS] + [now]
        if len(self._received) > MOST_FRAMES:
            await self._close(TOO_MANY, "too many frames")
        elif len((text or "").encode()) > LARGEST_FRAME:
            await self._close(TOO_LARGE)
        elif text is None:
            await self._close(UNUSABLE, "a frame is JSON text")
        elif await self._may_stay():
            await self._guarded(self._asked(text))

    async def _asked(self, text: str) -> None:
        try:
            body = json.loads(text)
        except ValueError as error:
            raise Refused("A frame is a JSON object.") from error
        if not isinstance(body, dict):
            raise Refused("A frame is a JSON object.")
        await self.asked(body)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    async def live_look_again(self, message: dict[str, Any]) -> None:
        await self._may_stay()

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except Refused as error:
            await self._close(UNUSABLE, str(error)[:120])
        except Http404:
            await self._close(NOT_THERE, HTTPStatus.NOT_FOUND.phrase)
        except DatabaseError as error:
            logger.warning("a socket cannot be served", extra={"error": str(error)})
            await self._close(TRY_AGAIN)

    async def _may_stay(self) -> bool:
        """Whether they may be here now, by the same door; else the socket is closed."""
        try:
            still = await entering(door.again, self.guest)
        except DatabaseError:
            await self._close(TRY_AGAIN)
            return False
        if still is None:
            await self._close(NO_LONGER_ALLOWED, "no longer allowed")
        return still is not None

    async def _keep_looking(self) -> None:
        while not self._is_leaving:
            await asyncio.sleep(LOOKS_AGAIN_EVERY)
            await self._may_stay()

    # --- What is heard ------------------------------------------------------------------------------------------------
    async def hear(self, part: str, view: View, last: int | None) -> None:
        """Listen to a view under that name, instead of what was listened to under it; first what came after `last`."""
        self.unhear(part)
        ear = Ear(view, self.deliver, self._drop)
        now = await hub().join(view.stream, ear)
        self._ears[part] = ear
        start = now if last is None or last > now else max(last, now - MOST_CAUGHT_UP)
        missed, is_trimmed = await reading(_caught_up, view, start, now)
        await self._put(view.opening(start, missed=last is not None and (last != start or is_trimmed)))
        for frame in missed:
            await self._put(frame)
        ear.release()

    async def _put(self, frame: str) -> None:
        """What they asked for, as fast as they read it."""
        try:
            async with asyncio.timeout(READING_PATIENCE):
                await self._outbox.put(frame)
        except TimeoutError as error:
            self._drop()
            raise StopConsumer from error

    def unhear(self, part: str) -> None:
        ear = self._ears.pop(part, None)
        if ear:
            hub().leave(ear.view.stream, ear)

    async def looked_up(self, work: Callable[..., T], *args: Any) -> T:
        """Whatever has to be read to know what they ask for."""
        return await entering(work, *args)

    def heard(self, part: str) -> View | None:
        return self._ears[part].view if part in self._ears else None

    def deliver(self, frame: str) -> None:
        try:
            self._outbox.put_nowait(frame)
        except asyncio.QueueFull:
            self._drop()

    def _drop(self) -> None:
        """It does not read what it is sent. It may come back, and then catches up."""
        if not self._is_leaving:
            logger.info("a slow socket is dropped", extra={"guest": self.guest.caller.actor})
            self._tasks.append(asyncio.create_task(self._close(TRY_AGAIN, "too slow")))

    async def _write(self) -> None:
        while True:
            await self.base_send({"type": "websocket.send", "text": await self._outbox.get()})

    # --- The end ------------------------------------------------------------------------------------------------------
    async def _close(self, code: int, reason: str = "") -> None:
        """Say why, and hear nothing more. The server then tells the consumer that it is disconnected."""
        if self._is_leaving:
            return
        self._is_leaving = True
        for part in list(self._ears):
            self.unhear(part)
        if self._tasks:
            self._tasks[0].cancel()  # the writer, which may wait for a reader that does not read
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSING_PATIENCE):
                await self.close(code, reason)

    async def _clean_up(self) -> None:
        self._is_leaving = True
        for part in list(self._ears):
            self.unhear(part)
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(redis.RedisError, OSError):
            for group in self._groups:
                await self.channel_layer.group_discard(group, self.channel_name)


def _caught_up(view: View, since: int, until: int) -> tuple[list[str], bool]:
    """The frames of all after `since` and up to `until`, and whether the first of those rows are no longer kept."""
    frames: list[str] = []
    first, read = None, since
    while read < until:
        rows = feed.after(view.stream, read, until=until, most=READ_AT_ONCE)
        if not rows:
            break
        first, read = first or rows[0].number, rows[-1].number
        if frame := rendered(rows, [view])[view]:
            frames.append(frame)
    return frames, since < until and first != since + 1
