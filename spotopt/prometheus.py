"""What does Prometheus scrape? Gauges of the whole installation, read from tables, with no word of a tenant.

Read at each scrape and not counted in processes: any process answers the same, and a restart loses nothing. What is not
known has no sample. Prometheus computes ages from the timestamps itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Max
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import ApiKeyAuthentication, Caller, PersonAuthentication
from accounts.domain import Role, Scope
from governance import monitoring
from governance.domain.components import Status
from instances.models import MarketFetch
from mlregistry.models import RegionScoring
from pipelines import metrics

BEARER = b"bearer"
SCRAPER = "the scraper"

Samples = Iterable[tuple[list[str], float | None]]


class ScraperAuthentication(BaseAuthentication):
    """`Authorization: Bearer <METRICS_TOKEN>`, where the setting has one; anything else is for the next to know."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        words = get_authorization_header(request).split()
        token = settings.METRICS_TOKEN.encode()
        if token and len(words) == 2 and words[0].lower() == BEARER and secrets.compare_digest(words[1], token):
            return AnonymousUser(), SCRAPER
        return None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SeesTheInstallation(BasePermission):
    """The scraper, a key of the platform that may read, and staff."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        who: Any = request.auth
        if isinstance(who, Caller):
            return monitoring.sees_all(who) and (who.user is not None or who.may(Scope.READ, Role.VIEWER))
        return who == SCRAPER


@extend_schema(exclude=True)
class Scrape(APIView):
    """`/metrics`, in Prometheus' text format."""

    authentication_classes = (ScraperAuthentication, ApiKeyAuthentication, PersonAuthentication)
    permission_classes = (SeesTheInstallation,)
    throttle_classes = ()  # the scraper is nobody who could be counted

    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        registry.register(Installation(timezone.now()))
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Installation(Collector):
    def __init__(self, now: datetime) -> None:
        self.now = now

    def describe(self) -> list[Any]:
        return []  # or registering would already read everything

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._work()
        yield from self._components()
        yield from self._beside()
        yield from self._freshness()

    def _work(self) -> Iterator[GaugeMetricFamily]:
        found = metrics.of_installation(now=self.now)
        yield _gauge("predictions_per_minute", "Over five minutes", [], [([], found.predictions_per_minute)])
        yield _gauge("decisions_per_minute", "Over five minutes", [], [([], found.decisions_per_minute)])
        latencies = {
            "0.5": found.p50_prediction_latency_ms,
            "0.95": found.p95_prediction_latency_ms,
            "0.99": found.p99_prediction_latency_ms,
        }
        rows: Samples = [([share], None if ms is None else ms / 1000) for share, ms in latencies.items()]
        yield _gauge("prediction_latency_seconds", "Of calls, over five minutes", ["quantile"], rows)
        yield _gauge("cache_hit_ratio", "Since the cache started", [], [([], found.cache_hit_rate)])
        yield _gauge("database_connections", "To this database", [], [([], found.database_connections)])

    def _components(self) -> Iterator[GaugeMetricFamily]:
        figures = monitoring.components(now=self.now)
        states: Samples = [([f.name, each.value], float(f.status is each)) for f in figures for each in Status]
        yield _gauge("component_status", "1 for the one it has", ["component", "status"], states)
        runs: Samples = [
            ([f.name, outcome], count)
            for f in figures
            for outcome, count in (("succeeded", f.succeeded), ("failed", f.failed))
        ]
        yield _gauge("component_runs", "Jobs of the last 24 hours", ["component", "outcome"], runs)
        slow: Samples = [([f.name], f.p95_seconds) for f in figures]
        yield _gauge("component_p95_seconds", "Duration of jobs of the last 24 hours", ["component"], slow)
        ended: Samples = [([f.name], _seconds(f.last_ended_at)) for f in figures]
        yield _gauge("component_last_ended_timestamp_seconds", "End of its last job", ["component"], ended)

    def _beside(self) -> Iterator[GaugeMetricFamily]:
        beside = monitoring.beside()
        waiting: Samples = [([name], count) for name, count in beside.queues or ()]
        yield _gauge("queue_length", "Jobs that wait", ["queue"], waiting)
        yield _gauge("workers", "Workers that answer", [], [([], beside.workers)])
        sizes: Samples = [([size.name], size.size_bytes) for size in monitoring.sizes()]
        yield _gauge("table_bytes", "The largest tables, indexes included", ["table"], sizes)

    def _freshness(self) -> Iterator[GaugeMetricFamily]:
        fetched = MarketFetch.objects.whole().order_by().values_list("source", "region").annotate(at=Max("through"))
        known: Samples = [([source, region], _seconds(at)) for source, region, at in fetched]
        yield _gauge("market_known_timestamp_seconds", "Until when a source is known", ["source", "region"], known)
        scored = RegionScoring.objects.order_by("region", "product").values_list("region", "product", "scored_at")
        scores: Samples = [([region, product], _seconds(at)) for region, product, at in scored]
        yield _gauge("scores_timestamp_seconds", "Last whole scoring", ["region", "product"], scores)


def _gauge(name: str, said: str, labels: list[str], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"spotopt_{name}", said, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at else None
