"""GET ml/metrics: an organization's own figures, and null where there is nothing to say."""

from datetime import timedelta

import pytest

from accounts.domain import Scope
from mlregistry.models import Prediction
from pipelines import metrics
from pipelines.models import EngineDecision
from tests.factories import (
    NOW,
    a_browser,
    a_program,
    an_experiment,
    an_instance,
    bob,
    charlie,
    northwind,
    southwind,
)

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/ml/metrics"


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


def predictions(*latencies: float, organization, minutes_ago: float = 1) -> None:
    for ms in latencies:
        row = Prediction.objects.create(
            organization=organization,
            prediction_type="spot_interruption",
            inputs={},
            output={},
            evidence="none",
            latency_ms=ms,
        )
        Prediction.objects.filter(pk=row.pk).update(created_at=NOW - timedelta(minutes=minutes_ago))


def a_decision_of_an_engine(organization) -> None:
    EngineDecision.objects.create(
        organization=organization,
        request_id="r",
        decision_type="spot_optimize",
        engine_name="spot_optimizer",
        engine_version="1",
        request={},
        response={},
        executed_at=NOW - timedelta(minutes=1),
    )


def test_an_organization_sees_its_own_figures_of_the_last_five_minutes():
    predictions(10, 20, 30, 40, organization=northwind())
    predictions(1000, organization=northwind(), minutes_ago=6)
    predictions(5000, organization=southwind())
    predictions(9000, organization=None)
    an_experiment(an_instance(), decided_at=NOW - timedelta(minutes=4))
    an_experiment(an_instance(), decided_at=NOW - timedelta(minutes=6))
    a_decision_of_an_engine(northwind())
    a_decision_of_an_engine(southwind())
    assert a_browser(bob()).get(ADDRESS).json() == {
        "predictions_per_minute": pytest.approx(0.8),
        "decisions_per_minute": pytest.approx(0.4),
        "avg_prediction_latency_ms": pytest.approx(25),
        "p50_prediction_latency_ms": pytest.approx(25),
        "p95_prediction_latency_ms": pytest.approx(38.5),
        "p99_prediction_latency_ms": pytest.approx(39.7),
        "cache_hit_rate": None,
        "database_connections": None,
    }


def test_where_nothing_happened_there_is_no_latency():
    predictions(10, organization=northwind())
    told = a_browser(charlie()).get(ADDRESS).json()
    assert (told["predictions_per_minute"], told["avg_prediction_latency_ms"]) == (0, None)


def test_a_key_of_the_platform_sees_the_installation_or_the_customer_it_names():
    predictions(10, organization=northwind())
    predictions(30, organization=southwind())
    program = a_program(None, Scope.READ)
    whole = program.get(ADDRESS).json()
    assert whole["avg_prediction_latency_ms"] == pytest.approx(20)
    assert whole["database_connections"] >= 1
    assert whole["cache_hit_rate"] is None or 0 <= whole["cache_hit_rate"] <= 1
    one = program.get(f"{ADDRESS}?customer_id={southwind().pk}").json()
    assert (one["avg_prediction_latency_ms"], one["database_connections"]) == (pytest.approx(30), None)


def test_of_more_than_is_looked_at_the_rate_is_that_of_a_shorter_time(monkeypatch):
    monkeypatch.setattr(metrics, "MOST", 3)
    predictions(1, 1, organization=northwind(), minutes_ago=4)
    predictions(1, 1, 1, organization=northwind(), minutes_ago=0.5)
    assert a_browser(bob()).get(ADDRESS).json()["predictions_per_minute"] == pytest.approx(6)


def test_a_dead_cache_has_no_hit_rate(settings):
    settings.REDIS_CACHE_URL = "redis://127.0.0.1:1/0"
    assert metrics.cache_hit_rate() is None
