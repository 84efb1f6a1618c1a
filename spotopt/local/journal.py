"""Which changes were made to the cloud, so that a restart can make them again?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from spotopt.local.wire import Call, parameters


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that succeeded. `params` is the request's body as it was sent."""

    number: int
    at: str
    account_id: str
    region: str
    service: str
    action: str
    method: str
    content_type: str
    target: str
    params: str
    who: str = ""  # ARN; older journals have none

    @property
    def call(self) -> Call:
        return Call(
            service=self.service,
            region=self.region,
            action=self.action,
            access_key="AKIAREPLAY",
            session_token="",
            method=self.method,
            content_type=self.content_type,
            target=self.target,
            body=self.params.encode(),
            params=parameters(self.params.encode(), self.content_type),
        )


class Journal:
    """A file of one JSON object a line. Not safe for several threads: its user holds a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = max((entry.number for entry in self.entries()), default=0)

    @property
    def next_number(self) -> int:
        return self._last + 1

    def entries(self) -> Iterator[Entry]:
        """In the order they happened. A last line cut off by a crash is left out: its answer was never sent."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                if not line.endswith("\n"):
                    return
                yield Entry(**json.loads(line))

    def append(self, call: Call, account_id: str, at: datetime, who: str = "") -> None:
        entry = Entry(
            number=self.next_number,
            at=at.isoformat(),
            account_id=account_id,
            region=call.region,
            service=call.service,
            action=call.action,
            method=call.method,
            content_type=call.content_type,
            target=call.target,
            params=call.body.decode("utf-8", "replace"),
            who=who,
        )
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(entry)) + "\n")
        self._last = entry.number

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)
        self._last = 0
