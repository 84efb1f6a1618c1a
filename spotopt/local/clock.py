"""What time is it in the local cloud?"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Runs at the real pace from `start_at` (default: the real time); never steps back."""

    def __init__(self, start_at: datetime | None = None) -> None:
        self._start_at = start_at or datetime.now(UTC)
        self._began = time.monotonic()
        self._pinned_at: datetime | None = None

    def now(self) -> datetime:
        return self._pinned_at or self._start_at + timedelta(seconds=time.monotonic() - self._began)

    def pin(self, at: datetime | None) -> None:
        """Stand still at `at` while old calls are replayed; None lets it run again."""
        self._pinned_at = at
