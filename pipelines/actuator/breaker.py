"""May anything be changed in this account now? Kill switches of people, and a breaker that trips by itself.

Asked before every call that changes a cloud. A breaker that has tripped stays so until a person resets it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.authentication import Caller
from accounts.models import AwsAccount, Organization
from pipelines.models import Breaker

JOB = "the actuator"


class Halted(Exception):
    """Nothing may be changed: `reason` says by whose word, or after how many failures."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check(account_id: int) -> None:
    """Raises Halted. One query; `account_id` is the row's id."""
    for row in Breaker.objects.filter(Q(account_id=account_id) | Q(account=None)).order_by("pk"):
        where = "in this account" if row.account_id else "in every account"
        if row.is_killed:
            raise Halted(f"the kill switch {where} is on: {row.killed_because} ({row.changed_by})")
        if row.tripped_at:
            raise Halted(f"the breaker has tripped after {row.failures} failures in a row: {row.tripped_because}")


def kill(account: AwsAccount | None, *, by: Caller | str, reason: str, now: datetime) -> None:
    """Stop every change in the account, or with None in all of them, from the next call on."""
    with transaction.atomic():
        row = _locked(account, now)
        _change(row, by=by, now=now, is_killed=True, killed_because=reason)
        audit.record(by, "acting.killed", row, organization=_organization(account), reason=reason)


def revive(account: AwsAccount | None, *, by: Caller | str, reason: str, now: datetime) -> None:
    """Take the kill switch back. A breaker that has tripped stays tripped."""
    with transaction.atomic():
        row = _locked(account, now)
        _change(row, by=by, now=now, is_killed=False, killed_because="")
        audit.record(by, "acting.revived", row, organization=_organization(account), reason=reason)


def reset(account: AwsAccount, *, by: Caller | str, reason: str, now: datetime) -> None:
    """Close the breaker again: a person has seen why it tripped."""
    with transaction.atomic():
        row = _locked(account, now)
        before = {"failures": row.failures, "tripped_at": row.tripped_at}
        _change(row, by=by, now=now, failures=0, tripped_at=None, tripped_because="")
        audit.record(by, "breaker.reset", row, organization=account.organization, before=before, reason=reason)


def note_failure(account: AwsAccount, *, limit: int, reason: str, now: datetime) -> bool:
    """Count a failure in a row; at `limit` of them trip. Whether it is tripped now."""
    with transaction.atomic():
        row = _locked(account, now)
        _change(row, by=JOB, now=now, failures=row.failures + 1)
        if row.failures >= limit and row.tripped_at is None:
            _change(row, by=JOB, now=now, tripped_at=now, tripped_because=reason)
            after = {"failures": row.failures}
            audit.record(JOB, "breaker.tripped", row, organization=account.organization, after=after, reason=reason)
    return row.tripped_at is not None


def note_success(account: AwsAccount, *, now: datetime) -> None:
    """Something went well: failures in a row begin again. It closes no breaker that has tripped."""
    Breaker.objects.filter(account=account, tripped_at=None).update(failures=0, changed_at=now)


def _locked(account: AwsAccount | None, now: datetime) -> Breaker:
    Breaker.objects.get_or_create(account=account, defaults={"changed_at": now})
    return Breaker.objects.select_for_update().get(account=account)


def _change(row: Breaker, *, by: Caller | str, now: datetime, **fields: object) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
    row.changed_by, row.changed_at = by.actor if isinstance(by, Caller) else by, now
    row.save()


def _organization(account: AwsAccount | None) -> Organization | None:
    return account.organization if account else None
