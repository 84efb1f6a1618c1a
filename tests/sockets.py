"""A socket in a test: opened against our own map of addresses, in a loop of its own, as a browser or a program does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import connections

from accounts.models import User
from spotopt.sockets import sockets
from tests.factories import a_browser

PATIENCE = 10  # s; a loaded machine is no failure
ORIGIN = "http://testserver"


def cookie_of(person: User) -> str:
    return str(a_browser(person).cookies[settings.SESSION_COOKIE_NAME].value)


def headers(*, session: str = "", origin: str | None = ORIGIN, **more: str) -> list[tuple[bytes, bytes]]:
    told = {"host": "testserver", **more}
    if origin is not None:
        told["origin"] = origin
    if session:
        told["cookie"] = f"{settings.SESSION_COOKIE_NAME}={session}"
    return [(name.encode(), value.encode()) for name, value in told.items()]


class Open:
    """One connection. `is_in` says whether the handshake was granted."""

    def __init__(
        self,
        address: str,
        *,
        session: str = "",
        origin: str | None = ORIGIN,
        application: Any = sockets,
        **more: str,
    ) -> None:
        self._application = application
        path, _, query = address.partition("?")
        scope = {"type": "websocket", "path": path, "query_string": query.encode(), "subprotocols": []}
        self._reads = asyncio.Event()
        self._reads.set()
        self.frames_heard = 0
        # channels.testing asks for a server that nobody here uses
        self._there = ApplicationCommunicator(
            self._served, {**scope, "headers": headers(session=session, origin=origin, **more)}
        )
        self.is_in = False

    async def __aenter__(self) -> Open:
        await self._there.send_input({"type": "websocket.connect"})
        self.is_in = (await self._there.receive_output(PATIENCE))["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._there.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._there.wait(PATIENCE)

    async def _served(self, scope: Any, receive: Any, send: Any) -> None:
        """Our application behind a line that takes nothing while the other end does not read."""

        async def sending(message: Any) -> None:
            await self._reads.wait()
            await send(message)

        await self._application(scope, receive, sending)

    def stops_reading(self) -> None:
        self._reads.clear()

    def reads_on(self) -> None:
        self._reads.set()

    async def says(self, body: Mapping[str, Any] | str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        await self._there.send_input({"type": "websocket.receive", "text": text})

    async def hears(self) -> str:
        told = await self._there.receive_output(PATIENCE)
        assert told["type"] == "websocket.send", told
        return str(told["text"])

    async def hears_json(self) -> Any:
        return json.loads(await self.hears())

    async def hears_items(self, count: int) -> list[Any]:
        """The next rows, in however many frames they come."""
        items: list[Any] = []
        while len(items) < count:
            items += (await self.hears_json())["items"]
        return items

    async def hears_all(self, *, until: str) -> str:
        """What is sent up to what matches, or until nothing comes any more, or until it is closed, with the code."""
        told = ""
        while not re.search(until, told) and not await self._there.receive_nothing(timeout=PATIENCE):
            message = await self._there.receive_output(PATIENCE)
            if message["type"] == "websocket.close":
                return f"closed with {message['code']}"
            told += message["text"] + "\n"
        return told

    async def is_closed_with(self) -> int:
        """The code with which it is closed; frames on the way are let go."""
        while (told := await self._there.receive_output(PATIENCE))["type"] != "websocket.close":
            assert told["type"] == "websocket.send"
            self.frames_heard += 1
        return int(told["code"])

    async def hears_nothing(self) -> bool:
        return bool(await self._there.receive_nothing(timeout=0.3))


def played(story: Callable[[], Awaitable[None]], *, patience: float = 60) -> None:
    """Hold the conversation, in a thread of its own: a browser of another test may keep a loop in this one."""
    with ThreadPoolExecutor(1) as aside:
        aside.submit(lambda: asyncio.run(asyncio.wait_for(story(), patience))).result()


async def done(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A deed, in a thread with a connection of its own, as a request or a job does it."""

    def alone() -> Any:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()  # the next test has another database

    return await sync_to_async(alone, thread_sensitive=False)()
