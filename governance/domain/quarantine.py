"""Until when may nobody launch in a pool?"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from governance.domain.policy import Policy


class Cause(StrEnum):
    INTERRUPTION = "interruption"
    REBALANCE = "rebalance recommendation"
    PERSON = "person"


def length(cause: Cause, policy: Policy) -> timedelta:
    """How long a fresh event of this kind closes a pool; a person's quarantine is as long as an interruption's."""
    if cause is Cause.REBALANCE:
        return timedelta(days=policy.rebalance_quarantine_days)
    return timedelta(days=policy.interruption_quarantine_days)


def end(event_at: datetime, lasting: timedelta, *, existing: datetime | None) -> datetime:
    """When the pool opens again: extended by a further event, never shortened, whatever the order of events."""
    until = event_at + lasting
    return until if existing is None else max(existing, until)
