"""Where does a live process speak to the database? In threads of its own, never in the loop that serves the sockets.

Not in the one thread that Django keeps for synchronous pages either: a slow page would hold up every socket.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

READING = ThreadPoolExecutor(2, "feed")  # a database connection each
ENTERING = ThreadPoolExecutor(4, "door")


async def reading(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Read the feed and render what was read, for all sockets at once."""
    found: T = await database_sync_to_async(work, thread_sensitive=False, executor=READING)(*args, **kwargs)
    return found


async def entering(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Whatever is looked up for one socket."""
    found: T = await database_sync_to_async(work, thread_sensitive=False, executor=ENTERING)(*args, **kwargs)
    return found
