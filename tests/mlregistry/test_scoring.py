"""Scores of a region: what they rest on, what is unknown, and that each can be recomputed from its own row."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instances.models import FetchSource, InstanceType, MarketFetch, OnDemandPrice, Pool, SpotAdvisorRating
from mlregistry import expectations, feature_engine, loading, scoring
from mlregistry.models import FeatureStatistics, PoolScore, RegionScoring
from mlregistry.score_rows import write_region_scoring
from tests import factories
from tests.factories import NOW
from tests.mlregistry.a_market import TYPES, a_market, a_registered_model

pytestmark = pytest.mark.django_db

EXACT = (
    "interruption_probability",
    "probability_low",
    "probability_high",
    "horizon_seconds",
    "evidence",
    "safety_score",
    "components",
    "features",
    "unknown",
)


def score_of(instance_type: str, zone_id: str = "use1-az1") -> PoolScore:
    return PoolScore.objects.get(pool__instance_type=instance_type, pool__zone_id=zone_id)


def recomputed(rows: list[PoolScore]) -> list[dict]:
    statistics = feature_engine.stored_statistics(row.inputs["statistics"] for row in rows)
    return scoring.rescore([row.inputs for row in rows], model=loading.active_model(), statistics=statistics)


def test_every_pool_of_the_region_gets_a_score_with_ages():
    a_market()
    result = scoring.score_region("us-east-1", now=NOW)
    assert (result.pools, result.unknown) == (15, 0)
    score = score_of("m5.large")
    assert score.scored_at == NOW
    assert score.spot_usd_micro == 35_350
    assert score.on_demand_usd_micro == 96_000
    assert score.prices_as_of == NOW
    assert score.advisor_as_of == NOW
    assert score.on_demand_as_of == NOW
    assert score.price_changed_at == NOW - timedelta(days=1.5)
    assert score.unknown == []


def test_without_a_model_every_score_repeats_the_band_and_says_so():
    a_market()
    assert scoring.score_region("us-east-1", now=NOW).model is loading.BASELINE
    scores = PoolScore.objects.all()
    assert {score.evidence for score in scores} == {"advisor"}
    assert {score.model_id for score in scores} == {None}
    by_band = [score_of(name).interruption_probability for name in TYPES]
    assert by_band == sorted(by_band)


def test_the_model_judges_only_the_families_its_card_names():
    a_market()
    version = a_registered_model()
    scoring.score_region("us-east-1", now=NOW)
    assert score_of("p3.2xlarge").evidence == "trace"
    assert score_of("m5.large").evidence == "advisor"
    assert score_of("m5.large").model_id == version.pk


def test_safety_is_the_weighted_sum_of_its_stored_components():
    a_market()
    scoring.score_region("us-east-1", now=NOW)
    for score in PoolScore.objects.all():
        parts = score.components
        assert parts["learned"] == {"value": None, "weight": 0.0, "share": 0.0}
        assert score.safety_score == pytest.approx(sum(part["share"] for part in parts.values()), abs=1e-12)
        assert sum(part["weight"] for part in parts.values()) == pytest.approx(1)
    assert score_of("m5.large").components["advisor"]["value"] == 1
    assert score_of("p3.2xlarge").components["advisor"]["value"] == 0


@pytest.mark.parametrize("with_model", [False, True])
def test_each_score_is_recomputed_from_its_own_row_bit_for_bit(with_model):
    a_market()
    factories.a_pool("m5.24xlarge", "use1-az1")  # a pool of which nothing is known replays too
    if with_model:
        a_registered_model()
    scoring.score_region("us-east-1", now=NOW)
    rows = list(PoolScore.objects.select_related("pool").order_by("pool_id"))
    for row, again in zip(rows, recomputed(rows), strict=True):
        assert {name: again[name] for name in EXACT} == {name: getattr(row, name) for name in EXACT}
    for row in rows:  # alone as among all
        assert recomputed([row])[0]["features"] == row.features


def test_rows_of_several_regions_are_recomputed_in_any_order():
    a_market()
    a_registered_model()
    scoring.score_region("us-east-1", now=NOW)
    score = score_of("p3.2xlarge")
    given = [score.inputs, {**score.inputs, "region": "us-east-2"}, score.inputs]
    statistics = feature_engine.stored_statistics([score.statistics])
    again = scoring.rescore(given, model=loading.active_model(), statistics=statistics)
    assert [row["features"] for row in (again[0], again[2])] == [score.features] * 2


def test_contributions_add_up_to_the_probability():
    a_market()
    a_registered_model()
    scoring.score_region("us-east-1", now=NOW)
    explained = recomputed([score_of("p3.2xlarge"), score_of("m5.large")])
    parts = explained[0]["contributions"]
    assert parts["calibrated"] == explained[0]["interruption_probability"]
    assert explained[1]["contributions"] is None


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spot=st.integers(1, 2_000_000_000),
    on_demand=st.integers(1, 10**12),
    volatility=st.floats(0, 10, allow_nan=False),
    band=st.integers(0, 4),
)
def test_facts_survive_postgresql_as_they_are(spot, on_demand, volatility, band):
    facts = {"current_micro": float(spot), "on_demand_micro": float(on_demand), "volatility": volatility, "band": band}
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [json.dumps(facts)])
        assert json.loads(cursor.fetchone()[0]) == facts


def test_a_second_scoring_replaces_the_first_and_an_older_one_does_not():
    a_market()
    scoring.score_region("us-east-1", now=NOW)
    scoring.score_region("us-east-1", now=NOW + timedelta(minutes=10))
    scoring.score_region("us-east-1", now=NOW + timedelta(minutes=5))
    assert PoolScore.objects.count() == 15
    assert {score.scored_at for score in PoolScore.objects.all()} == {NOW + timedelta(minutes=10)}


@pytest.mark.django_db(transaction=True)
def test_of_two_scorings_at_once_the_later_instant_stays_whoever_ends_last():
    a_market()
    scoring.score_region("us-east-1", now=NOW)
    known = RegionScoring.objects.values().get()
    del known["id"]
    earlier, later = ({**known, "scored_at": NOW + timedelta(minutes=minutes)} for minutes in (5, 10))

    def write_earlier() -> bool:
        try:
            return write_region_scoring(earlier)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            assert write_region_scoring(later)
            second = other.submit(write_earlier)
            wait_until_somebody_waits_for_a_lock()
        assert second.result() is False
    assert RegionScoring.objects.get().scored_at == NOW + timedelta(minutes=10)


def wait_until_somebody_waits_for_a_lock() -> None:
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("the second scoring did not wait for the first")


def test_an_overtaken_scoring_leaves_no_trace():
    a_market()
    scoring.score_region("us-east-1", now=NOW + timedelta(minutes=10))
    before = [PoolScore.objects.order_by("pool_id").values(), RegionScoring.objects.values()]
    kept = [list(rows) for rows in before]
    SpotAdvisorRating.objects.all().delete()
    scoring.score_region("us-east-1", now=NOW)
    assert [list(rows.all()) for rows in before] == kept


def test_a_pool_that_is_removed_while_it_is_scored_has_no_score(monkeypatch):
    a_market()
    store = feature_engine.store_statistics

    def removed_meanwhile(statistics: FeatureStatistics) -> None:
        Pool.objects.filter(instance_type="m5.large").delete()
        store(statistics)

    monkeypatch.setattr(feature_engine, "store_statistics", removed_meanwhile)
    scoring.score_region("us-east-1", now=NOW)
    assert PoolScore.objects.count() == 12


def test_a_score_says_what_is_missing_in_whatever_words(monkeypatch):
    a_market()
    words = ['a "quoted" one', "a back\\slash", "{braces}, commas", "100 %s", "it's"]
    expected = [[], words, words[:1]]
    expect = expectations.expect
    monkeypatch.setattr(
        expectations, "expect", lambda *given: replace(expect(*given), unknown=(expected * 5)[: len(given[0])])
    )
    scoring.score_region("us-east-1", now=NOW)
    assert list(PoolScore.objects.order_by("pool_id").values_list("unknown", flat=True)) == expected * 5


def test_a_score_takes_less_than_a_kilobyte():
    a_market()
    a_registered_model()
    scoring.score_region("us-east-1", now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(pg_column_size(score)) FROM mlregistry_poolscore AS score")
        assert cursor.fetchone()[0] < 800


def test_a_short_history_is_said_in_days_and_leaves_safety_unknown():
    a_market(days=1.2)
    scoring.score_region("us-east-1", now=NOW)
    score = score_of("m5.large")
    assert score.unknown == ["1.2 days of 7 of price history"]
    assert score.safety_score is None
    assert score.components["stability"]["value"] is None
    assert score.features is not None
    assert None in score.features


def test_a_traced_pool_with_an_unknown_feature_has_no_number():
    a_market()
    a_registered_model()
    OnDemandPrice.objects.filter(instance_type="p3.2xlarge").delete()
    scoring.score_region("us-east-1", now=NOW)
    score = score_of("p3.2xlarge")
    assert (score.interruption_probability, score.evidence) == (None, "none")
    assert score.unknown == ["no On-Demand price"]


def test_each_missing_source_is_named():
    a_market()
    SpotAdvisorRating.objects.filter(instance_type="m5.large").delete()
    InstanceType.objects.filter(name="c5.2xlarge").delete()
    factories.a_pool("u99.large", "use1-az1")
    scoring.score_region("us-east-1", now=NOW)
    assert score_of("m5.large").unknown == ["no Advisor rating"]
    assert score_of("m5.large").evidence == "none"
    assert score_of("c5.2xlarge").unknown == ["not in the catalogue of instance types"]
    assert score_of("u99.large").unknown == [
        "no Spot price",
        "no On-Demand price",
        "no Advisor rating",
        "not in the catalogue of instance types",
        "no launch year of family u99",
    ]


def test_stale_prices_make_a_pool_unknown():
    a_market()
    MarketFetch.objects.filter(source=FetchSource.SPOT).update(through=NOW - timedelta(hours=3))
    scoring.score_region("us-east-1", now=NOW)
    score = score_of("m5.large")
    assert score.unknown == ["Spot prices are 3.0 h old, at most 2 h"]
    assert score.safety_score is None
    assert score.spot_usd_micro == 35_350  # what we last saw stays to be looked at, with its age
    assert score.prices_as_of == NOW - timedelta(hours=3)


def test_a_stale_advisor_file_is_no_evidence():
    a_market()
    MarketFetch.objects.filter(source=FetchSource.ADVISOR).update(through=NOW - timedelta(hours=27))
    scoring.score_region("us-east-1", now=NOW)
    score = score_of("m5.large")
    assert score.unknown == ["the Advisor's file is 27.0 h old, at most 26 h"]
    assert (score.evidence, score.interruption_probability, score.safety_score) == ("none", None, None)


def test_prices_never_fetched_whole_are_unknown():
    a_market()
    MarketFetch.objects.filter(source=FetchSource.SPOT).delete()
    scoring.score_region("us-east-1", now=NOW)
    assert score_of("m5.large").unknown == ["no whole fetch of Spot prices"]


def test_a_region_too_small_to_compare_says_so():
    a_market()
    Pool.objects.exclude(instance_type="m5.large").delete()
    scoring.score_region("us-east-1", now=NOW)
    assert score_of("m5.large").unknown[0].startswith("cannot be compared within the region: price_position, ")


def test_an_empty_region_scores_nothing():
    result = scoring.score_region("eu-west-3", now=NOW)
    assert (result.pools, result.unknown) == (0, 0)


def test_scoring_takes_the_same_number_of_queries_for_any_number_of_pools():
    a_market()
    with CaptureQueriesContext(connection) as few:
        scoring.score_region("us-east-1", now=NOW)
    for zone in range(4, 7):
        for name in TYPES:
            factories.prices_for(factories.a_pool(name, f"use1-az{zone}"), [(9, "0.05"), (1, "0.06")])
    with CaptureQueriesContext(connection) as many:
        scoring.score_region("us-east-1", now=NOW)
    assert len(few) == len(many)


def test_statistics_are_kept_under_their_digest_and_old_ones_let_go():
    a_market()
    scoring.score_region("us-east-1", now=NOW)
    FeatureStatistics.objects.create(
        sha256="0" * 64, feature_hash="x", region="us-east-1", mean=[], std=[], pools=0, computed_at=NOW - timedelta(9)
    )
    scoring.score_region("us-east-1", now=NOW)
    kept = FeatureStatistics.objects.get()
    assert kept.sha256 == score_of("m5.large").inputs["statistics"]


def test_a_replay_that_lacks_its_statistics_fails_loudly():
    a_market()
    scoring.score_region("us-east-1", now=NOW)
    with pytest.raises(KeyError):
        scoring.rescore([score_of("m5.large").inputs], model=loading.BASELINE, statistics={})


class TestDue:
    def test_a_region_never_scored_is_due(self):
        a_market()
        assert scoring.regions_due(now=NOW) == ["us-east-1"]

    def test_a_scored_region_is_not_due_until_something_came(self):
        a_market()
        scoring.score_region("us-east-1", now=NOW + timedelta(minutes=1))
        assert scoring.regions_due(now=NOW + timedelta(minutes=2)) == []
        factories.a_fetch(FetchSource.SPOT, "eu-west-3", through=NOW + timedelta(minutes=3))
        assert scoring.regions_due(now=NOW + timedelta(minutes=4)) == []
        factories.a_fetch(FetchSource.SPOT, "us-east-1", through=NOW + timedelta(minutes=3))
        assert scoring.regions_due(now=NOW + timedelta(minutes=4)) == ["us-east-1"]

    def test_a_new_advisor_file_makes_every_region_due(self):
        a_market()
        scoring.score_region("us-east-1", now=NOW + timedelta(minutes=1))
        factories.a_fetch(FetchSource.ADVISOR, through=NOW + timedelta(minutes=3))
        assert scoring.regions_due(now=NOW + timedelta(minutes=4)) == ["us-east-1"]

    def test_scores_are_renewed_after_half_an_hour_without_news(self):
        a_market()
        scoring.score_region("us-east-1", now=NOW + timedelta(minutes=1))
        assert scoring.regions_due(now=NOW + timedelta(minutes=32)) == ["us-east-1"]

    def test_a_new_pool_makes_its_region_due(self):
        a_market()
        scoring.score_region("us-east-1", now=NOW + timedelta(minutes=1))
        factories.a_pool("m5.large", "use1-az6")
        assert scoring.regions_due(now=NOW + timedelta(minutes=2)) == ["us-east-1"]

    def test_scores_of_a_release_that_laid_them_out_otherwise_are_due(self):
        a_market()
        scoring.score_region("us-east-1", now=NOW + timedelta(minutes=1))
        RegionScoring.objects.update(layout=0)
        assert scoring.regions_due(now=NOW + timedelta(minutes=2)) == ["us-east-1"]
