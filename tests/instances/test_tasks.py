"""Do the jobs say when their source did not, fan out over all regions and accounts, and outlive a database restart?"""

import pytest
from celery import current_app
from django.db import OperationalError

from accounts.aws.read.advisor import AdvisorUnavailable
from accounts.aws.session import forget_all
from instances import tasks
from instances.models import FetchOutcome, FetchSource, MarketFetch
from tests.factories import an_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_cloud(monkeypatch, settings):
    """Nobody answers, as when the network is down."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    settings.SPOT_ADVISOR_URL = "http://127.0.0.1:9/advisor.json"
    settings.MARKET_REGIONS = ["us-east-1"]
    forget_all()
    yield
    forget_all()


def test_a_fetch_that_failed_makes_a_job_that_failed(no_cloud):
    with pytest.raises(tasks.EndedBadly, match="advisor  failed: AdvisorUnavailable"):
        tasks.refresh_advisor()
    assert MarketFetch.objects.get().outcome == FetchOutcome.FAILED
    assert AdvisorUnavailable.__name__ in MarketFetch.objects.get().detail


@pytest.mark.parametrize(
    ("task", "arguments", "source"),
    [
        (tasks.refresh_spot, ("us-east-1",), FetchSource.SPOT),
        (tasks.refresh_on_demand, ("us-east-1",), FetchSource.ON_DEMAND),
        (tasks.refresh_catalogue, (), FetchSource.CATALOGUE),
        (tasks.refresh_zones, ("us-east-1",), FetchSource.ZONES),
    ],
)
def test_each_job_asks_its_source_and_keeps_the_attempt(no_cloud, task, arguments, source):
    with pytest.raises(tasks.EndedBadly, match="OutcomeUnknown"):
        task(*arguments)
    assert MarketFetch.objects.get().source == source


def test_an_account_that_cannot_be_entered_fails_its_job(no_cloud):
    account = an_account(read_role_arn="")
    with pytest.raises(tasks.EndedBadly, match="us-east-1: Denied"):
        tasks.sync_account(account.pk)


@pytest.fixture
def queue(settings):
    """What was put into the broker's queue `ingest`, as (task, arguments)."""
    import json

    import redis

    url = current_app.conf.broker_url.replace("redis+socket://", "unix://").replace("virtual_host", "db")
    client = redis.Redis.from_url(url)

    def sent():
        messages = [json.loads(message) for message in client.lrange("ingest", 0, -1)]
        return sorted((each["headers"]["task"].rpartition(".")[2], each["headers"]["argsrepr"]) for each in messages)

    yield sent
    client.close()


def test_fan_out_jobs_queue_one_job_for_each(queue, settings):
    settings.MARKET_REGIONS = ["us-east-1", "eu-west-3"]
    account = an_account(regions=["us-east-1"])
    an_account(is_active=False)
    an_account(is_valid=False)
    for task in (tasks.refresh_all_spot, tasks.refresh_all_on_demand, tasks.refresh_all_zones, tasks.sync_all_accounts):
        task()
    expected = [
        ("refresh_on_demand", "('eu-west-3',)"),
        ("refresh_on_demand", "('us-east-1',)"),
        ("refresh_spot", "('eu-west-3',)"),
        ("refresh_spot", "('us-east-1',)"),
        ("refresh_zones", "('eu-west-3',)"),
        ("refresh_zones", "('us-east-1',)"),
        ("refresh_zones", f"('us-east-1', {account.pk})"),
        ("sync_account", f"({account.pk},)"),
    ]
    assert queue() == sorted(expected)


def test_every_job_is_repeated_when_the_database_goes():
    ours = [task for name, task in current_app.tasks.items() if name.startswith("instances.tasks.")]
    assert len(ours) == 13
    for task in ours:
        assert OperationalError in task.autoretry_for
        assert task.expires
