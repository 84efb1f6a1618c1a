"""When may a change be made, in the time zone of the people it touches?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class ChangeWindow:
    """Open from `begins` until `ends` on the local days named. `ends` ≤ `begins`: it runs past midnight.

    `weekdays` name the day on which it opens. Times are local, so a clock change moves the window with the people.
    """

    begins: time
    ends: time
    weekdays: tuple[str, ...] = WEEKDAYS
    time_zone: str = "UTC"

    def is_open(self, at: datetime) -> bool:
        return any(opens <= at < closes for opens, closes in self._around(at))

    def next_open(self, at: datetime) -> datetime:
        """The first instant from `at` on at which it is open, in UTC; `at` itself when it is open."""
        if self.is_open(at):
            return at
        return min(opens for opens, _ in self._around(at) if opens > at)

    def __str__(self) -> str:
        days = "every day" if self.weekdays == WEEKDAYS else ", ".join(self.weekdays)
        return f"{self.begins:%H:%M}–{self.ends:%H:%M} {self.time_zone}, {days}"

    def _around(self, at: datetime) -> list[tuple[datetime, datetime]]:
        """The openings from yesterday to nine days on: enough for a window of one weekday."""
        zone = ZoneInfo(self.time_zone)
        today = at.astimezone(zone).date()
        found = []
        for offset in range(-1, 9):
            day = today + timedelta(days=offset)
            if WEEKDAYS[day.weekday()] not in self.weekdays:
                continue
            last = day + timedelta(days=1) if self.ends <= self.begins else day
            opens = datetime.combine(day, self.begins, zone).astimezone(UTC)
            closes = datetime.combine(last, self.ends, zone).astimezone(UTC)
            if opens < closes:  # on the night the clocks go forward a short one may not exist
                found.append((opens, closes))
        return found
