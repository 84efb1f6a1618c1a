"""Does the reader answer for all pools in one round trip, and leave out what is not known?"""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from instances.domain.pool import Product
from instances.market import quotes
from instances.models import FetchOutcome, FetchSource
from tests.factories import (
    NOW,
    a_fetch,
    a_fresh_market,
    a_pool,
    a_rating,
    a_type,
    an_advisor_file,
    an_on_demand_price,
    prices_for,
)

pytestmark = pytest.mark.django_db


def days_ago(at: float) -> float:
    return round((NOW.timestamp() - at) / 86_400, 6)


def rows_of(history, index: int) -> list[tuple[float, int]]:
    rows = slice(history.offsets[index], history.offsets[index + 1])
    return [(days_ago(at), micro) for at, micro in zip(history.at[rows], history.usd_micro[rows].tolist(), strict=True)]


def test_a_history_begins_with_the_change_in_force_at_the_windows_start():
    pool = a_pool()
    prices_for(pool, [(30, "0.01"), (9, "0.02"), (3, "0.03"), (0, "0.04"), (-1, "0.05")])
    ids, history = quotes.histories("us-east-1", at=NOW, days=8)
    assert ids.tolist() == [pool.pk]
    assert rows_of(history, 0) == [(9, 20_000), (3, 30_000), (0, 40_000)]


def test_a_change_at_the_windows_very_start_is_the_one_in_force():
    pool = a_pool()
    prices_for(pool, [(9, "0.02"), (8, "0.03")])
    _, history = quotes.histories("us-east-1", at=NOW, days=8)
    assert rows_of(history, 0) == [(8, 30_000)]


def test_pools_of_other_regions_and_products_and_without_prices_are_left_out():
    ours, silent = a_pool(), a_pool("c5.large")
    windows = a_pool(product=Product.WINDOWS)
    paris = a_pool(zone_id="euw3-az1", region="eu-west-3")
    for pool in (ours, windows, paris):
        prices_for(pool, [(1, "0.02")])
    prices_for(silent, [(-1, "0.02")])  # tomorrow
    assert quotes.histories("us-east-1", at=NOW)[0].tolist() == [ours.pk]
    assert quotes.histories("us-east-1", product=Product.WINDOWS, at=NOW)[0].tolist() == [windows.pk]
    assert quotes.histories("eu-west-3", at=NOW)[0].tolist() == [paris.pk]


def test_asked_for_by_id_pools_come_in_the_order_asked_the_silent_ones_too():
    first, silent, last = a_pool(), a_pool("c5.large"), a_pool("r5.large")
    paris = a_pool(zone_id="euw3-az1", region="eu-west-3")
    prices_for(first, [(2, "0.01"), (1, "0.02")])
    prices_for(last, [(1, "0.03")])
    prices_for(paris, [(1, "0.04")])
    wanted = [last.pk, silent.pk, paris.pk, first.pk, 10**6]
    ids, history = quotes.histories("us-east-1", at=NOW, pools=wanted)
    assert ids.tolist() == wanted
    assert [rows_of(history, i) for i in range(5)] == [[(1, 30_000)], [], [], [(2, 10_000), (1, 20_000)], []]


@pytest.mark.parametrize("pools", [None, [], [5]])
def test_an_empty_market_has_no_histories(pools):
    ids, history = quotes.histories("us-east-1", at=NOW, pools=pools)
    assert len(ids) == history.n_pools == len(pools or [])
    assert len(history.at) == 0


def test_the_on_demand_price_is_the_one_in_force():
    an_on_demand_price("m5.large", "0.10", effective_at=NOW - timedelta(days=400))
    an_on_demand_price("m5.large", "0.096", effective_at=NOW - timedelta(days=100))
    an_on_demand_price("m5.large", "0.05", effective_at=NOW + timedelta(days=1))
    an_on_demand_price("m5.large", "0.19", operating_system="Windows")
    an_on_demand_price("c5.large", "0.085", region="eu-west-3")
    quote = quotes.on_demand("us-east-1", at=NOW)
    assert {name: q.usd_micro for name, q in quote.items()} == {"m5.large": 96_000}
    assert quote["m5.large"].effective_at == NOW - timedelta(days=100)
    assert quote["m5.large"].fetched_at == NOW


def test_ratings_are_the_current_ones_with_the_time_we_last_asked():
    file = an_advisor_file()
    long_ago = NOW - timedelta(days=90)
    a_rating("m5.large", 3, file=file, observed_at=long_ago, superseded_at=NOW - timedelta(days=1))
    a_rating("m5.large", 1, 55, file=file)
    a_fetch(FetchSource.ADVISOR, through=NOW - timedelta(hours=2))
    a_fetch(FetchSource.ADVISOR, through=NOW - timedelta(hours=1), outcome=FetchOutcome.UNCHANGED.value)
    a_fetch(FetchSource.ADVISOR, through=NOW, outcome=FetchOutcome.FAILED.value)
    assert quotes.ratings("us-east-1") == {"m5.large": quotes.Rating(1, 55, NOW, NOW - timedelta(hours=1), file.sha256)}
    assert quotes.ratings("us-east-1", operating_system="Windows") == {}


def test_a_rating_without_a_whole_fetch_on_record_has_no_age():
    a_rating("m5.large")
    assert quotes.ratings("us-east-1")["m5.large"].fetched_at is None


def test_freshness_is_when_each_source_last_came_whole():
    hour = timedelta(hours=1)
    a_fetch(FetchSource.SPOT, "us-east-1", through=NOW - 3 * hour)
    a_fetch(FetchSource.SPOT, "us-east-1", through=NOW - 2 * hour, outcome=FetchOutcome.EMPTY.value)
    a_fetch(FetchSource.SPOT, "us-east-1", through=NOW, outcome=FetchOutcome.RUNNING.value)
    a_fetch(FetchSource.SPOT, "eu-west-3", through=NOW)
    a_fetch(FetchSource.ADVISOR, through=NOW - hour)
    a_fetch(FetchSource.CATALOGUE, through=NOW + hour)
    assert quotes.freshness("us-east-1", now=NOW) == quotes.Freshness(NOW - 2 * hour, NOW - hour, None, None)


def test_the_catalogue_reads_as_the_domain_wants_it():
    a_type("g5.xlarge", gpu_count=1, gpu_name="A10G")
    assert quotes.specs()["g5.xlarge"].gpu_name == "A10G"


def test_each_question_is_one_round_trip_however_many_pools():
    a_fresh_market()
    for size in ("large", "xlarge", "2xlarge"):
        a_type(f"m5.{size}")
        an_on_demand_price(f"m5.{size}")
        a_rating(f"m5.{size}")
        for zone in range(1, 4):
            prices_for(a_pool(f"m5.{size}", f"use1-az{zone}"), [(9, "0.1"), (1, "0.2")])
    questions = {
        "histories": lambda: quotes.histories("us-east-1", at=NOW),
        "histories by id": lambda: quotes.histories("us-east-1", at=NOW, pools=[1, 2, 3]),
        "on demand": lambda: quotes.on_demand("us-east-1", at=NOW),
        "ratings": lambda: quotes.ratings("us-east-1"),
        "freshness": lambda: quotes.freshness("us-east-1", now=NOW),
        "pools": lambda: quotes.pool_rows("us-east-1"),
        "specs": quotes.specs,
    }
    counts = {}
    for name, question in questions.items():
        with CaptureQueriesContext(connection) as queries:
            question()
        counts[name] = len(queries)
    assert counts == dict.fromkeys(questions, 1)
