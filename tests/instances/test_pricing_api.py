"""`ml/pricing/…`: what programs are told of prices, as JSON, by cursor and as sheets, and who may have them fetched."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.domain import Scope
from accounts.sheets import cell
from instances.domain.pool import Product
from instances.models import FetchOrder, FetchSource, OrderState
from tests.factories import (
    a_browser,
    a_fetch,
    a_fresh_market,
    a_person,
    a_pool,
    a_program,
    a_rating,
    alice,
    an_account,
    an_on_demand_price,
    bob,
    northwind,
    prices_for,
    said,
    southwind,
    zones_of,
)

pytestmark = pytest.mark.django_db
SPOT = "/api/v1/ml/pricing/spot"
FETCH = "/api/v1/ml/pricing/fetch"


@pytest.fixture
def reader(db) -> Client:
    return a_program(northwind(), Scope.READ)


@pytest.fixture
def market(db):
    now = timezone.now()
    a_fresh_market(now=now)
    prices_for(a_pool(zone_id="use1-az1"), [(20, "0.030"), (3, "0.040"), (0.25, "0.041")], now=now)
    prices_for(a_pool(zone_id="use1-az2"), [(2, "0.050"), (0.5, "0.051")], now=now)
    prices_for(a_pool(zone_id="use1-az1", product=Product.WINDOWS), [(1, "0.100")], now=now)
    prices_for(a_pool("c5.large"), [(0.3, "0.070")], now=now)


def told(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()


def prices(answer):
    return [row["spot_price"] for row in told(answer)["results"]]


def refused(answer, pointer):
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_changes_of_a_week_come_newest_first(reader, market):
    answer = reader.get(SPOT, {"instance_type": "m5.large", "region": "us-east-1"})
    assert prices(answer) == ["0.041000", "0.051000", "0.050000", "0.040000"]
    body = answer.json()
    assert (body["count"], body["next"], body["previous"]) == (4, None, None)
    first = body["results"][0]
    assert (first["instance_type"], first["region"], first["az"], first["zone_name"], first["product"]) == (
        *("m5.large", "us-east-1", "use1-az1", None),
        "Linux/UNIX",
    )


def test_a_zone_is_an_id_or_a_name_of_ones_own_account(reader, market):
    account = an_account(northwind(), account_id="123456789012")
    zones_of(account, us_east_1a="use1-az2")
    by_id = reader.get(SPOT, {"instance_type": "m5.large", "availability_zone": "use1-az1"})
    assert prices(by_id) == ["0.041000", "0.040000"]
    named = {"instance_type": "m5.large", "availability_zone": "us-east-1a"}
    by_name = reader.get(SPOT, {**named, "account_id": "123456789012"})
    assert prices(by_name) == ["0.051000", "0.050000"]
    assert by_name.json()["results"][0]["zone_name"] == "us-east-1a"
    refused(reader.get(SPOT, named), "?account_id")
    refused(
        reader.get(SPOT, {**named, "account_id": "123456789012", "availability_zone": "us-east-1f"}),
        "?availability_zone",
    )
    refused(reader.get(SPOT, {**named, "availability_zone": "here"}), "?availability_zone")


def test_a_strangers_account_is_not_there(market):
    an_account(northwind(), account_id="123456789012")
    stranger = a_program(southwind(), Scope.READ)
    asked = {"instance_type": "m5.large", "account_id": "123456789012"}
    foreign = stranger.get(SPOT, asked)
    absent = stranger.get(SPOT, {**asked, "account_id": "999999999999"})
    assert (foreign.status_code, said(foreign)) == (404, said(absent))


def test_a_range_begins_with_its_first_moment_and_ends_before_its_last(reader, market):
    now = timezone.now()
    asked = {"instance_type": "m5.large", "start_date": now - timedelta(days=30), "end_date": now - timedelta(days=2.5)}
    assert prices(reader.get(SPOT, {k: getattr(v, "isoformat", lambda v=v: v)() for k, v in asked.items()})) == [
        "0.040000",
        "0.030000",
    ]
    day = (now - timedelta(days=1)).strftime("%Y-%m-%d")
    assert told(reader.get(SPOT, {"instance_type": "m5.large", "start_date": day}))["count"] >= 1
    refused(reader.get(SPOT, {"instance_type": "m5.large", "start_date": "2030-01-01"}), "?start_date")
    refused(reader.get(SPOT, {"instance_type": "m5.large", "start_date": "yesterday"}), "?start_date")


def test_all_types_at_once_are_given_for_a_day(reader, market):
    assert prices(reader.get(SPOT, {"region": "us-east-1"})) == ["0.041000", "0.070000", "0.051000"]
    begin = (timezone.now() - timedelta(days=9)).strftime("%Y-%m-%d")
    refused(reader.get(SPOT, {"region": "us-east-1", "start_date": begin}), "?start_date")


def test_another_product_is_another_price(reader, market):
    asked = {"instance_type": "m5.large", "product": "Windows"}
    assert prices(reader.get(SPOT, asked)) == ["0.100000"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_long_history_is_read_by_cursor_whole_and_once(reader, limit):
    now = timezone.now()
    for zone in ("use1-az1", "use1-az2", "use1-az3"):  # of one instant each: the pool settles which comes first
        prices_for(a_pool(zone_id=zone), [(n / 10, f"0.0{n + 10}") for n in range(1, 5)], now=now)
    address, seen = f"{SPOT}?instance_type=m5.large&cursor=&limit={limit}", []
    while address:
        body = told(reader.get(address))
        assert (body["count"], body["previous"]) == (None, None)
        assert len(body["results"]) <= limit
        seen += [(row["timestamp"], row["az"]) for row in body["results"]]
        if len(seen) == limit:
            prices_for(a_pool(), [(0.01, "0.09")], now=now)  # what arrives meanwhile shifts nothing
        address = body["next"]
    assert len(seen) == len(set(seen)) == 12
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)


@pytest.mark.parametrize("cursor", ["x", "%%%", "MQ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjE", "LTEuLTE"])
def test_a_cursor_that_we_did_not_give_is_refused(reader, cursor):
    refused(reader.get(SPOT, {"instance_type": "m5.large", "cursor": cursor}), "?cursor")


def test_far_offsets_are_refused_in_favour_of_the_cursor(reader):
    refused(reader.get(SPOT, {"instance_type": "m5.large", "offset": 10_001}), "?offset")
    refused(reader.get(SPOT, {"instance_type": "m5.large", "offset": 1, "cursor": ""}), "?offset")


def test_a_misspelt_parameter_is_refused(reader):
    refused(reader.get(SPOT, {"instancetype": "m5.large"}), "?instancetype")
    refused(reader.get("/api/v1/ml/pricing/on-demand", {"instancetype": "m5.large"}), "?instancetype")


def test_the_page_costs_the_same_however_many_rows(reader, market, django_assert_max_num_queries):
    now = timezone.now()
    for n in range(3, 7):
        prices_for(a_pool(zone_id=f"use1-az{n}"), [(d / 50, "0.05") for d in range(1, 300)], now=now)
    with django_assert_max_num_queries(7):
        assert len(told(reader.get(SPOT, {"instance_type": "m5.large", "limit": 1000}))["results"]) > 1000 - 1


def sheet(answer):
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_every_list_is_a_sheet_too(reader, market):
    an_on_demand_price()
    a_rating(savings_percent=-12)
    rows = sheet(reader.get(SPOT, {"instance_type": "m5.large", "format": "csv"}))
    assert [row["spot_price"] for row in rows] == ["0.041000", "0.051000", "0.050000", "0.040000"]
    assert rows[0]["zone_name"] == ""
    assert sheet(reader.get("/api/v1/ml/pricing/on-demand", {"format": "csv"}))[0]["hourly_price"] == "0.096000"
    rating = sheet(reader.get("/api/v1/ml/pricing/spot-advisor", {"format": "csv"}))[0]
    assert (rating["interruption_band"], rating["savings_over_od"]) == ("<5%", "-12")


def test_a_sheet_that_is_refused_says_so_as_everywhere(reader):
    answer = reader.get(SPOT, {"format": "csv", "cursor": "x"})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["errors"][0]["pointer"] == "?cursor"
    assert reader.get(SPOT, {"format": "pdf"}).status_code == 404


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_cell_that_a_spreadsheet_would_compute_is_text(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["m5.large", "-0.25", "0.041600", 12, -3.5, "", "<5%"])
def test_what_is_no_formula_stays_as_it_is(value):
    assert cell(value) == value


def test_list_prices_come_by_region_and_type_the_newest_first(reader):
    now = timezone.now()
    an_on_demand_price(usd="0.10", effective_at=now - timedelta(days=400))
    an_on_demand_price(usd="0.09", effective_at=now - timedelta(days=4))
    an_on_demand_price("c5.large", "0.08")
    body = told(reader.get("/api/v1/ml/pricing/on-demand", {"region": "us-east-1"}))
    assert [(r["instance_type"], r["hourly_price"]) for r in body["results"]] == [
        ("c5.large", "0.080000"),
        ("m5.large", "0.090000"),
        ("m5.large", "0.100000"),
    ]


def test_ratings_say_band_rate_savings_and_when_the_advisor_was_asked(reader):
    a_rating(band=2, savings_percent=55)
    a_rating("m5.xlarge", 4)
    a_rating("c5.large", 1, superseded_at=timezone.now())
    a_fetch(FetchSource.ADVISOR)
    rows = told(reader.get("/api/v1/ml/pricing/spot-advisor", {"family": "m5"}))["results"]
    assert [r["interruption_band"] for r in rows] == ["10-15%", ">20%"]
    assert (rows[0]["interruption_rate"], rows[0]["savings_over_od"]) == (0.125, 55)
    assert rows[0]["last_updated"] == "2026-11-18T12:00:00.000000Z"


def test_statistics_say_what_is_stored_and_null_for_what_never_came(reader):
    empty = told(reader.get("/api/v1/ml/pricing/stats"))
    assert (empty["spot_prices_count"], empty["last_updated"]) == (0, None)
    assert empty["coverage"] == {"instance_types": [], "regions": [], "date_range": {"from": None, "to": None}}


def test_statistics_count_what_is_there(reader, market, django_assert_max_num_queries):
    a_rating()
    with django_assert_max_num_queries(16):
        found = told(reader.get("/api/v1/ml/pricing/stats"))
    assert (found["spot_prices_count"], found["is_estimate"], found["spot_advisor_count"]) == (7, False, 1)
    assert found["coverage"]["instance_types"] == ["c5.large", "m5.large"]
    assert found["last_updated"] == max(found["updated"].values())


def order(caller, **body):
    return caller.post(FETCH, {"data_type": "spot_advisor"} | body, content_type="application/json")


def test_whoever_keeps_the_market_may_have_it_fetched_and_joins_who_does(django_capture_on_commit_callbacks):
    keeper = a_program(None, Scope.MANAGE)
    with django_capture_on_commit_callbacks() as queued:
        first = order(keeper)
        again = order(keeper)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == {"task_id": str(FetchOrder.objects.get().pk), "status": "queued", "estimated_records": None}
    assert again.json() == first.json()
    assert len(queued) == 1
    FetchOrder.objects.update(state=OrderState.DONE)
    assert order(keeper).json()["task_id"] != first.json()["task_id"]


def test_who_only_reads_may_not_and_staff_may(reader, django_capture_on_commit_callbacks):
    assert order(reader).status_code == 403
    assert order(a_browser(alice())).status_code == 403
    assert order(a_browser(bob())).status_code == 403
    assert order(Client()).status_code == 401
    with django_capture_on_commit_callbacks():
        assert order(a_browser(a_person("root", is_staff=True))).status_code == 202
    assert FetchOrder.objects.get().requested_by == "root"


def test_an_order_that_cannot_be_carried_out_says_what_to_change():
    keeper = a_program(None, Scope.MANAGE)
    spot = {"data_type": "spot_prices"}
    dates = {"start_date": "2026-11-01", "end_date": "2026-11-08"}
    refused(order(keeper, data_type="weather"), "#/data_type")
    refused(order(keeper, **spot, regions=["mars-1"]), "#/regions")
    refused(order(keeper, **spot, instance_types=["m5.large"]), "#/instance_types")
    refused(order(keeper, instance_types=["m5.large"], **spot, start_date="2026-11-01"), "#/start_date")
    refused(order(keeper, **dates), "#/start_date")
    refused(order(keeper, **spot, **dates, regions=["us-east-1"]), "#/start_date")  # nothing was fetched yet
    refused(order(keeper, **spot, instance_type="m5.large"), "#/instance_type")
    assert not FetchOrder.objects.exists()


def test_an_estimate_goes_by_what_the_last_fetch_brought(django_capture_on_commit_callbacks):
    now = timezone.now()
    a_fetch(FetchSource.SPOT, "us-east-1", through=now, since=now - timedelta(hours=1), rows=50)
    body = {"data_type": "spot_prices", "regions": ["us-east-1"], "instance_types": ["m5.large"]}
    begin, end = now - timedelta(hours=5), now - timedelta(hours=1)
    with django_capture_on_commit_callbacks():
        answer = order(a_program(None, Scope.MANAGE), **body, start_date=begin.isoformat(), end_date=end.isoformat())
    assert answer.json()["estimated_records"] == 200
