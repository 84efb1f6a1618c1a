"""How does a row of the feed come to every socket of this process? One subscription wakes, one reading serves all.

Nothing of a row travels through Redis: a message only says who has news. What is lost on the way costs seconds, for
the hub looks by itself too, and nothing is ever skipped: it reads on from the last number it handed out.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from django.db import DatabaseError

from accounts import feed
from accounts.feed import Stream, Told
from accounts.live.threads import reading
from accounts.live.views import View

LOOKS_EVERY = 5  # s, whatever Redis says
READ_AT_ONCE = 200  # rows; more is read in turns, so that a burst of one organization does not hold up the others
RETRY_AFTER = 1  # s

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """One thing that a socket hears. `offer` never waits: it takes the frame, or ends the socket."""

    view: View

    def offer(self, frame: str) -> None: ...


class _Watched:
    """A stream that somebody here listens to, read up to `last`."""

    def __init__(self) -> None:
        self.last = 0
        self.sinks: set[Sink] = set()
        self.guests = 0  # those on their way in as well
        self.begun: asyncio.Future[None] | None = None

    async def begin(self, stream: Stream) -> None:
        self.last = await reading(feed.head, stream)

    @property
    def has_begun(self) -> bool:
        return self.begun is not None and self.begun.done() and not self.is_broken

    @property
    def is_broken(self) -> bool:
        begun = self.begun
        return begun is not None and begun.done() and (begun.cancelled() or begun.exception() is not None)


class Hub:
    """All listening sockets of one event loop. It starts with the first and ends with the last of them."""

    def __init__(self) -> None:
        self._streams: dict[Stream, _Watched] = {}
        self._news: set[Stream] = set()
        self._has_news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, stream: Stream, sink: Sink) -> int:
        """From now on the sink is offered every row after the number that this returns. Raises DatabaseError."""
        self._begin()
        watched = self._streams.setdefault(stream, _Watched())
        watched.guests += 1
        if watched.begun is None:
            watched.begun = asyncio.ensure_future(watched.begin(stream))
        try:
            await asyncio.shield(watched.begun)  # one that turns away must not stop those who wait with it
        except BaseException:
            watched.guests -= 1
            self._forget(stream, watched)
            raise
        watched.sinks.add(sink)
        self._tell([stream])  # what came while the head was read
        return watched.last

    def leave(self, stream: Stream, sink: Sink) -> None:
        """Harmless when it has left."""
        watched = self._streams.get(stream)
        if watched and sink in watched.sinks:
            watched.sinks.remove(sink)
            watched.guests -= 1
            self._forget(stream, watched)

    def _forget(self, stream: Stream, watched: _Watched) -> None:
        if (watched.guests == 0 or watched.is_broken) and self._streams.get(stream) is watched:
            del self._streams[stream]
        if not self._streams:
            for task in self._tasks:
                task.cancel()
            self._tasks.clear()

    def _begin(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(work()) for work in (self._listen, self._look, self._read)]

    def _tell(self, streams: Iterable[Stream]) -> None:
        self._news |= {stream for stream in streams if stream in self._streams}
        if self._news:
            self._has_news.set()

    async def _listen(self) -> None:
        """The process's one subscription."""
        while True:
            try:
                async with (
                    redis.asyncio.Redis.from_url(settings.REDIS_LIVE_URL, socket_timeout=None) as client,
                    client.pubsub(ignore_subscribe_messages=True) as subscription,
                ):
                    await subscription.subscribe(feed.CHANNEL)
                    self._tell(self._streams)  # what was said while nobody listened
                    async for message in subscription.listen():
                        self._tell(_named(message["data"]))
            except (redis.RedisError, OSError) as error:
                logger.warning("not woken while Redis is away", extra={"error": str(error)})
            await asyncio.sleep(RETRY_AFTER)

    async def _look(self) -> None:
        """Find by the table what no message told of."""
        while True:
            await asyncio.sleep(LOOKS_EVERY)
            try:
                heads = await reading(feed.heads)
            except DatabaseError as error:
                logger.warning("the feed is not read", extra={"error": str(error)})
                continue
            self._tell(stream for stream, last in heads.items() if _is_behind(self._streams.get(stream), last))

    async def _read(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            streams, self._news = self._news, set()
            for stream in streams:
                try:
                    await self._hand_out(stream)
                except DatabaseError as error:
                    logger.warning("the feed is not read", extra={"error": str(error)})
                    self._tell([stream])
                    await asyncio.sleep(RETRY_AFTER)

    async def _hand_out(self, stream: Stream) -> None:
        """Read what is new, render it once for each view, and offer it to every sink. Raises DatabaseError."""
        watched = self._streams.get(stream)
        if watched is None or not watched.has_begun:
            return  # whoever comes in reads up to now
        rows, frames = await reading(_read, stream, watched.last, {sink.view for sink in watched.sinks})
        if not rows:
            return
        # whoever came in meanwhile was told that it hears these rows
        while missing := {sink.view for sink in watched.sinks} - frames.keys():
            frames |= await reading(rendered, rows, missing)
        watched.last = rows[-1].number
        for sink in list(watched.sinks):
            if frame := frames[sink.view]:
                sink.offer(frame)
        if len(rows) == READ_AT_ONCE:
            self._tell([stream])


def hub() -> Hub:
    """The hub of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def rendered(rows: Sequence[Told], views: Iterable[View]) -> dict[View, str | None]:
    """What each view tells of the rows. One that fails is logged, and tells nothing: the others must not suffer."""
    frames: dict[View, str | None] = {}
    for view in views:
        try:
            frames[view] = view.frame(rows, rows[-1].number)
        except DatabaseError:
            raise
        except Exception:
            logger.exception("rows of the feed cannot be shown", extra={"view": type(view).__name__})
            frames[view] = None
    return frames


def _read(stream: Stream, last: int, views: set[View]) -> tuple[list[Told], dict[View, str | None]]:
    rows = feed.after(stream, last, most=READ_AT_ONCE)
    return rows, rendered(rows, views) if rows else {}


def _named(data: bytes) -> list[Stream]:
    text = data.decode("ascii", "replace")
    if text == feed.PLATFORM:
        return [None]
    try:
        return [uuid.UUID(text)]
    except ValueError:
        return []  # of another installation on the same Redis


def _is_behind(watched: _Watched | None, last: int) -> bool:
    return watched is not None and watched.last < last


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()
