"""What will happen in the cloud by itself, and when? A machine boots, an image becomes available, a target drains."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spotopt.local.clock import Clock

from moto.moto_api._internal import mock_random  # isort: skip

Deed = Callable[[], None]


@dataclass(order=True, slots=True)
class Due:
    at: datetime
    number: int
    deed: Deed = field(compare=False)


class Agenda:
    """Deeds happen at their own moment, in order, however late somebody looks: a replay ends in the same state."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._due: list[Due] = []
        self._last = 0

    def add(self, after_seconds: float, deed: Deed) -> None:
        """`deed` looks again whether it still applies: what it speaks of may be gone by then."""
        self._last += 1
        heapq.heappush(self._due, Due(self._clock.now() + timedelta(seconds=after_seconds), self._last, deed))

    def run(self) -> int:
        """Do what is due until now, each with its own random numbers; return how many."""
        now, done = self._clock.now(), 0
        while self._due and self._due[0].at <= now:
            due = heapq.heappop(self._due)
            mock_random.seed(f"{self._seed}/due/{due.number}")
            with self._clock.pinned(due.at):
                due.deed()
            done += 1
        return done

    def next_at(self) -> datetime | None:
        return self._due[0].at if self._due else None

    def clear(self) -> None:
        self._due.clear()
        self._last = 0
