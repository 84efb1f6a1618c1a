"""Is each feature what its formula says, unknown where its inputs are, and the same for one pool and for many?"""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.domain.prices import DAY, PriceHistory, PriceSummary, summarize
from mlregistry.domain import features as module
from mlregistry.domain.features import (
    COLUMN,
    FEATURES,
    MIN_POOLS,
    N_REGIONAL,
    NAMES,
    PoolInputs,
    RegionStatistics,
    Scale,
    context_of,
    feature_hash,
    features,
    launch_year,
    raw_features,
    scaled,
    statistics_from_metadata,
    statistics_of,
)

MONDAY_NOON = 1_700_481_600.0  # 2023-11-20 12:00 UTC
NAN = float("nan")


def pools(n: int, *, regions: int = 1, seed: int = 1) -> PoolInputs:
    """n pools of real-looking values, everything known."""
    random = np.random.default_rng(seed)
    region = np.sort(random.integers(0, regions, n))
    offsets = np.arange(0, 3 * n + 1, 3, dtype=np.int64)
    ago = np.sort(random.uniform(0, 6, (n, 3)), axis=1)[:, ::-1] + np.array([8.0, 0, 0])
    micro = random.integers(10_000, 900_000, 3 * n).astype(np.int32)
    prices = summarize(PriceHistory(offsets, MONDAY_NOON - ago.ravel() * DAY, micro), at=MONDAY_NOON)
    return PoolInputs(
        prices=prices,
        on_demand_micro=random.uniform(1e6, 2e6, n),
        interruption_rate=random.choice([0.025, 0.075, 0.6], n),
        vcpus=random.choice([2.0, 4, 8, 64], n),
        memory_gib=random.choice([4.0, 16, 61], n),
        launch_year=random.choice([2016.0, 2019, 2023], n),
        is_burstable=random.choice([0.0, 1], n),
        has_gpu=random.choice([0.0, 1], n),
        last_missing_at=np.where(random.random(n) < 0.5, NAN, MONDAY_NOON - random.uniform(0, 1e6, n)),
        interruptions_7d=random.integers(0, 4, n).astype(np.float64),
        watched_hours_7d=random.uniform(0, 300, n),
        neighbours_hit=random.uniform(0, 1, n),
        region=region,
        family=region * 2 + random.integers(0, 2, n),
        instance_type=region * 4 + random.integers(0, 4, n),
    )


def rows(inputs: PoolInputs, chosen: np.ndarray) -> PoolInputs:
    """Some of the pools alone."""
    prices = PriceSummary(*(getattr(inputs.prices, field.name)[chosen] for field in fields(PriceSummary)))
    rest = {f.name: getattr(inputs, f.name)[chosen] for f in fields(PoolInputs) if f.name != "prices"}
    return PoolInputs(prices=prices, **rest)


def raw(inputs: PoolInputs, name: str, at: float = MONDAY_NOON) -> np.ndarray:
    return raw_features(inputs, context_of(inputs), at)[:, COLUMN[name]]


def test_there_are_twenty_one_at_most_each_with_a_name_and_a_formula_and_the_regional_ones_first():
    assert len(NAMES) == len(set(NAMES)) <= 21
    assert all(feature.formula for feature in FEATURES)
    assert [f.scale is Scale.REGION for f in FEATURES] == [True] * N_REGIONAL + [False] * (len(NAMES) - N_REGIONAL)


def test_price_position_is_spot_over_on_demand():
    inputs = pools(3)
    assert raw(inputs, "price_position") == pytest.approx(inputs.prices.current_micro / inputs.on_demand_micro)


def test_zone_spread_is_against_the_same_type_in_the_regions_zones():
    inputs = replace(pools(3), instance_type=np.array([0, 0, 1]))
    first, second, _ = np.log(inputs.prices.current_micro)
    middle = (first + second) / 2
    assert raw(inputs, "zone_spread") == pytest.approx([first - middle, second - middle, 0])


def test_family_stress_is_shared_by_the_family_and_leaves_out_the_unknown():
    inputs = replace(pools(3), family=np.array([0, 0, 0]))
    inputs.prices.log_mean[2] = NAN
    own = (np.log(inputs.prices.current_micro) - inputs.prices.log_mean)[:2]
    assert raw(inputs, "family_stress") == pytest.approx([own.mean()] * 3)


def test_noon_on_monday_on_both_circles():
    row = raw_features(pools(1), context_of(pools(1)), MONDAY_NOON)[0]
    assert [row[COLUMN[n]] for n in ("hour_sin", "hour_cos")] == pytest.approx([0, -1], abs=1e-9)
    angle = 2 * np.pi * 0.5 / 7
    assert [row[COLUMN[n]] for n in ("weekday_sin", "weekday_cos")] == pytest.approx([np.sin(angle), np.cos(angle)])


def test_a_pool_that_was_never_interrupted_says_so_and_its_recency_is_zero():
    inputs = replace(pools(2), last_missing_at=np.array([NAN, MONDAY_NOON - 3 * 3600]))
    assert raw(inputs, "no_interruption_known").tolist() == [1, 0]
    assert raw(inputs, "interruption_recency") == pytest.approx([0, 0.25])


def test_interruptions_count_per_hour_watched_and_one_in_the_first_hour_is_no_rate_of_one():
    inputs = replace(pools(3), interruptions_7d=np.array([0.0, 1, 12]), watched_hours_7d=np.array([0.0, 1, 330]))
    assert raw(inputs, "interruptions_per_hour") == pytest.approx([0, 1 / 7, 12 / 336])


def test_age_counts_from_the_year_of_launch():
    assert raw(replace(pools(1), launch_year=np.array([2023.0])), "generation_age")[0] == pytest.approx(0.886, abs=0.01)


def test_families_nobody_listed_have_no_age():
    years = launch_year(["m5", "c7i-flex", "zz9"])
    assert years[:2].tolist() == [2017, 2024]
    assert np.isnan(years[2])


@pytest.mark.parametrize(
    "name", ["vcpus", "memory_gib", "on_demand_micro", "interruption_rate", "launch_year", "has_gpu"]
)
def test_the_unknown_stays_unknown_and_harms_no_other_row(name):
    inputs = pools(20)
    statistics = statistics_of(raw_features(inputs, context_of(inputs), MONDAY_NOON), inputs.region, 1)
    getattr(inputs, name)[4] = NAN
    is_known = np.isfinite(features(inputs, context_of(inputs), statistics, MONDAY_NOON)).all(axis=1)
    assert is_known.tolist() == [row != 4 for row in range(20)]


def test_a_free_machine_or_no_vcpu_is_not_finite():
    inputs = replace(pools(20), on_demand_micro=np.zeros(20), vcpus=np.zeros(20))
    assert not np.isfinite(raw(inputs, "price_position")).any()
    assert not np.isfinite(raw(inputs, "vcpus")).any()


def test_scaled_columns_have_mean_zero_and_deviation_one_within_each_region():
    inputs = pools(400, regions=3)
    matrix = raw_features(inputs, context_of(inputs), MONDAY_NOON)
    z = scaled(matrix, statistics_of(matrix, inputs.region, 3), inputs.region)
    for region in range(3):
        part = z[inputs.region == region, :N_REGIONAL]
        assert part.mean(axis=0) == pytest.approx(np.zeros(N_REGIONAL), abs=1e-9)
        assert part.std(axis=0) == pytest.approx(np.ones(N_REGIONAL))
    assert z[:, N_REGIONAL:].tobytes() == matrix[:, N_REGIONAL:].tobytes()


def test_a_region_with_too_few_pools_is_unknown():
    inputs = pools(MIN_POOLS - 1)
    matrix = raw_features(inputs, context_of(inputs), MONDAY_NOON)
    z = scaled(matrix, statistics_of(matrix, inputs.region, 1), inputs.region)
    assert np.isnan(z[:, :N_REGIONAL]).all()


def test_where_all_pools_are_equal_an_equal_pool_stands_at_zero_and_another_is_unknown():
    inputs = replace(pools(MIN_POOLS), memory_gib=np.full(MIN_POOLS, 7.3))
    matrix = raw_features(inputs, context_of(inputs), MONDAY_NOON)
    statistics = statistics_of(matrix, inputs.region, 1)
    matrix[0, COLUMN["memory_gib"]] += 0.1
    z = scaled(matrix, statistics, inputs.region)[:, COLUMN["memory_gib"]]
    assert np.isnan(z[0])
    assert z[1:].tolist() == [0] * (MIN_POOLS - 1)


def test_a_models_statistics_come_first_and_the_regions_own_fill_the_other_columns():
    inputs = pools(40, regions=2)
    own = statistics_of(raw_features(inputs, context_of(inputs), MONDAY_NOON), inputs.region, 2)
    stored = statistics_from_metadata({"us-east-1": {"vcpus": [1.5, 0.5]}}, ["us-east-1", "eu-west-3"])
    both = stored.or_else(own)
    assert both.mean[0, COLUMN["vcpus"]] == 1.5
    assert both.mean[1, COLUMN["vcpus"]] == own.mean[1, COLUMN["vcpus"]]
    assert both.deviation[0, COLUMN["memory_gib"]] == own.deviation[0, COLUMN["memory_gib"]]


def test_statistics_survive_the_metadata():
    inputs = pools(40, regions=2)
    own = statistics_of(raw_features(inputs, context_of(inputs), MONDAY_NOON), inputs.region, 2)
    read = statistics_from_metadata(own.as_metadata(["a", "b"]), ["a", "b"])
    assert read.mean.tobytes() == own.mean.tobytes()
    assert own.only(["vcpus"]).as_metadata(["a", "b"]).keys() == {"a", "b"}
    assert list(own.only(["vcpus"]).as_metadata(["a", "b"])["a"]) == ["vcpus"]


def test_statistics_of_a_feature_that_does_not_exist_are_refused():
    with pytest.raises(KeyError, match="price_in_yen"):
        statistics_from_metadata({"a": {"price_in_yen": [0, 1]}}, ["a"])


def test_pools_out_of_the_order_of_regions_are_refused():
    inputs = pools(2)
    with pytest.raises(ValueError, match="ordered by region"):
        replace(inputs, region=np.array([1, 0]))


def test_no_pools_are_an_empty_matrix():
    inputs = rows(pools(2), np.array([], dtype=np.int64))
    statistics = RegionStatistics(np.zeros((1, len(NAMES))), np.ones((1, len(NAMES))))
    assert features(inputs, context_of(inputs), statistics, MONDAY_NOON).shape == (0, len(NAMES))


@pytest.mark.parametrize("change", ["order", "formula", "generations", "min_pools"])
def test_the_hash_changes_with_what_defines_a_feature(monkeypatch, change):
    before = feature_hash()
    if change == "order":
        monkeypatch.setattr(module, "FEATURES", (FEATURES[1], FEATURES[0], *FEATURES[2:]))
    elif change == "formula":
        monkeypatch.setattr(module, "FEATURES", (replace(FEATURES[0], formula="spot"), *FEATURES[1:]))
    elif change == "generations":
        monkeypatch.setattr(module.generations, "launch_years", lambda: {"m5": 1999})
    else:
        monkeypatch.setattr(module, "MIN_POOLS", 3)
    assert feature_hash() != before


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 4), st.integers(0, 10_000), st.floats(0, 3e9))
def test_one_pool_and_many_give_the_same_bits(n, regions, seed, at):
    inputs = pools(n, regions=regions, seed=seed)
    inputs.prices.volatility[:: n // 3 + 1] = NAN
    context = context_of(inputs)
    statistics = statistics_of(raw_features(pools(60, regions=regions), context_of(pools(60, regions=regions)), at),
                               pools(60, regions=regions).region, regions)  # fmt: skip
    together = features(inputs, context, statistics, at)
    at_each = features(inputs, context, statistics, np.full(n, at))
    assert together.tobytes() == at_each.tobytes()
    for row in range(n):
        alone = features(rows(inputs, np.array([row])), context, statistics, at)
        assert alone.tobytes() == together[row].tobytes()


def test_sixty_thousand_pools_give_the_bits_of_one():
    inputs = pools(60_000, regions=17)
    context = context_of(inputs)
    statistics = statistics_of(raw_features(inputs, context, MONDAY_NOON), inputs.region, 17)
    together = features(inputs, context, statistics, MONDAY_NOON)
    for row in (0, 1, 7, 29_999, 59_998, 59_999):
        alone = features(rows(inputs, np.array([row])), context, statistics, MONDAY_NOON)
        assert alone.tobytes() == together[row].tobytes()
