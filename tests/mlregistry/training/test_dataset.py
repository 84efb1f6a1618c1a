"""Do traces become rows whose labels and features say what was known then, and no more?"""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from instances.domain.prices import DAY
from mlregistry.domain.features import COLUMN
from mlregistry.training.dataset import looks, without_history
from mlregistry.training.market import Hardware, Market, PriceBook, price_book
from mlregistry.training.traces import Trace

HOUR = timedelta(hours=1)
START = 1_676_419_200.0  # 2023-02-15


def a_trace(
    pattern: str, *, minutes: int = 10, name: str = "t", zone: str = "us-east-1a", usd: float = np.nan
) -> Trace:
    """`pattern` of 1 (up) and 0 (down), one look every `minutes`."""
    at = START + np.arange(len(pattern), dtype=np.float64) * 60 * minutes
    is_up = np.array([sign == "1" for sign in pattern])
    return Trace(name, "campaign", zone, "p3.2xlarge", at, is_up, np.full(len(pattern), usd))


def a_market(*books: PriceBook) -> Market:
    key = ("us-east-1", "p3.2xlarge")
    return Market(books, {"p3.2xlarge": Hardware(8, 61, 0, 1)}, {key: 3_060_000.0}, {key: 4.0})


def column(found, name: str) -> list[float]:
    return found.raw[:, COLUMN[name]].tolist()


def test_only_looks_at_pools_that_are_up_become_rows():
    assert len(looks([a_trace("0011100110")], a_market())) == 5


def test_a_row_is_interrupted_when_capacity_goes_missing_within_the_horizon():
    found = looks([a_trace("1" * 10 + "0" + "1" * 10)], a_market()).watched(HOUR)
    # rows 4 to 9 see the drop at 10 within six looks; after it nothing drops any more
    assert found.label(HOUR).tolist() == [False] * 4 + [True] * 6 + [False] * 4


def test_a_row_whose_horizon_was_not_watched_to_its_end_is_left_out():
    every = looks([a_trace("1" * 20)], a_market())
    assert len(every) == 19
    assert len(every.watched(HOUR)) == 14
    assert len(every.watched(timedelta(hours=4))) == 0


def test_history_counts_only_what_came_before():
    found = looks([a_trace("11011101")], a_market())
    assert column(found, "no_interruption_known") == [1, 1, 0, 0, 0]
    hours_up = np.array([2, 3, 4]) / 6  # watched, and there
    assert column(found, "interruptions_per_hour") == pytest.approx([0, 0, *(1 / (hours_up + 6))])
    assert column(found, "interruption_recency") == pytest.approx([0, 0, *(1 / (1 + k / 6) for k in (1, 2, 3))])
    assert found.up_hours.tolist() == pytest.approx([0, 1 / 6, 0, 1 / 6, 2 / 6])


def test_interruptions_older_than_a_week_are_not_counted():
    found = looks([a_trace("10" + "1" * 200, minutes=60)], a_market())
    counts = column(found, "interruptions_per_hour")
    at = (found.at - START) / DAY
    assert all((count > 0) == (1 / 24 <= day < 7 + 1 / 24) for count, day in zip(counts, at, strict=True))


def test_trouble_next_door_is_counted_for_an_hour_and_per_pool_that_was_watched():
    quiet = a_trace("1" * 14, name="a")
    hit = a_trace("11011111111111", name="b", zone="us-east-1b")
    calm = a_trace("1" * 14, name="c", zone="us-east-1c")
    far = a_trace("10" * 7, name="w", zone="us-west-2a")
    found = looks([quiet, hit, calm, far], a_market())
    next_door = found.raw[found.where(lambda trace: trace.name == "a"), COLUMN["neighbours_hit"]]
    assert next_door.tolist() == [0, 0] + [0.5] * 6 + [0] * 5
    assert set(found.raw[found.where(lambda trace: trace.name == "w"), COLUMN["neighbours_hit"]]) == {0}


def test_a_neighbour_that_was_not_watched_then_does_not_count():
    late = a_trace("1" * 6, name="late", zone="us-east-1b")
    late = replace(late, at=late.at + 100 * DAY)
    hit = a_trace("110111", name="hit", zone="us-east-1c")
    found = looks([a_trace("1" * 6, name="a"), hit, late], a_market())
    assert max(found.raw[found.where(lambda trace: trace.name == "a"), COLUMN["neighbours_hit"]]) == 1


def test_no_row_knows_the_hour_or_the_weekday():
    found = looks([a_trace("111")], a_market())
    assert np.isnan([column(found, name) for name in ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")]).all()


def test_prices_are_unknown_where_no_source_has_them_and_joined_where_one_does():
    pools = {("us-east-1a", "p3.2xlarge"): {START - 8 * DAY: 1.0, START + 600: 1.53}}
    book = price_book("prices.csv", pools, {("us-east-1a", "p3.2xlarge"): START + 1200})
    found = looks([a_trace("11111")], a_market(book))
    assert column(found, "price_position")[:3] == pytest.approx([1 / 3.06, 0.5, 0.5])
    assert np.isnan(column(found, "price_position")[3])  # silent for too long
    assert column(found, "volatility_7d")[0] == 0
    assert np.isnan(looks([a_trace("111")], a_market()).raw[:, COLUMN["price_position"]]).all()


def test_without_history_a_row_says_that_none_is_known():
    found = looks([a_trace("1011")], a_market())
    blank = without_history(found.raw)
    assert blank[:, COLUMN["no_interruption_known"]].tolist() == [1, 1, 1][: len(blank)]
    assert blank[:, COLUMN["interruptions_per_hour"]].tolist() == [0] * len(blank)
    assert blank[:, COLUMN["neighbours_hit"]].tolist() == [0] * len(blank)
    assert found.raw[-1, COLUMN["no_interruption_known"]] == 0


def test_traces_of_several_regions_are_ordered_by_region():
    found = looks([a_trace("111", name="w", zone="us-west-2a"), a_trace("111", name="e")], a_market())
    assert found.regions == ("us-east-1", "us-west-2")
    assert found.region.tolist() == sorted(found.region.tolist())


def test_pools_that_were_never_up_teach_nothing():
    with pytest.raises(ValueError, match="no trace ever saw"):
        looks([a_trace("000")], a_market())
