"""How long is history kept? What explains a run, for a while; receipts and the audit log, for good."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, Max, OuterRef, QuerySet

from governance.models import ComponentRun
from mlregistry.models import Prediction
from pipelines.models import ExperimentLog, PipelineRun, RunState, RunStep

logger = logging.getLogger(__name__)

BATCH = 2000  # rows a statement: none holds its locks for long
OPEN = (RunState.QUEUED.value, RunState.RUNNING.value)


def outlived(now: datetime) -> Iterator[tuple[str, QuerySet[Any]]]:
    """What has had its time, by name. Only whole deletions: no row is emptied.

    A run that a decision came from stays for good, since the receipt belongs to it; its steps go, but those of an
    instance's latest decision. A component's last run stays, however old: the monitor says when that was.
    """
    runs = now - timedelta(days=settings.RUN_RETENTION_DAYS)
    old = PipelineRun.objects.filter(created_at__lt=runs).exclude(state__in=OPEN)
    decision = ExperimentLog.objects.filter(run=OuterRef("pk"))
    latest = ExperimentLog.objects.filter(run=OuterRef("run"), is_latest=True)
    yield "run steps", RunStep.objects.filter(run__in=old).exclude(Exists(latest))
    yield "runs", old.exclude(Exists(decision))
    predictions = now - timedelta(days=settings.PREDICTION_RETENTION_DAYS)
    yield "predictions", Prediction.objects.filter(created_at__lt=predictions)
    components = now - timedelta(days=settings.COMPONENT_RUN_RETENTION_DAYS)
    last = ComponentRun.objects.order_by().values("component").annotate(last=Max("pk")).values("last")
    yield "component runs", ComponentRun.objects.filter(started_at__lt=components).exclude(pk__in=last)
    yield "sessions", Session.objects.filter(expire_date__lt=now)


def keep(now: datetime) -> dict[str, int]:
    """Delete it, in batches; how many rows of each. Harmless when repeated, or done twice at once."""
    gone = {name: sum(_deleted(rows)) for name, rows in outlived(now)}
    logger.info("history kept", extra={"deleted": gone})
    return gone


def _deleted(rows: QuerySet[Any]) -> Iterator[int]:
    while ids := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        yield rows.model._default_manager.filter(pk__in=ids).delete()[1].get(rows.model._meta.label, 0)
