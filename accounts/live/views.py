"""What does a socket ask to hear, and how is it told? Sockets that ask for the same share one rendering."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from accounts.feed import Kind, Stream, Told

LARGEST_NUMBER = 2**63 - 1


class Refused(Exception):
    """What was asked for cannot be understood, or is not there for whoever asks."""


class View(Protocol):
    """A part of one stream; frozen and hashable."""

    @property
    def stream(self) -> Stream: ...

    def frame(self, rows: Sequence[Told], last: int) -> str | None:
        """What to send of these rows, the newest of which has the number `last`; None = nothing. May read tables."""

    def opening(self, last: int, *, missed: bool) -> str:
        """The first frame: everything after `last` follows. `missed`: between it and what they had is more."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Rows of some kinds as JSON: `{"last", "items": [{"number", "kind", "at", …}]}`."""

    stream: Stream
    kinds: frozenset[Kind]

    def shows(self, row: Told) -> bool:
        return row.kind in self.kinds

    def frame(self, rows: Sequence[Told], last: int) -> str | None:
        items = [
            {"number": row.number, "kind": row.kind, "at": row.at.isoformat(), **row.body}
            for row in rows
            if self.shows(row)
        ]
        return json.dumps({"last": last, "items": items}, separators=(",", ":")) if items else None

    def opening(self, last: int, *, missed: bool) -> str:
        return json.dumps({"last": last, "missed": missed, "items": []}, separators=(",", ":"))


def number(text: str | None) -> int | None:
    """The last number that somebody says they have; None = none. Raises Refused."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_NUMBER):
        raise Refused("last is a whole number.")
    return int(text)
