"""Are days drawn where they belong, and only those that are known?"""

from datetime import date, timedelta

import pytest

from pipelines.domain.bars import NARROW, WIDE, drawn

TODAY = date(2026, 11, 25)


def of(values, plane=WIDE):
    return drawn(values, last=TODAY, days=30, plane=plane)


def test_a_day_without_a_figure_has_no_bar_and_what_is_out_of_range_none_either():
    found = of({TODAY: 5.0, TODAY - timedelta(days=29): 10.0, TODAY - timedelta(days=30): 99.0})
    assert [bar.text for bar in found.bars] == ["2026-10-27: $10.00 a month", "2026-11-25: $5.00 a month"]


@pytest.mark.parametrize("plane", [WIDE, NARROW])
def test_bars_stand_on_the_axis_and_inside_the_plane(plane):
    found = of({TODAY - timedelta(days=n): 10.0 * n + 1 for n in range(30)}, plane)
    assert len(found.bars) == 30
    for bar in found.bars:
        assert bar.y + bar.height == pytest.approx(plane.base, abs=0.11)
        assert plane.left <= bar.x
        assert bar.x + bar.width <= plane.end + 0.1
        assert bar.y >= plane.top - 0.1
    assert len(found.x_ticks) <= plane.x_ticks
    assert found.x_ticks[-1].text == "25 Nov"


def test_twice_the_figure_is_twice_the_height():
    low, high = of({TODAY - timedelta(days=1): 30.0, TODAY: 60.0}).bars
    assert high.height == pytest.approx(2 * low.height, abs=0.2)


@pytest.mark.parametrize("values", [{}, {TODAY: 0.0}, {TODAY: 0.004}, {TODAY: 3e7}])
def test_an_axis_begins_at_nothing_whatever_there_is(values):
    ticks = of(values).y_ticks
    assert ticks[0].text in ("$0", "$0.00", "$0k")
    assert 2 <= len(ticks) <= WIDE.y_ticks + 1


def test_less_than_nothing_is_refused():
    with pytest.raises(ValueError, match="less than nothing"):
        of({TODAY: -1.0})
