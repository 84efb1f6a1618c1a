"""Which job ran for which component, and how did it end?"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import feed
from accounts.feed import Kind
from accounts.models import AwsAccount
from governance.domain.components import Subject, subject_kind
from governance.models import ComponentRun
from instances.models import Instance

LONGEST_DETAIL = 2000
logger = logging.getLogger(__name__)


@dataclass
class Report:
    """What a job says of itself; a job that ends without an exception may still say that it failed."""

    detail: str = ""
    is_success: bool = True


@contextmanager
def run(component: str, task: str, subject: str = "") -> Iterator[Report]:
    """Write a ComponentRun around a job: open when it begins, ended whatever happens. Exceptions pass on.

    Times are of the wall clock, for this is a record of what the machine did.
    """
    row = ComponentRun(component=component, task=task, subject=subject[:160], started_at=timezone.now())
    with transaction.atomic(savepoint=False):
        row.save(force_insert=True)
        feed.tell(None, Kind.JOB, told(row))
    report = Report()
    try:
        yield report
    except Exception as wrong:
        _end(row, is_success=False, detail=f"{type(wrong).__name__}: {wrong}")
        raise
    _end(row, is_success=report.is_success, detail=report.detail)


def _end(row: ComponentRun, *, is_success: bool, detail: str) -> None:
    row.ended_at, row.is_success, row.detail = timezone.now(), is_success, detail[:LONGEST_DETAIL]
    with transaction.atomic(savepoint=False):
        row.save(update_fields=["ended_at", "is_success", "detail"])
        feed.tell(None, Kind.JOB, told(row))
    logger.info("job ended", extra={"component": row.component, "subject": row.subject, "is_success": is_success})


def told(run: ComponentRun) -> dict[str, Any]:
    """A run as the feed tells it: in the platform's stream, with whose account or instance it names."""
    columns = ("id", "component", "task", "subject", "started_at", "ended_at", "is_success", "detail")
    owner, name = _owner_of(run)
    return {**{column: getattr(run, column) for column in columns}, "organization": owner, "name": name}


def _owner_of(run: ComponentRun) -> tuple[str | None, str]:
    """The id of the organization whose account or instance a run names, and what they call it."""
    kind, pk = subject_kind(run.task), run.subject.rpartition(" ")[2]
    if not pk.isdigit() or kind not in (Subject.ACCOUNT, Subject.ZONES, Subject.INSTANCE):
        return None, ""
    row: AwsAccount | Instance | None
    if kind is Subject.INSTANCE:
        row = Instance.objects.select_related("account").filter(pk=pk).first()
        return (str(row.account.organization_id), row.name or str(row)) if row else (None, "")
    row = AwsAccount.objects.filter(pk=pk).first()
    return (str(row.organization_id), row.name) if row else (None, "")
