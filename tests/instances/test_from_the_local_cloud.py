"""The whole way: a cloud as strict as AWS, our adapters, our tables."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.aws import policy, session
from accounts.models import AwsAccount
from instances import inventory
from instances.market import ingest, quotes, zones
from instances.market.attempts import is_whole
from instances.models import FetchOutcome, Instance, Pool
from spotopt.local.estate import INSTALLATION
from tests.factories import an_account
from tests.fakes.cloud import NORTHWIND

pytestmark = pytest.mark.django_db
PARIS, VIRGINIA = "eu-west-3", "us-east-1"


@pytest.fixture
def cloud(local_cloud, monkeypatch, settings):
    """The local cloud, entered with the installation's own identity."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", INSTALLATION.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", INSTALLATION.secret_key)
    settings.SPOT_ADVISOR_URL = f"{local_cloud.endpoint}/spot-advisor-data.json"
    settings.MARKET_REGIONS = [PARIS]
    settings.PRICE_HISTORY_DAYS = 12
    session.forget_all()
    yield local_cloud
    session.forget_all()


def northwind(cloud, **fields) -> AwsAccount:
    """Northwind's account, whose owner has deployed our role."""
    row = an_account(account_id=NORTHWIND.account_id, read_role_arn=NORTHWIND.role_arn, regions=[PARIS], **fields)
    cloud.deploy_role(NORTHWIND, row.external_id, *policy.read_actions())
    return row


def test_the_market_comes_in_and_stays_consistent(cloud):
    now = timezone.now()
    fetches = [
        ingest.fetch_zones(None, PARIS, now),
        ingest.fetch_on_demand(PARIS, now),
        ingest.fetch_spot(PARIS, now),
        ingest.fetch_advisor(now),
    ]
    assert [fetch.detail for fetch in fetches if not is_whole(fetch)] == []
    ids, history = quotes.histories(PARIS, at=now)
    assert len(ids) == Pool.objects.filter(region=PARIS, product="Linux/UNIX").count() > 10
    assert history.usd_micro.min() > 0
    assert set(quotes.on_demand(PARIS, at=now)) & set(quotes.ratings(PARIS))
    assert quotes.freshness(PARIS, now=now).prices_through == now
    again = ingest.fetch_spot(PARIS, now)
    assert (again.outcome, again.written) == (FetchOutcome.FILLED, 0)


@pytest.mark.parametrize(
    ("mode", "outcome", "why"),
    [
        ("empty", FetchOutcome.EMPTY, ""),
        ("duplicates", FetchOutcome.FILLED, ""),
        ("absurd", FetchOutcome.FILLED, "rejected"),
    ],
)
def test_strange_prices_end_in_a_word(cloud, mode, outcome, why):
    cloud.control("prices", mode=mode)
    fetch = ingest.fetch_spot(PARIS, timezone.now())
    assert fetch.outcome == outcome
    assert why in fetch.detail


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [("malformed", FetchOutcome.REFUSED), ("truncated", FetchOutcome.REFUSED), ("gone", FetchOutcome.FAILED)],
)
def test_a_bad_advisor_file_leaves_the_old_ratings(cloud, mode, outcome):
    now = timezone.now()
    ingest.fetch_advisor(now)
    before = quotes.ratings(PARIS)
    cloud.control("advisor", mode=mode)
    assert ingest.fetch_advisor(now + timedelta(hours=1)).outcome == outcome
    assert quotes.ratings(PARIS) == before


def test_a_region_that_is_not_enabled_fails_with_its_name_for_it(cloud):
    cloud.control("disable-region", region=PARIS)
    fetch = ingest.fetch_spot(PARIS, timezone.now())
    assert fetch.outcome == FetchOutcome.FAILED
    assert fetch.detail.startswith("RegionNotEnabled")


def test_a_cloud_that_goes_on_throttling_fails_the_fetch_and_the_next_succeeds(cloud):
    cloud.control("throttle", action="DescribeAvailabilityZones", count=10)
    assert ingest.fetch_zones(None, PARIS, timezone.now()).detail.startswith("Throttled")
    cloud.reset()
    assert ingest.fetch_zones(None, PARIS, timezone.now()).outcome == FetchOutcome.FILLED


def test_zone_names_of_two_accounts_differ_and_ids_do_not(cloud):
    account = northwind(cloud)
    ingest.fetch_zones(None, PARIS, timezone.now())
    ingest.fetch_zones(account, PARIS, timezone.now())
    ours, theirs = zones.zone_ids(None, PARIS), zones.zone_ids(account, PARIS)
    assert set(ours.values()) == set(theirs.values())
    assert ours != theirs


def test_an_estate_is_mirrored_and_a_broken_survey_keeps_it(cloud):
    account = northwind(cloud)
    ingest.fetch_zones(account, PARIS, timezone.now())
    result = inventory.sync(account, now=timezone.now())
    assert (result.errors, result.regions[0].denied) == ("", ())
    fleet = {each.instance_id: each for each in Instance.objects.select_related("group")}
    assert len(fleet) == result.instances > 5
    assert all(each.zone_id for each in fleet.values())
    assert any(each.group for each in fleet.values())
    movable = [each for each in fleet.values() if each.pipeline_mode == "LINEAR" and each.state == "running"]
    assert any(each.facts["is_termination_protected"] is False and each.facts["subnets"] for each in movable)

    cloud.control("fail", action="DescribeInstances", code="UnauthorizedOperation", count=1)
    broken = inventory.sync(account, now=timezone.now())
    assert broken.errors.startswith(f"{PARIS}: Denied")
    assert Instance.objects.present().count() == len(fleet)


def test_without_permission_for_a_side_question_the_machines_still_come(cloud):
    account = northwind(cloud)
    allowed = [action for action in policy.read_actions() if action != "ec2:DescribeReservedInstances"]
    cloud.deploy_role(NORTHWIND, account.external_id, *allowed)
    result = inventory.sync(account, now=timezone.now())
    assert (result.is_whole, result.regions[0].denied) == (True, ("reserved instances",))
    assert Instance.objects.first().facts["reservations"] is None
