"""Does the cache only ever cost time when it is gone, and say nothing the tables do not?"""

import json
import logging
from datetime import timedelta

import pytest
import redis
from django.conf import settings as configured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from instances.market import cache, publishing, quotes
from tests.factories import NOW, a_fresh_market, a_pool, a_rating, an_on_demand_price, prices_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    client = redis.Redis.from_url(configured.REDIS_CACHE_URL)
    yield client
    client.close()


@pytest.fixture
def no_redis(settings, tmp_path):
    settings.REDIS_CACHE_URL = f"unix://{tmp_path}/nobody"


@pytest.fixture
def market():
    a_fresh_market()
    prices_for(a_pool("m5.large", "use1-az1"), [(3, "0.04"), (1, "0.05")])
    prices_for(a_pool("m5.large", "use1-az2"), [(9, "0.03")])
    prices_for(a_pool("m5.xlarge", "use1-az1"), [(2, "0.08")])
    an_on_demand_price("m5.large", "0.096")
    a_rating("m5.large", 1, 55)
    a_rating("c5.large", 4, 70)


def test_a_document_says_each_value_with_source_and_instant(market, store):
    publishing.publish("us-east-1", now=NOW)
    document = json.loads(store.get("spot_risk:us-east-1:m5.large"))
    assert document["advisor"]["interrupt_band"] == 1
    assert document["advisor"]["interrupt_rate"] == {"at_least": 0.05, "below": 0.10}
    assert document["advisor"]["savings_percent"] == 55
    assert document["advisor"]["at"] == NOW.isoformat()
    assert document["spot"]["usd_per_hour"] == {"use1-az1": "0.050000", "use1-az2": "0.030000"}
    assert document["spot"]["holds_since"]["use1-az2"] == (NOW - timedelta(days=9)).isoformat()
    assert document["spot"]["at"] == NOW.isoformat()
    assert document["on_demand"]["usd_per_hour"] == "0.096000"
    assert all(document[part]["source"] for part in ("advisor", "spot", "on_demand"))


def test_what_is_not_known_of_a_type_is_null_not_invented(market):
    publishing.publish("us-east-1", now=NOW)
    document = cache.risks("us-east-1", ["c5.large"])["c5.large"]
    assert document["advisor"]["interrupt_rate"] == {"at_least": 0.20, "below": None}
    assert document["spot"] is None
    assert document["on_demand"] is None


def test_a_familys_history_has_every_change_of_the_window(market, store):
    publishing.publish("us-east-1", now=NOW)
    document = json.loads(store.get("spot_price_history:us-east-1:m5"))
    assert document["pools"]["m5.large"]["use1-az1"] == {
        "at": [(NOW - timedelta(days=days)).timestamp() for days in (3, 1)],
        "usd_micro": [40_000, 50_000],
    }
    assert set(document["pools"]) == {"m5.large", "m5.xlarge"}
    assert cache.metadata("us-east-1")["zones_by_type"]["m5.large"] == ["use1-az1", "use1-az2"]


def test_every_key_expires(market, store, settings):
    settings.CACHE_TTL_SECONDS, settings.CACHE_METADATA_TTL_SECONDS = 100, 200
    publishing.publish("us-east-1", now=NOW)
    lifetimes = {key: store.ttl(key) for key in store.keys()}  # noqa: SIM118 -- a Redis client is no dict
    assert len(lifetimes) == 5
    for key, seconds in lifetimes.items():
        assert 0 < seconds <= (200 if key.startswith(b"spot_metadata") else 100)


def test_reading_from_the_cache_and_from_the_tables_is_the_same(market):
    names = ["m5.large", "m5.xlarge", "c5.large", "x9.unknown"]
    from_tables = publishing.risks("us-east-1", names, now=NOW)
    histories_from_tables = publishing.price_histories("us-east-1", ["m5", "x9"], now=NOW)
    with CaptureQueriesContext(connection) as queries:
        assert publishing.risks("us-east-1", names[:3], now=NOW) == from_tables
        assert publishing.price_histories("us-east-1", ["m5"], now=NOW) == histories_from_tables
    assert len(queries) == 0
    assert sorted(from_tables) == ["c5.large", "m5.large", "m5.xlarge"]
    assert list(histories_from_tables) == ["m5"]


def test_without_redis_the_answer_is_the_same_and_the_log_says_so_once(market, settings, tmp_path, caplog):
    assert cache.metadata("us-east-1") is None  # it is up, whatever ran before
    settings.REDIS_CACHE_URL = f"unix://{tmp_path}/nobody"
    with caplog.at_level(logging.INFO):
        publishing.publish("us-east-1", now=NOW)
        documents = publishing.risks("us-east-1", ["m5.large"], now=NOW)
        assert cache.metadata("us-east-1") is None
    assert documents["m5.large"]["on_demand"]["usd_per_hour"] == "0.096000"
    assert [record.message for record in caplog.records] == ["the market's cache is down; the database answers instead"]


def test_a_cache_that_comes_back_is_used_again(market, settings, tmp_path, caplog):
    there = settings.REDIS_CACHE_URL
    settings.REDIS_CACHE_URL = f"unix://{tmp_path}/nobody"
    assert cache.risks("us-east-1", ["m5.large"]) == {}
    settings.REDIS_CACHE_URL = there
    with caplog.at_level(logging.INFO):
        publishing.publish("us-east-1", now=NOW)
    assert "m5.large" in cache.risks("us-east-1", ["m5.large"])
    assert "the market's cache is back" in caplog.text


@pytest.mark.parametrize("rubbish", [b"", b"{", b"\xff", b"[1]", b"null"])
def test_what_is_no_document_of_ours_counts_as_missing(store, rubbish):
    store.set("spot_risk:us-east-1:m5.large", rubbish)
    assert cache.risks("us-east-1", ["m5.large"]) == {}


def test_nothing_asked_is_nothing_sent(no_redis, caplog):
    assert cache.risks("us-east-1", []) == {}
    assert caplog.records == []


def test_histories_the_caller_has_read_are_not_read_again(market):
    read = quotes.histories("us-east-1", at=NOW)
    with CaptureQueriesContext(connection) as queries:
        publishing.publish("us-east-1", now=NOW, histories=read)
    assert len(queries) == 4
    assert cache.risks("us-east-1", ["m5.large"])["m5.large"]["spot"]["usd_per_hour"]["use1-az1"] == "0.050000"


def test_seven_hundred_types_are_one_round_trip(store):
    names = [f"m5.x{n}" for n in range(700)]
    cache.publish_risks("us-east-1", {name: {"n": name} for name in names})
    before = store.info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"]
    assert len(cache.risks("us-east-1", names)) == 700
    assert store.info("commandstats")["cmdstat_mget"]["calls"] == before + 1
