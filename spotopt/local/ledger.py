"""Who asked the cloud to change what, and what came of it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from spotopt.local.census import Census
from spotopt.local.wire import Call

DONE = "done"


@dataclass(frozen=True, slots=True)
class Effect:
    """Differences between two moments, as `kind/id`."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.created or self.changed or self.gone)


@dataclass(frozen=True, slots=True)
class Change:
    """One call that may change something, in the order of arrival."""

    number: int
    at: datetime
    account_id: str
    region: str
    who: str  # ARN of the caller, "" where the credentials were not known
    session_name: str  # of an assumed role
    name: str  # `ec2:RunInstances`
    params: Mapping[str, Any]
    outcome: str  # DONE, or the error code, or "lost" when it never came to anything
    effect: Effect

    @property
    def token(self) -> str:
        return str(self.params.get("ClientToken", ""))

    def plain(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.isoformat()}


def effect_of(before: Census, after: Census) -> Effect:
    old, new = before.parts(), after.parts()
    return Effect(
        created=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
        gone=tuple(sorted(old.keys() - new.keys())),
    )


def session_name_of(arn: str) -> str:
    return arn.rpartition("/")[2] if ":assumed-role/" in arn else ""


Watcher = Callable[[Change | None, Census], None]


class Ledger:
    """Every change since the start or the last reset. Its user holds a lock."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.watchers: list[Watcher] = []  # told after each change, and, with None, after what happened by itself

    def add(self, call: Call, account_id: str, who: str, outcome: str, effect: Effect, now: datetime) -> Change:
        change = Change(
            number=len(self.changes) + 1,
            at=now,
            account_id=account_id,
            region=call.region,
            who=who,
            session_name=session_name_of(who),
            name=call.name,
            params=dict(call.params),
            outcome=outcome,
            effect=effect,
        )
        self.changes.append(change)
        return change

    def tell(self, change: Change | None, census: Callable[[], Census]) -> None:
        if self.watchers:
            now = census()
            for watcher in self.watchers:
                watcher(change, now)
