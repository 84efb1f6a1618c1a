"""How is a model used, how quick is it, and how right was it? From Prediction rows alone, never more than so many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, Q, QuerySet

from accounts.authentication import Caller
from accounts.ownership import owned
from mlregistry.domain.accuracy import Accuracy, accuracy
from mlregistry.models import ModelVersion, Outcome, Prediction
from mlregistry.predicting import MOST_PROBABLE

MOST_COUNTED = 100_000  # a count beyond this is told as "at least"
MOST_TIMED = 10_000  # newest predictions whose latency is looked at
MOST_JUDGED = 100_000  # newest predictions with an outcome
USED_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Counted:
    """`is_more`: there are more than were counted."""

    number: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of the newest `predictions`."""

    p50: float
    p95: float
    p99: float
    predictions: int


@dataclass(frozen=True, slots=True)
class Usage:
    """By the caller's organization, or by all for the platform. `latency_ms` None: not used within thirty days."""

    predictions_24h: Counted
    predictions_30d: Counted
    shadow_30d: Counted
    last_used_at: datetime | None
    latency_ms: Latency | None


def predictions_of(version: ModelVersion, caller: Caller) -> QuerySet[Prediction]:
    """The caller's own; a key of the platform that names no customer reads everybody's."""
    rows = Prediction.objects.filter(model=version)
    return rows if caller.is_platform and caller.organization is None else owned(rows, caller)


def usage(version: ModelVersion, caller: Caller, *, now: datetime) -> Usage:
    """Three queries, each bounded."""
    rows = predictions_of(version, caller).order_by("-created_at")
    recent = rows.filter(created_at__gt=now - USED_WITHIN)
    counted = recent[: MOST_COUNTED + 1].aggregate(
        day=Count("pk", Q(created_at__gt=now - timedelta(days=1))),
        month=Count("pk"),
        beside=Count("pk", Q(is_shadow=True)),
    )
    times = np.array(recent.values_list("latency_ms", flat=True)[:MOST_TIMED], dtype=np.float64)
    p50, p95, p99 = np.quantile(times, (0.5, 0.95, 0.99)).tolist() if len(times) else (0.0, 0.0, 0.0)
    return Usage(
        predictions_24h=_counted(counted["day"], counted["month"]),
        predictions_30d=_counted(counted["month"], counted["month"]),
        shadow_30d=_counted(counted["beside"], counted["month"]),
        last_used_at=rows.values_list("created_at", flat=True).first(),
        latency_ms=Latency(p50, p95, p99, len(times)) if len(times) else None,
    )


def performance(version: ModelVersion, caller: Caller, *, since: datetime | None = None) -> tuple[Accuracy, Counted]:
    """Figures over the newest predictions whose outcome is known, and how many predictions there are in all."""
    rows = predictions_of(version, caller)
    return judged(version, caller, since=since), _count(rows.filter(created_at__gte=since) if since else rows)


def judged(version: ModelVersion, caller: Caller, *, since: datetime | None = None) -> Accuracy:
    """The figures alone."""
    rows = predictions_of(version, caller)
    rows = rows.filter(created_at__gte=since) if since else rows
    return _accuracy(list(_newest_labelled(rows).values_list("outcome", "probability")[:MOST_JUDGED]))


def judged_beside(a: ModelVersion, b: ModelVersion, caller: Caller) -> tuple[Accuracy, Accuracy]:
    """The figures of two in one query."""
    columns = ("model_id", "outcome", "probability")
    newest = (_newest_labelled(predictions_of(each, caller)).values_list(*columns)[:MOST_JUDGED] for each in (a, b))
    rows = list(next(newest).union(next(newest), all=True))
    of_a, of_b = ([row[1:] for row in rows if row[0] == each.pk] for each in (a, b))
    return _accuracy(of_a), _accuracy(of_b)


def _newest_labelled(rows: QuerySet[Prediction]) -> QuerySet[Prediction]:
    labelled = rows.filter(outcome__in=(Outcome.INTERRUPTED, Outcome.SURVIVED), probability__isnull=False)
    return labelled.order_by("-pk")


def _accuracy(known: Sequence[tuple[Any, ...]]) -> Accuracy:
    label = np.array([outcome == Outcome.INTERRUPTED for outcome, _ in known], dtype=bool)
    probability = np.array([probability for _, probability in known], dtype=np.float64)
    return accuracy(label, probability, MOST_PROBABLE)


def _count(rows: QuerySet[Prediction]) -> Counted:
    found = rows.order_by().values("pk")[: MOST_COUNTED + 1].count()
    return _counted(found, found)


def _counted(number: int, seen: int) -> Counted:
    """`number` out of the `seen` newest rows, which end at MOST_COUNTED."""
    return Counted(min(number, MOST_COUNTED), seen > MOST_COUNTED)
