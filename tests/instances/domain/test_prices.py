"""Are Spot prices read as steps in time, and is the unknown left unknown?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.domain.prices import DAY, BadHistory, PriceHistory, price_at, summarize

NOW = 1_700_000_000.0


def a_history(*pools: list[tuple[float, int]]) -> PriceHistory:
    """Pools as lists of (days ago, micro-dollars)."""
    offsets = np.cumsum([0, *(len(pool) for pool in pools)])
    rows = [row for pool in pools for row in pool]
    at = np.array([NOW - days * DAY for days, _ in rows], dtype=np.float64)
    return PriceHistory(offsets.astype(np.int64), at, np.array([micro for _, micro in rows], dtype=np.int32))


def test_a_price_holds_from_its_row_until_the_next():
    history = a_history([(3, 100), (1, 300)], [(2, 50)])
    assert price_at(history, NOW - 2 * DAY).tolist() == [100.0, 50.0]
    assert price_at(history, NOW - 1 * DAY).tolist() == [300.0, 50.0]


def test_before_its_first_row_a_price_is_unknown():
    assert np.isnan(price_at(a_history([(1, 100)], []), NOW - 2 * DAY)).all()


def test_mean_and_volatility_are_weighted_by_time():
    summary = summarize(a_history([(10, 100), (1.75, 200)]), at=NOW)
    low, high = np.log(100), np.log(200)
    mean = 0.75 * low + 0.25 * high
    assert summary.log_mean[0] == pytest.approx(mean)
    assert summary.volatility[0] == pytest.approx(np.sqrt(0.75 * (low - mean) ** 2 + 0.25 * (high - mean) ** 2))


def test_a_repeated_price_is_no_change():
    summary = summarize(a_history([(10, 100), (3, 200), (2, 200), (1, 200)]), at=NOW)
    assert summary.seconds_since_change[0] == 3 * DAY
    assert summary.n_changes[0] == 1


def test_slopes_are_per_day():
    summary = summarize(a_history([(10, 100), (3, 200), (0.5, 400)]), at=NOW)
    assert summary.slope_1d[0] == pytest.approx(np.log(2))
    assert summary.slope_7d[0] == pytest.approx(np.log(4) / 7)


def test_a_pool_without_a_week_of_history_is_unknown():
    summary = summarize(a_history([(6.9, 100), (0.5, 200)]), at=NOW)
    assert np.isnan([summary.log_mean[0], summary.volatility[0], summary.slope_7d[0]]).all()
    assert summary.current_micro[0] == 200
    assert summary.slope_1d[0] == pytest.approx(np.log(2))
    assert summary.seconds_since_change[0] == 0.5 * DAY
    assert summary.seconds_covered[0] == pytest.approx(6.9 * DAY)


def test_a_price_that_never_changed_is_a_week_old_or_unknown():
    summary = summarize(a_history([(30, 100)], [(5, 100), (4, 100)]), at=NOW)
    assert summary.seconds_since_change[0] == 7 * DAY
    assert np.isnan(summary.seconds_since_change[1])


def test_a_pool_without_rows_is_unknown_among_others():
    summary = summarize(a_history([], [(8, 100)], [], [(8, 300)], []), at=NOW)
    assert np.isnan(summary.current_micro).tolist() == [True, False, True, False, True]
    assert summary.volatility[[1, 3]].tolist() == [0.0, 0.0]
    assert summary.seconds_covered.tolist() == [0, 8 * DAY, 0, 8 * DAY, 0]


def test_rows_of_the_future_are_not_looked_at():
    past = [(10, 100), (3, 250)]
    later = summarize(a_history([*past, (-0.1, 900), (-5, 1)]), at=NOW)
    now = summarize(a_history(past), at=NOW)
    for name in now.__slots__:
        assert getattr(later, name).tobytes() == getattr(now, name).tobytes(), name


def test_no_pools_at_all_is_an_empty_summary():
    empty = PriceHistory(np.zeros(1, dtype=np.int64), np.array([]), np.array([], dtype=np.int32))
    assert len(summarize(empty, at=NOW).current_micro) == 0


@pytest.mark.parametrize(
    "pools, words",
    [
        ([[(2, 100)], [(1, 100), (1, 200)]], "pool 1: row 2 repeats"),
        ([[(1, 100), (2, 100)]], "pool 0: row 1 is older"),
        ([[(1, 0)]], "0 micro-dollars"),
        ([[(1, -5)]], "-5 micro-dollars"),
        ([[(1, 2_000_000_000)]], "is not a price"),
        ([[(float("nan"), 100)]], "not finite"),
    ],
)
def test_rows_no_honest_source_sends_are_refused(pools, words):
    with pytest.raises(BadHistory, match=words):
        a_history(*pools)


@pytest.mark.parametrize("offsets", [[], [1, 2], [0, 1], [0, 3, 2]])
def test_offsets_that_do_not_cover_the_rows_are_refused(offsets):
    with pytest.raises(BadHistory):
        PriceHistory(np.array(offsets, dtype=np.int64), np.array([1.0, 2.0]), np.array([1, 2], dtype=np.int32))


pool_rows = st.lists(
    st.tuples(st.integers(-3600, 12 * 86_400), st.integers(1, 40_000_000)), max_size=25, unique_by=lambda row: row[0]
).map(lambda rows: [(ago / DAY, micro) for ago, micro in sorted(rows, reverse=True)])


@settings(max_examples=150, deadline=None)
@given(st.lists(pool_rows, min_size=1, max_size=9))
def test_one_pool_and_many_give_the_same_bits(pools):
    together = summarize(a_history(*pools), at=NOW)
    for index, pool in enumerate(pools):
        alone = summarize(a_history(pool), at=NOW)
        for name in together.__slots__:
            assert getattr(together, name)[index].tobytes() == getattr(alone, name)[0].tobytes(), name


def test_sixty_thousand_pools_give_the_bits_of_one():
    random = np.random.default_rng(3)
    pools = [
        sorted(
            ((d, int(p)) for d, p in zip(random.uniform(0, 9, 4), random.integers(1, 10**7, 4), strict=True)),
            reverse=True,
        )
        for _ in range(200)
    ]
    small = a_history(*pools)
    many = PriceHistory(
        np.arange(0, 60_000 * 4 + 1, 4, dtype=np.int64), np.tile(small.at, 300), np.tile(small.usd_micro, 300)
    )
    few, all_of_them = summarize(small, at=NOW), summarize(many, at=NOW)
    for name in few.__slots__:
        assert np.tile(getattr(few, name), 300).tobytes() == getattr(all_of_them, name).tobytes(), name
