"""A thousand readers in one process, each with its own connection: sockets of ours, or subscriptions of Redis.

As light as Python allows: bytes are searched for the word that every message holds, and never parsed. Speaks JSON
lines: what to do on stdin, what it saw on stdout.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

WORD = "d41d8cd98f"  # in every message, and nowhere else
AT_ONCE = 50  # that come in together
PING, PONG = b"\x89\x04", b"\x8a\x84\x00\x00\x00\x00"  # as uvicorn sends them; masked with nothing (RFC 6455)
OPENED = b'"items":[]'  # what a socket of ours says first


class Counting(asyncio.Protocol):
    """Counts how often the word has come."""

    def __init__(self, readers: Readers, hello: bytes, ready: bytes) -> None:
        self._readers = readers
        self._hello, self._ready = hello, ready
        self.is_ready = asyncio.get_running_loop().create_future()
        self._rest = b""
        self.count = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        if (at := data.find(PING)) >= 0:  # whoever answers no ping is let go
            self._transport.write(PONG + data[at + 2 : at + 6])
        data = self._rest + data
        if not self.is_ready.done() and self._ready in data:
            self.is_ready.set_result(None)
        came = data.count(WORD.encode())
        keep = len(WORD) - 1 if self.is_ready.done() else 200
        self._rest = data[-keep:] if not data.endswith(WORD.encode()) else b""
        if came:
            self.count += came
            self._readers.came(came)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_ready.done():
            self.is_ready.set_exception(error or ConnectionError("not let in"))
        self._readers.lose()


class Readers:
    """All of them. `expect` says how many more words are to come to all together: some may have come already."""

    def __init__(self) -> None:
        self._came = self._wanted = self._each = 0
        self._last_at = 0.0
        self.lost = 0
        self._all_here = asyncio.Event()

    def expect(self, each: int, readers: int) -> None:
        self._each = each
        self._wanted += each * (readers - self.lost)
        self._all_here.clear()
        self._look()

    def came(self, words: int) -> None:
        self._came += words
        self._last_at = time.monotonic()
        self._look()

    def lose(self) -> None:
        """A connection that the server let go is waited for no longer; it is told of."""
        self.lost += 1
        self._wanted -= self._each
        self._look()

    def _look(self) -> None:
        if self._came >= self._wanted:
            self._all_here.set()

    async def wait(self, patience: float) -> dict[str, Any]:
        try:
            await asyncio.wait_for(self._all_here.wait(), patience)
        except TimeoutError:
            return {"missing": self._wanted - self._came, "lost": self.lost}
        return {"at": self._last_at, "lost": self.lost}


async def main(plan: dict[str, Any]) -> None:
    readers = Readers()
    here: list[Counting] = []
    for start in range(0, plan["clients"], AT_ONCE):
        some = [_connect(plan, readers) for _ in range(min(AT_ONCE, plan["clients"] - start))]
        here += await asyncio.gather(*some)
    print(json.dumps({"listening": len(here)}), flush=True)
    lines = await _lines()
    while line := await lines.readline():
        readers.expect(json.loads(line)["expect"], len(here))
        print(json.dumps(await readers.wait(plan["patience"])), flush=True)


async def _connect(plan: dict[str, Any], readers: Readers) -> Counting:
    loop = asyncio.get_running_loop()
    if "redis" in plan:
        hello = f"SUBSCRIBE {plan['channel']}\r\n".encode()
        path = urlsplit(plan["redis"]).path
        _, reader = await loop.create_unix_connection(lambda: Counting(readers, hello, b":1\r\n"), path)
    else:
        hello = _handshake(plan)
        ready = OPENED if plan["address"].startswith("/api/") else b"\r\n\r\n"
        _, reader = await loop.create_connection(lambda: Counting(readers, hello, ready), "127.0.0.1", plan["port"])
    await asyncio.wait_for(reader.is_ready, plan["patience"])
    return reader


def _handshake(plan: dict[str, Any]) -> bytes:
    host = f"127.0.0.1:{plan['port']}"
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {plan['address']} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Cookie: sessionid={plan['session']}\r\n\r\n"
    ).encode()


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
