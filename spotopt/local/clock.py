"""What time is it in the local cloud?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


class Clock:
    """Starts at `start_at` (default: the real time) and runs at the real pace, or stands still until it is moved.

    It never steps back, save for the length of `pinned`.
    """

    def __init__(self, start_at: datetime | None = None, *, is_still: bool = False) -> None:
        self.first = self._start_at = start_at or datetime.now(UTC)
        self._began = time.monotonic()
        self.is_still = is_still
        self._pinned_at: datetime | None = None

    def now(self) -> datetime:
        if self._pinned_at is not None:
            return self._pinned_at
        ran = 0.0 if self.is_still else time.monotonic() - self._began
        return self._start_at + timedelta(seconds=ran)

    def move(self, by: timedelta) -> None:
        """Let time pass at once. Raises ValueError for a step back."""
        if by < timedelta(0):
            raise ValueError(f"time does not go back: {by}")
        self._start_at += by

    def restart(self) -> None:
        """Back to the first moment; only when everything that happened since is forgotten too."""
        self._start_at, self._began = self.first, time.monotonic()

    @contextmanager
    def pinned(self, at: datetime) -> Iterator[None]:
        """Stand at `at` while something of that moment is done, or done again."""
        before, self._pinned_at = self._pinned_at, at
        try:
            yield
        finally:
            self._pinned_at = before
