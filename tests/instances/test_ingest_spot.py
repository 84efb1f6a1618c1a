"""Does a fetch of Spot prices lose nothing, invent nothing, and say how it ended?"""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import OperationalError, close_old_connections, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.aws.errors import CredentialsExpired, RegionNotEnabled, Throttled
from accounts.aws.read.shapes import Rejected, SpotPriceChange, SpotPricePage
from instances.domain.pool import Product
from instances.locks import NAMESPACE
from instances.market import quotes
from instances.market.ingest import OVERLAP, SLICE, backfill, fetch_spot
from instances.models import FetchOutcome, FetchSource, MarketFetch, Pool, SpotPrice
from tests import plugin
from tests.factories import NOW, a_fetch, an_on_demand_price, zones_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def change(
    usd: str = "0.04",
    at: datetime = NOW - 5 * MINUTE,
    *,
    instance_type: str = "m5.large",
    zone_id: str = "use1-az1",
    product: str = "Linux/UNIX",
) -> SpotPriceChange:
    return SpotPriceChange(instance_type, zone_id, None, product, Decimal(usd), at)


class Aws:
    """What stands where DescribeSpotPriceHistory would: changes by page, newest first, and errors in between."""

    def __init__(self, *pages: list[SpotPriceChange] | Exception, rejected: list[Rejected] | None = None) -> None:
        self.pages = pages
        self.rejected = rejected or []
        self.asked: list[tuple[datetime, datetime]] = []

    def __call__(self, region: str, since: datetime, through: datetime) -> Iterator[SpotPricePage]:
        self.asked.append((since, through))
        for number, page in enumerate(self.pages, start=1):
            if isinstance(page, Exception):
                raise page
            inside = [each for each in page if each.at <= through]
            yield SpotPricePage(inside, number, self.rejected if number == 1 else [])


def recent(region: str = "us-east-1", **fields) -> MarketFetch:
    """The region was fetched an hour ago, so that one window reaches now."""
    return a_fetch(FetchSource.SPOT, region, through=NOW - timedelta(hours=1), **fields)


def stored() -> list[tuple[str, int]]:
    names = {pool.pk: f"{pool.instance_type} {pool.zone_id}" for pool in Pool.objects.all()}
    return sorted((names[row.pool_id], row.usd_micro) for row in SpotPrice.objects.all())


def test_pages_are_taken_and_the_fetch_moves_on():
    recent()
    fetch = fetch_spot("us-east-1", NOW, read=Aws([change("0.05")], [change("0.04", NOW - 20 * MINUTE)]))
    assert fetch.outcome == FetchOutcome.FILLED
    assert (fetch.pages, fetch.rows, fetch.written, fetch.rejected) == (2, 2, 2, 0)
    assert quotes.freshness("us-east-1", now=NOW).prices_through == NOW
    assert stored() == [("m5.large use1-az1", 40_000), ("m5.large use1-az1", 50_000)]


def test_windows_overlap_by_half_an_hour_and_repeats_write_nothing():
    recent()
    aws = Aws([change()])
    fetch_spot("us-east-1", NOW, read=aws)
    later = fetch_spot("us-east-1", NOW + 10 * MINUTE, read=aws)
    assert aws.asked[1] == (NOW - OVERLAP, NOW + 10 * MINUTE)
    assert (later.outcome, later.rows, later.written) == (FetchOutcome.FILLED, 1, 0)


def test_the_first_fetch_takes_the_configured_days_in_slices_that_stay_done(settings):
    settings.PRICE_HISTORY_DAYS = 25
    aws = Aws([change("0.04", NOW - timedelta(days=24))])
    fetch = fetch_spot("us-east-1", NOW, read=aws)
    assert aws.asked[0] == (NOW - timedelta(days=25), NOW - timedelta(days=25) + SLICE)
    assert all(later[0] == earlier[1] - OVERLAP for earlier, later in zip(aws.asked[:-1], aws.asked[1:], strict=True))
    assert fetch.through == NOW
    assert MarketFetch.objects.count() == len(aws.asked) == 3


def test_a_slice_that_fails_keeps_the_ones_before_it(settings):
    settings.PRICE_HISTORY_DAYS = 25
    first = Aws([change("0.04", NOW - timedelta(days=24))])

    def failing(region: str, since: datetime, through: datetime) -> Iterator[SpotPricePage]:
        if len(first.asked) == 1:
            raise Throttled("RequestLimitExceeded", "too many")
        return first(region, since, through)

    assert fetch_spot("us-east-1", NOW, read=failing).outcome == FetchOutcome.FAILED
    again = Aws([change("0.05")])
    fetch_spot("us-east-1", NOW, read=again)
    assert again.asked[0][0] == NOW - timedelta(days=25) + SLICE - OVERLAP


@pytest.mark.parametrize(
    "error",
    [
        Throttled("RequestLimitExceeded", "Request limit exceeded."),
        RegionNotEnabled("AuthFailure", "not valid in this region"),
        CredentialsExpired("ExpiredToken", "The security token is expired"),
    ],
)
def test_an_error_on_a_later_page_fails_the_fetch_and_the_next_repeats_the_window(error):
    recent()
    fetch = fetch_spot("us-east-1", NOW, read=Aws([change("0.05")], error))
    assert fetch.outcome == FetchOutcome.FAILED
    assert fetch.detail.startswith(f"{type(error).__name__}: AWS: {error.code}")
    assert quotes.freshness("us-east-1", now=NOW).prices_through == NOW - timedelta(hours=1)
    whole = Aws([change("0.05")], [change("0.04", NOW - 20 * MINUTE)])
    assert fetch_spot("us-east-1", NOW, read=whole).outcome == FetchOutcome.FILLED
    assert whole.asked[0][0] == NOW - timedelta(hours=1) - OVERLAP
    assert len(stored()) == 2


def test_an_empty_answer_is_fresh_but_the_next_fetch_looks_again():
    recent()
    fetch = fetch_spot("us-east-1", NOW, read=Aws([]))
    assert fetch.outcome == FetchOutcome.EMPTY
    assert quotes.freshness("us-east-1", now=NOW).prices_through == NOW
    again = Aws([change()])
    fetch_spot("us-east-1", NOW + 10 * MINUTE, read=again)
    assert again.asked[0][0] == NOW - timedelta(hours=1) - OVERLAP


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (change("0"), "not above zero"),
        (change("-0.01"), "not above zero"),
        (change("0.0000001"), "not above zero"),
        (change("NaN"), "not above zero"),
        (change("501"), "absurd"),
        (change("2.5"), "absurd, above 20 × On-Demand"),
        (change(at=NOW + timedelta(hours=2)), "not within the window"),
        (change(at=NOW - timedelta(days=900)), "not within the window"),
        (change(instance_type="M5 large"), "is not an instance type"),
        (change(zone_id="us-east-1a"), "is not a zone id"),
        (change(product="Solaris"), "'Solaris' is not a valid Product"),
    ],
)
def test_a_row_no_honest_source_sends_is_rejected_with_its_reason(bad, reason):
    recent()
    an_on_demand_price("m5.large", "0.096")
    fetch = fetch_spot("us-east-1", NOW, read=lambda *_: iter([SpotPricePage([bad, change()], 1, [])]))
    assert (fetch.outcome, fetch.rejected, fetch.written) == (FetchOutcome.FILLED, 1, 1)
    assert reason in fetch.detail
    assert Pool.objects.count() == 1


def test_licence_fees_are_not_absurd():
    recent()
    an_on_demand_price("m5.large", "0.001")
    fetch = fetch_spot("us-east-1", NOW, read=Aws([change("0.13", product=Product.RHEL.value)]))
    assert fetch.rejected == 0


def test_a_fetch_of_nothing_but_bad_rows_is_refused():
    recent()
    fetch = fetch_spot("us-east-1", NOW, read=Aws([change("0"), change("-1")]))
    assert (fetch.outcome, fetch.rejected) == (FetchOutcome.REFUSED, 2)
    assert quotes.freshness("us-east-1", now=NOW).prices_through == NOW - timedelta(hours=1)


def test_unknown_types_and_zones_become_pools():
    recent()
    rows = [change(instance_type="z99.mega", zone_id="use1-az77"), change(product=Product.WINDOWS.value)]
    fetch_spot("us-east-1", NOW, read=Aws(rows))
    assert set(Pool.objects.values_list("instance_type", "zone_id", "product", "region")) == {
        ("z99.mega", "use1-az77", "Linux/UNIX", "us-east-1"),
        ("m5.large", "use1-az1", "Windows", "us-east-1"),
    }


def test_a_zone_of_another_region_is_rejected():
    recent()
    Pool.objects.create(instance_type="m5.large", zone_id="euw3-az1", product="Linux/UNIX", region="eu-west-3")
    fetch = fetch_spot("us-east-1", NOW, read=Aws([change(zone_id="euw3-az1"), change()]))
    assert (fetch.written, fetch.rejected) == (1, 1)
    assert "another region" in fetch.detail


def a_row_without_zone_id(**fields) -> Rejected:
    raw = {
        "InstanceType": "m5.large",
        "AvailabilityZone": "us-east-1b",
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": "0.0412",
        "Timestamp": NOW - MINUTE,
    }
    return Rejected(raw | fields, "AvailabilityZoneId is missing")


def test_a_row_with_only_a_zone_name_is_resolved_by_the_installations_map():
    recent()
    zones_of(None)
    fetch = fetch_spot("us-east-1", NOW, read=Aws([], rejected=[a_row_without_zone_id()]))
    assert (fetch.outcome, fetch.rejected) == (FetchOutcome.FILLED, 0)
    assert stored() == [("m5.large use1-az2", 41_200)]


@pytest.mark.parametrize(
    "fields", [{"AvailabilityZone": "us-east-1z"}, {"AvailabilityZone": None}, {"SpotPrice": "?"}, {"SpotPrice": None}]
)
def test_a_row_whose_place_or_price_cannot_be_told_is_rejected(fields):
    recent()
    zones_of(None)
    fetch = fetch_spot("us-east-1", NOW, read=Aws([change()], rejected=[a_row_without_zone_id(**fields)]))
    assert (fetch.written, fetch.rejected) == (1, 1)
    assert "AvailabilityZoneId is missing" in fetch.detail


def test_examples_of_rejected_rows_are_few():
    recent()
    fetch = fetch_spot("us-east-1", NOW, read=Aws([change("0") for _ in range(500)] + [change()]))
    assert fetch.rejected == 500
    assert fetch.detail.startswith("500 rejected, among them: ")
    assert len(fetch.detail) < 1100


def test_while_another_process_fetches_its_running_row_is_returned():
    recent()
    running = a_fetch(FetchSource.SPOT, "us-east-1", through=NOW, outcome="running", started_at=NOW - MINUTE)
    aws = Aws([change()])
    with someone_else() as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext('fetch:spot:us-east-1:'))", [NAMESPACE])
        assert fetch_spot("us-east-1", NOW, read=aws) == running
        assert aws.asked == []
        assert fetch_spot("eu-west-3", NOW, read=Aws([])).outcome == FetchOutcome.EMPTY


def test_an_attempt_that_was_cut_off_is_noted_and_repeated():
    recent()
    dead = a_fetch(FetchSource.SPOT, "us-east-1", through=NOW, outcome="running", started_at=NOW - MINUTE)
    assert fetch_spot("us-east-1", NOW, read=Aws([change()])).outcome == FetchOutcome.FILLED
    dead.refresh_from_db()
    assert dead.outcome == FetchOutcome.FAILED
    assert "cut off" in dead.detail


def test_a_programming_error_is_noted_and_not_swallowed():
    recent()
    with pytest.raises(ZeroDivisionError):
        fetch_spot("us-east-1", NOW, read=Aws([change()], ZeroDivisionError("oops")))
    assert MarketFetch.objects.latest("id").detail == "ZeroDivisionError: oops"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_half_way_loses_nothing():
    recent()
    pages = Aws([change("0.05")], [change("0.04", NOW - 20 * MINUTE)])

    def cut(region: str, since: datetime, through: datetime) -> Iterator[SpotPricePage]:
        for page in pages(region, since, through):
            yield page
            end_our_connections()

    with pytest.raises(OperationalError):
        fetch_spot("us-east-1", NOW, read=cut)
    close_old_connections()  # as a Celery worker does between tasks
    assert fetch_spot("us-east-1", NOW, read=pages).outcome == FetchOutcome.FILLED
    assert len(stored()) == 2
    assert MarketFetch.objects.filter(outcome=FetchOutcome.FAILED, detail__startswith="cut off").count() == 1
    assert quotes.freshness("us-east-1", now=NOW).prices_through == NOW


def test_backfill_takes_the_past_and_leaves_freshness_alone():
    recent()
    aws = Aws([change("0.03", NOW - timedelta(days=40))])
    since, until = NOW - timedelta(days=45), NOW - timedelta(days=30)
    fetch = backfill("us-east-1", since, until, now=NOW, read=aws)
    assert (fetch.outcome, fetch.since, fetch.through, fetch.written) == (FetchOutcome.FILLED, since, until, 1)
    assert quotes.freshness("us-east-1", now=NOW).prices_through == NOW - timedelta(hours=1)


@pytest.mark.parametrize(("since", "until"), [(2, 3), (3, 3), (3, 0)])
def test_backfill_refuses_what_would_hide_a_gap(since, until):
    recent()
    with pytest.raises(ValueError, match="is no range before"):
        backfill("us-east-1", NOW - timedelta(days=since), NOW - timedelta(days=until), now=NOW, read=Aws([]))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=30),
    st.integers(1, 8),
    st.integers(0, 3),
)
def test_pages_of_any_size_repeated_after_any_failure_end_alike(rows, size, crash):
    SpotPrice.objects.all().delete()
    MarketFetch.objects.all().delete()
    recent()
    prices = {(zone, minute): usd for zone, minute, usd in rows}  # a source says one price for a pool and instant
    changes = sorted(
        (
            change(f"0.0{usd}", NOW - minute * MINUTE, zone_id=f"use1-az{zone}")
            for (zone, minute), usd in prices.items()
        ),
        key=lambda each: each.at,
        reverse=True,
    )
    pages = [changes[first : first + size] for first in range(0, len(changes), size)]
    fetch_spot("us-east-1", NOW, read=Aws(*pages[:crash], Throttled("Throttling", "")))
    fetch_spot("us-east-1", NOW, read=Aws(*pages))
    _, history = quotes.histories("us-east-1", at=NOW)
    assert len(history.at) == len(prices)


def someone_else() -> psycopg.Connection:
    host = os.fspath(plugin.running().postgres_socket_dir)
    return psycopg.connect(host=host, user="app", dbname=plugin.database(), autocommit=True)


def end_our_connections() -> None:
    """What a restart of PostgreSQL does to whoever is connected."""
    assert connection.connection is not None
    with someone_else() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
