"""Are the Spot prices served real, in order, and moving?"""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from spotopt.local.market import DATA, LONG, WEEK, Market, PoolKey, seconds
from spotopt.local.zones import zone_ids
from tests.fakes.cloud import CONTOSO, NORTHWIND

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def market():
    return Market(NOW)


def history(ec2, **params):
    pages = ec2.get_paginator("describe_spot_price_history").paginate(**params)
    return [entry for page in pages for entry in page["SpotPriceHistory"]]


def test_prices_come_newest_first_a_thousand_a_page(local_cloud):
    """EC2 reference, DescribeSpotPriceHistory; the order is that of the real service."""
    ec2 = local_cloud.root(NORTHWIND, "ec2", "us-east-1")
    begin = datetime.now(UTC) - timedelta(days=30)
    assert len(ec2.describe_spot_price_history(StartTime=begin)["SpotPriceHistory"]) == 1000
    entries = history(ec2, StartTime=begin, ProductDescriptions=["Linux/UNIX"])
    times = [entry["Timestamp"] for entry in entries]
    assert times == sorted(times, reverse=True)
    keys = {(entry["InstanceType"], entry["AvailabilityZoneId"], entry["Timestamp"]) for entry in entries}
    assert len(keys) == len(entries) > 1000
    assert times[0] <= datetime.now(UTC)


def test_the_price_in_force_at_start_is_told_too(local_cloud):
    """EC2 reference, DescribeSpotPriceHistory: "the price in effect at the start time" comes with the changes."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    begin = datetime.now(UTC) - timedelta(hours=1)
    entries = history(ec2, StartTime=begin, InstanceTypes=["c5.2xlarge"], ProductDescriptions=["Linux/UNIX"])
    oldest = {entry["AvailabilityZoneId"]: entry["Timestamp"] for entry in entries}
    assert "euw3-az1" in oldest
    assert all(at <= begin for at in oldest.values())


def test_prices_carry_the_callers_zone_name_and_the_common_zone_id(local_cloud):
    """EC2 reference, SpotPrice: AvailabilityZone and AvailabilityZoneId."""
    found = {}
    for account in (NORTHWIND, CONTOSO):
        ec2 = local_cloud.root(account, "ec2")
        entry = history(ec2, StartTime=datetime.now(UTC), InstanceTypes=["t3.large"], AvailabilityZoneId="euw3-az1")[0]
        assert zone_ids(account.account_id, "eu-west-3")[entry["AvailabilityZone"]] == entry["AvailabilityZoneId"]
        found[account] = entry["AvailabilityZone"]
    assert found[NORTHWIND] != found[CONTOSO]


def test_filters_choose_type_product_and_zone(local_cloud):
    """EC2 reference, DescribeSpotPriceHistory: request parameters; "Linux/UNIX (Amazon VPC)" is the same product."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    zone = {zone_id: name for name, zone_id in zone_ids(NORTHWIND.account_id, "eu-west-3").items()}["euw3-az1"]
    entries = history(
        ec2,
        StartTime=datetime.now(UTC) - timedelta(days=10),
        InstanceTypes=["t3.large", "t2.large"],
        ProductDescriptions=["Linux/UNIX (Amazon VPC)"],
        AvailabilityZone=zone,
    )
    assert {entry["InstanceType"] for entry in entries} == {"t3.large", "t2.large"}
    assert {entry["ProductDescription"] for entry in entries} == {"Linux/UNIX"}
    assert {entry["AvailabilityZone"] for entry in entries} == {zone}
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_spot_price_history(AvailabilityZone="eu-west-3x")


def test_nothing_older_than_ninety_days_is_told(market):
    """EC2 reference, DescribeSpotPriceHistory: up to the last 90 days."""
    rows = market.history("us-east-1", NOW - timedelta(days=400), NOW, now=NOW)
    assert min(row.at for row in rows) >= seconds(NOW - timedelta(days=90))


@pytest.mark.parametrize("recording", LONG, ids=lambda recording: recording.name)
def test_a_long_series_keeps_weekday_and_hour_and_ends_within_the_coming_week(market, recording):
    shift = market.shifts[recording.name]
    assert shift % WEEK == 0
    ends_at = {row_at for prices in market.regions.values() for row_at in prices.at.tolist() if row_at > seconds(NOW)}
    assert max(ends_at) <= seconds(NOW) + WEEK


def test_the_market_moves_while_the_demo_runs(market):
    later = NOW + timedelta(hours=6)
    before = market.history("eu-west-3", NOW, NOW, now=NOW, zones=["euw3-az1"])
    after = market.history("eu-west-3", NOW, later, now=later, zones=["euw3-az1"])
    assert len(after) > len(before)
    assert not [row for row in market.history("eu-west-3", NOW, later, now=NOW) if row.at > seconds(NOW)]


def test_the_world_has_hours_of_history_only(market):
    rows = market.history("ap-south-1", NOW - timedelta(days=30), NOW, now=NOW)
    assert rows
    assert seconds(NOW) - 3600 <= max(row.at for row in rows) <= seconds(NOW)
    assert min(row.at for row in rows) > seconds(NOW) - 7 * 3600


def test_a_pool_with_a_long_series_takes_nothing_from_the_world(market):
    rows = market.history("eu-west-3", NOW - timedelta(days=90), NOW, now=NOW, types=["t3.large"], zones=["euw3-az1"])
    assert len({row.pool for row in rows}) == 4
    for pool in {row.pool for row in rows}:
        newest = max(row.at for row in rows if row.pool == pool)
        assert newest - market.shifts["eu-west-3"] < seconds(datetime(2020, 7, 1, tzinfo=UTC))


def test_prices_are_those_of_the_recording_to_the_micro_dollar(market):
    with gzip.open(DATA / LONG[0].file, "rt") as lines:
        recorded = {
            (row["instance_type"], row["product"], row["timestamp_utc"]): row["usd_per_hour"]
            for row in csv.DictReader(lines)
        }
    shift = market.shifts["eu-west-3"]
    rows = market.history("eu-west-3", NOW - timedelta(days=30), NOW, now=NOW, types=["c5.2xlarge"], zones=["euw3-az1"])
    assert len(rows) > 200
    for row in rows:
        at = datetime.fromtimestamp(row.at - shift, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert row.micros == round(float(recorded[(row.pool.instance_type, row.pool.product, at)]) * 1_000_000)


def test_prices_stay_after_a_restart_and_move_on_by_whole_weeks_when_they_ran_out(tmp_path):
    anchors = tmp_path / "anchors.json"
    first = Market(NOW, anchors)
    soon = Market(NOW + timedelta(hours=3), anchors)
    assert soon.shifts == first.shifts
    assert not soon.notes
    late = Market(NOW + timedelta(days=8), anchors)
    for recording in LONG:
        moved = late.shifts[recording.name] - first.shifts[recording.name]
        assert moved > 0
        assert moved % WEEK == 0
    assert len(late.notes) == len(LONG) + 1
    assert json.loads(anchors.read_text()) == late.shifts


def test_every_pool_has_a_type_a_zone_id_and_a_price_above_zero(market):
    for prices in market.regions.values():
        assert (prices.micros > 0).all()
        assert all(isinstance(pool, PoolKey) and "-az" in pool.zone_id for pool in prices.pools)
