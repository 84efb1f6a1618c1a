"""Are On-Demand prices, the catalogue and the zone map taken whole, and what is not believable left out?"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.aws.errors import NoIdentity, RegionNotEnabled, Throttled
from accounts.aws.read.instance_types import instance_type_facts
from accounts.aws.read.pricing import OnDemandPrice
from accounts.aws.read.shapes import Rejected, Zone
from instances.market import quotes, zones
from instances.market.ingest import fetch_catalogue, fetch_on_demand, fetch_zones
from instances.models import FetchOutcome, InstanceType
from tests.factories import NOW, an_account, an_on_demand_price

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


# --- On-Demand ----------------------------------------------------------------------------------------------------
class Reading(list):
    """What `pricing.on_demand` gives: prices to iterate, and rejects."""

    operating_system = "Linux"

    def __init__(self, *prices, rejected=()):
        super().__init__(prices)
        self.rejected = list(rejected)


def a_price(usd: str = "0.096", **fields) -> OnDemandPrice:
    price = OnDemandPrice("m5.large", "us-east-1", "Linux", Decimal(usd), NOW - 100 * DAY, "SKU1")
    return replace(price, **fields)


def fetch(*prices, now=NOW, **more):
    return fetch_on_demand("us-east-1", now, read=lambda region: Reading(*prices, **more))


def test_list_prices_are_stored_with_their_effective_date():
    result = fetch(a_price(), a_price("0.085", instance_type="c5.large"))
    assert (result.outcome, result.rows, result.written) == (FetchOutcome.FILLED, 2, 2)
    assert quotes.on_demand("us-east-1", at=NOW)["m5.large"] == quotes.OnDemandQuote(96_000, NOW - 100 * DAY, NOW)
    assert quotes.freshness("us-east-1", now=NOW).on_demand_at == NOW


def test_a_price_read_again_is_fresher_and_a_new_date_is_a_new_row():
    fetch(a_price())
    fetch(a_price(), a_price("0.090", effective_at=NOW + DAY), now=NOW + DAY)
    assert quotes.on_demand("us-east-1", at=NOW)["m5.large"].fetched_at == NOW + DAY
    assert quotes.on_demand("us-east-1", at=NOW + DAY)["m5.large"].usd_micro == 90_000


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (a_price("0.97", effective_at=NOW), "sudden change of more than 10 ×"),
        (a_price("0.0095", effective_at=NOW), "sudden change of more than 10 ×"),
        (a_price("0.0000001"), "not above zero"),
        (a_price(region="eu-west-3"), "it is of eu-west-3"),
        (a_price(operating_system="Windows"), "and Windows"),
    ],
)
def test_a_price_that_cannot_be_is_rejected_and_the_old_one_stays(bad, reason):
    an_on_demand_price("m5.large", "0.096")
    result = fetch(bad, a_price("0.085", instance_type="c5.large"))
    assert (result.outcome, result.written, result.rejected) == (FetchOutcome.FILLED, 1, 1)
    assert reason in result.detail
    assert quotes.on_demand("us-east-1", at=NOW)["m5.large"].usd_micro == 96_000


def test_two_prices_for_one_type_and_date_are_no_price():
    result = fetch(a_price(), a_price("0.106"), a_price("0.085", instance_type="c5.large"))
    assert list(quotes.on_demand("us-east-1", at=NOW)) == ["c5.large"]
    assert "two prices" in result.detail


def test_rejects_of_the_reading_count():
    result = fetch(a_price(), rejected=[Rejected({"sku": "X"}, "price 0 is not above zero")])
    assert (result.rows, result.rejected) == (2, 1)


def test_nothing_is_empty_and_nothing_believable_is_refused():
    assert fetch().outcome == FetchOutcome.EMPTY
    assert fetch(a_price("0.0000001")).outcome == FetchOutcome.REFUSED


def test_throttling_is_a_failure():
    def read(region):
        raise Throttled("ThrottlingException", "slow down", "GetProducts")

    result = fetch_on_demand("us-east-1", NOW, read=read)
    assert (result.outcome, result.detail) == (
        FetchOutcome.FAILED,
        "Throttled: GetProducts: ThrottlingException: slow down",
    )


def test_statements_do_not_grow_with_the_prices():
    with CaptureQueriesContext(connection) as one:
        fetch(a_price())
    with CaptureQueriesContext(connection) as many:
        fetch(*(a_price(instance_type=f"m5.x{n}") for n in range(300)), now=NOW + DAY)
    assert len(many) == len(one)


# --- The catalogue ------------------------------------------------------------------------------------------------
def a_listed_type(name: str = "m5.large", **fields):
    answer = {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": 2},
        "MemoryInfo": {"SizeInMiB": 8192},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "SupportedUsageClasses": ["on-demand", "spot"],
        "Hypervisor": "nitro",
    }
    return replace(instance_type_facts(answer), **fields)


def test_the_catalogue_is_the_union_of_the_markets_regions(settings):
    settings.MARKET_REGIONS = ["us-east-1", "eu-west-3"]
    by_region = {"us-east-1": [a_listed_type("m5.large"), a_listed_type("p3.2xlarge")], "eu-west-3": [a_listed_type()]}
    result = fetch_catalogue(NOW, read=by_region.__getitem__)
    assert (result.outcome, result.rows) == (FetchOutcome.FILLED, 2)
    assert quotes.specs()["m5.large"].architectures == ("x86_64",)
    assert quotes.specs()["m5.large"].is_spot_supported


def test_a_changed_fact_is_updated_and_a_vanished_type_stays():
    fetch_catalogue(NOW, read=lambda region: [a_listed_type(), a_listed_type("t1.micro")])
    fetch_catalogue(NOW + DAY, read=lambda region: [a_listed_type(memory_mib=16384)])
    assert quotes.specs()["m5.large"].memory_mib == 16384
    assert InstanceType.objects.get(name="t1.micro").fetched_at == NOW


def test_a_type_without_size_is_rejected():
    result = fetch_catalogue(NOW, read=lambda region: [a_listed_type(), a_listed_type("q9.odd", vcpus=None)])
    assert (result.written, result.rejected) == (1, 1)
    assert "q9.odd" in result.detail


def test_a_region_that_does_not_answer_keeps_the_catalogue_from_being_whole(settings):
    settings.MARKET_REGIONS = ["us-east-1", "ap-east-1"]

    def read(region):
        if region == "ap-east-1":
            raise RegionNotEnabled("OptInRequired", "not subscribed", "DescribeInstanceTypes")
        return [a_listed_type()]

    result = fetch_catalogue(NOW, read=read)
    assert result.outcome == FetchOutcome.FAILED
    assert result.detail.startswith("RegionNotEnabled")
    assert "ap-east-1 left out" in result.detail
    assert list(quotes.specs()) == ["m5.large"]
    assert quotes.freshness("us-east-1", now=NOW).catalogue_at is None


# --- Zones --------------------------------------------------------------------------------------------------------
def listed(**ids) -> list[Zone]:
    return [
        Zone(f"us-east-1{letter}", zone_id, "us-east-1", "available", "availability-zone")
        for letter, zone_id in ids.items()
    ]


def test_the_same_name_is_another_place_for_another_account():
    alices = an_account()
    fetch_zones(None, "us-east-1", NOW, read=lambda *_: listed(a="use1-az1", b="use1-az2"))
    fetch_zones(alices, "us-east-1", NOW, read=lambda *_: listed(a="use1-az2", b="use1-az1"))
    assert zones.zone_id(None, "us-east-1a") == "use1-az1"
    assert zones.zone_id(alices, "us-east-1a") == "use1-az2"
    assert zones.zone_name(alices, "use1-az1") == "us-east-1b"
    assert zones.zone_names(alices, "us-east-1") == {"use1-az1": "us-east-1b", "use1-az2": "us-east-1a"}
    assert zones.zone_id(an_account(), "us-east-1a") is None
    assert zones.zone_name(None, "use1-az9") is None


def test_names_that_swap_places_are_replaced_together():
    fetch_zones(None, "us-east-1", NOW, read=lambda *_: listed(a="use1-az1", b="use1-az2"))
    same = fetch_zones(None, "us-east-1", NOW, read=lambda *_: listed(a="use1-az1", b="use1-az2"))
    swapped = fetch_zones(None, "us-east-1", NOW, read=lambda *_: listed(a="use1-az2", b="use1-az1"))
    assert (same.outcome, swapped.outcome, swapped.written) == (FetchOutcome.UNCHANGED, FetchOutcome.FILLED, 2)
    assert zones.zone_id(None, "us-east-1a") == "use1-az2"


def test_no_zones_leave_the_old_map():
    fetch_zones(None, "us-east-1", NOW, read=lambda *_: listed(a="use1-az1"))
    assert fetch_zones(None, "us-east-1", NOW, read=lambda *_: []).outcome == FetchOutcome.EMPTY
    assert zones.zone_id(None, "us-east-1a") == "use1-az1"


def test_without_an_identity_of_our_own_the_fetch_says_what_to_set():
    def read(account, region):
        raise NoIdentity("NoCredentials", "Set AWS_ACCESS_KEY_ID")

    result = fetch_zones(None, "us-east-1", NOW, read=read)
    assert (result.outcome, result.detail) == (
        FetchOutcome.FAILED,
        "NoIdentity: AWS: NoCredentials: Set AWS_ACCESS_KEY_ID",
    )
