"""Who did what, on what, before and after, why, in which request? Entries are only ever added."""

from __future__ import annotations

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Model

from accounts import feed, tracing
from accounts.authentication import Caller
from accounts.feed import Kind
from accounts.models import AuditEntry, Organization


def record(
    by: Caller | str,
    deed: str,
    subject: str | Model,
    *,
    organization: Organization | None = None,
    before: Any = None,
    after: Any = None,
    reason: str = "",
) -> AuditEntry:
    """Append an entry, in the transaction of the deed. `by` is a caller, or the name of a job or command.

    `organization` is the caller's unless given; a job always gives it. Never put a secret or an ExternalId in.
    """
    caller = by if isinstance(by, Caller) else None
    entry = AuditEntry(
        organization=organization or (caller.organization if caller else None),
        person=caller.user if caller else None,
        api_key=caller.api_key if caller else None,
        actor=caller.actor if caller else str(by),
        deed=deed,
        subject=subject_of(subject) if isinstance(subject, Model) else subject,
        before=_plain(before),
        after=_plain(after),
        reason=reason,
        request_id=tracing.request_id.get(),
    )
    with transaction.atomic(savepoint=False):
        entry.save(force_insert=True)
        feed.tell(entry.organization_id, Kind.AUDIT, _told(entry))
    return entry


def _told(entry: AuditEntry) -> dict[str, Any]:
    """The entry as the feed tells it."""
    shown = ("id", "at", "actor", "deed", "subject", "before", "after", "reason", "request_id")
    return {name: getattr(entry, name) for name in shown}


def subject_of(row: Model) -> str:
    """How an entry names a row: `aws-account/12`."""
    return f"{str(row._meta.verbose_name).lower().replace(' ', '-')}/{row.pk}"


def _plain(value: Any) -> Any:
    """As JSON keeps it: times and money as text."""
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))
