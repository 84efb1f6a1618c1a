"""Which job ran for which component, and how did it end?"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.utils import timezone

from governance.models import ComponentRun

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
    row = ComponentRun.objects.create(component=component, task=task, subject=subject[:160], started_at=timezone.now())
    report = Report()
    try:
        yield report
    except Exception as wrong:
        _end(row, is_success=False, detail=f"{type(wrong).__name__}: {wrong}")
        raise
    _end(row, is_success=report.is_success, detail=report.detail)


def _end(row: ComponentRun, *, is_success: bool, detail: str) -> None:
    row.ended_at, row.is_success, row.detail = timezone.now(), is_success, detail[:LONGEST_DETAIL]
    row.save(update_fields=["ended_at", "is_success", "detail"])
    logger.info("job ended", extra={"component": row.component, "subject": row.subject, "is_success": is_success})
