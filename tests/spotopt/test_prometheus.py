"""Does a scraper get the installation's figures, true in any process, and nobody else; and no word of a tenant?"""

from datetime import timedelta

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from accounts.domain import Scope
from governance.models import ComponentRun
from instances.models import FetchSource
from mlregistry.models import Prediction
from tests.factories import (
    NOW,
    a_browser,
    a_fetch,
    a_person,
    a_program,
    alice,
    an_account,
    an_experiment,
    an_instance,
    northwind,
)

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-the-scraper-0123456789-0123456789-01234"


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def _token(settings):
    settings.METRICS_TOKEN = TOKEN


def bearing(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def scraped(client: Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.content.decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def a_prediction(ms: float, organization=None) -> Prediction:
    return Prediction.objects.create(
        organization=organization,
        prediction_type="spot_interruption",
        inputs={},
        output={},
        evidence="none",
        latency_ms=ms,
    )


def test_figures_are_read_from_tables():
    for ms in (10, 20, 30):
        a_prediction(ms, northwind())
    an_experiment(an_instance())
    a_fetch(FetchSource.SPOT, "us-east-1", through=NOW - timedelta(minutes=7))
    ComponentRun.objects.create(
        component="inventory",
        task="sync_account",
        started_at=NOW - timedelta(minutes=2),
        ended_at=NOW - timedelta(minutes=1),
        is_success=True,
    )
    found = scraped(bearing(TOKEN))
    assert found["spotopt_predictions_per_minute",] == pytest.approx(0.6)
    assert found["spotopt_decisions_per_minute",] == pytest.approx(0.2)
    assert found["spotopt_prediction_latency_seconds", "0.5"] == pytest.approx(0.020)
    assert found["spotopt_market_known_timestamp_seconds", "us-east-1", "spot"] == NOW.timestamp() - 420
    assert found["spotopt_component_runs", "inventory", "succeeded"] == 1
    assert found["spotopt_component_status", "inventory", "well"] == 1
    assert found["spotopt_component_status", "scoring", "silent"] == 1
    assert found["spotopt_component_last_ended_timestamp_seconds", "inventory"] == NOW.timestamp() - 60
    assert found["spotopt_database_connections",] >= 1
    assert found["spotopt_queue_length", "ingest"] == 0


def test_what_is_not_known_has_no_sample():
    found = scraped(bearing(TOKEN))
    names = {name for name, *_ in found}
    assert "spotopt_prediction_latency_seconds" not in names
    assert ("spotopt_component_p95_seconds", "inventory") not in found
    assert found["spotopt_predictions_per_minute",] == 0


def test_no_word_of_a_tenant_is_in_it():
    account = an_account(name="secret shop")
    an_experiment(an_instance(account, name="secret web"))
    text = bearing(TOKEN).get("/metrics").content.decode()
    for word in ("secret", account.account_id, str(northwind().pk), "Northwind"):
        assert word not in text


def test_a_platform_key_that_reads_and_staff_see_it_without_the_token():
    assert scraped(a_program(None, Scope.READ))
    staff = a_person(organization=northwind(), is_staff=True)
    assert scraped(a_browser(staff))


@pytest.mark.parametrize(
    "client, status",
    [
        (lambda: Client(), 401),
        (lambda: bearing("a-guess"), 401),
        (lambda: bearing(""), 401),
        (lambda: a_program(northwind()), 403),
        (lambda: a_program(None, Scope.PREDICT), 403),
        (lambda: a_browser(alice()), 403),
    ],
    ids=["nobody", "a guess", "an empty token", "a tenant's key", "a platform key that may not read", "an owner"],
)
def test_nobody_else_does(client, status):
    assert client().get("/metrics").status_code == status


def test_without_a_token_in_the_settings_no_token_opens_it(settings):
    settings.METRICS_TOKEN = ""
    for token in ("", TOKEN):
        assert bearing(token).get("/metrics").status_code == 401
