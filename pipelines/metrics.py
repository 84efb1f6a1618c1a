"""How much is predicted and decided now, and how fast? Of one organization's, or of the whole installation.

Computed from tables when somebody asks, so that it is true whichever process answers, and after a restart too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Aggregate, Avg, Count, FloatField, Min, Model, Q, QuerySet

from accounts.authentication import Caller
from accounts.ownership import owned
from mlregistry.models import Prediction
from pipelines.models import EngineDecision, ExperimentLog

WINDOW = timedelta(minutes=5)
MOST = 20_000  # newest predictions that are looked at; when more came, the rate is that of a shorter time
PATIENCE = 0.5  # s


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of the last WINDOW. None: nothing happened that could be measured, or it is not for the caller to see."""

    predictions_per_minute: float
    decisions_per_minute: float
    avg_prediction_latency_ms: float | None
    p50_prediction_latency_ms: float | None
    p95_prediction_latency_ms: float | None
    p99_prediction_latency_ms: float | None
    cache_hit_rate: float | None
    database_connections: int | None


class Percentile(Aggregate):
    """PostgreSQL's percentile_cont; None without rows."""

    function = "percentile_cont"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def of_caller(caller: Caller, *, now: datetime) -> Metrics:
    """The caller's own; the installation's for a key of the platform that names no customer, and only then the parts
    that all share."""
    if caller.is_platform and caller.organization is None:
        return of_installation(now=now)
    return _measured(lambda model: owned(model, caller), now, cache_hit_rate=None, database_connections=None)


def of_installation(*, now: datetime) -> Metrics:
    return _measured(
        lambda model: model._default_manager.all(),
        now,
        cache_hit_rate=cache_hit_rate(),
        database_connections=_connections(),
    )


def cache_hit_rate() -> float | None:
    """Of all reads since the cache's Redis started; None while it does not answer, or nobody has read."""
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
    try:
        told: Any = client.info("stats")
    except redis.RedisError:
        return None
    finally:
        client.close()
    hits, misses = int(told["keyspace_hits"]), int(told["keyspace_misses"])
    return hits / (hits + misses) if hits + misses else None


def _measured(rows_of: Any, now: datetime, **shared: Any) -> Metrics:
    count, minutes, latencies = _predictions(rows_of(Prediction), now)
    return Metrics(
        predictions_per_minute=count / minutes,
        decisions_per_minute=_decisions(rows_of, now) / (WINDOW.total_seconds() / 60),
        **latencies,
        **shared,
    )


def _predictions(rows: QuerySet[Prediction], now: datetime) -> tuple[int, float, dict[str, Any]]:
    """How many, in how many minutes, and how fast; one query, over MOST rows at most."""
    recent = Q(created_at__gt=now - WINDOW)
    found = rows.order_by("-pk")[:MOST].aggregate(
        count=Count("pk", filter=recent),
        since=Min("created_at", filter=recent),
        avg=Avg("latency_ms", filter=recent),
        **{f"p{n}": Percentile("latency_ms", filter=recent, share=n / 100) for n in (50, 95, 99)},
    )
    span = now - found["since"] if found["count"] == MOST else WINDOW
    latencies = {f"{name}_prediction_latency_ms": found[name] for name in ("avg", "p50", "p95", "p99")}
    return found["count"], max(span.total_seconds(), 1.0) / 60, latencies


def _decisions(rows_of: Any, now: datetime) -> int:
    """On instances, and of engines that programs asked."""
    counted: tuple[tuple[type[Model], str], ...] = ((ExperimentLog, "decided_at"), (EngineDecision, "executed_at"))
    return sum(rows_of(model).filter(**{f"{at}__gt": now - WINDOW}).count() for model, at in counted)


def _connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
