"""Is a price drawn as it held, on an axis that people can read?"""

import math
import re

import numpy as np
import pytest

from instances.domain.steps import DAY, NARROW, WIDE, Series, drawn, money_ticks, nice_step, path, time_ticks

BEGIN = 1_794_960_000.0  # 2026-11-18 00:00 UTC
END = BEGIN + 10 * DAY


def a_series(*changes, name="use1-az1", through=END):
    """Changes as (days after BEGIN, micro-dollars)."""
    at, usd = zip(*changes, strict=True) if changes else ((), ())
    return Series(name, BEGIN + DAY * np.array(at, dtype=np.float64), np.array(usd, dtype=np.float64), through)


def strokes(text):
    return re.findall(r"([MHV])([-\d. ]+)", text)


def test_a_price_is_level_until_the_next_and_then_jumps():
    text = path(a_series((0, 40_000), (5, 80_000)), BEGIN, END, 100_000, WIDE)
    kinds = [kind for kind, _ in strokes(text)]
    assert kinds == ["M", "H", "V", "H"]
    begin, turn, level, end = (numbers.split() for _, numbers in strokes(text))
    assert float(begin[0]) == WIDE.left
    assert float(turn[0]) == pytest.approx(WIDE.left + WIDE.inner_width / 2, abs=1)
    assert float(begin[1]) > float(level[0])
    assert float(end[0]) == WIDE.end


def test_the_price_that_held_before_is_drawn_from_the_edge():
    text = path(a_series((-3, 20_000), (-2, 40_000), (5, 80_000)), BEGIN, END, 80_000, WIDE)
    assert strokes(text)[0][1].split() == [str(WIDE.left), f"{WIDE.base - WIDE.inner_height / 2:g}"]


def test_a_line_ends_where_knowledge_ends():
    text = path(a_series((0, 40_000), through=BEGIN + 5 * DAY), BEGIN, END, 80_000, WIDE)
    assert float(strokes(text)[-1][1]) == pytest.approx(WIDE.left + WIDE.inner_width / 2, abs=1)


def test_of_nothing_no_line_is_drawn():
    assert path(a_series(), BEGIN, END, 1.0, WIDE) == ""
    assert path(a_series((-9, 40_000), through=BEGIN - DAY), BEGIN, END, 80_000, WIDE) == ""
    assert path(a_series((20, 40_000)), BEGIN, END, 80_000, WIDE) == ""


def test_many_changes_make_no_longer_a_drawing_than_the_plane_is_wide_and_keep_the_extremes():
    rng = np.random.default_rng(1)
    usd = rng.integers(40_000, 60_000, 100_000)
    usd[50_000] = 99_000
    at = np.sort(rng.uniform(0, 10, 100_000))
    line = a_series(*zip(at.tolist(), usd.tolist(), strict=True))
    text = path(line, BEGIN, END, 100_000, WIDE)
    assert len(text) < WIDE.inner_width * 30
    highest = round(WIDE.base - 0.99 * WIDE.inner_height, 1)
    assert f"V{highest:g}V" in text


@pytest.mark.parametrize(
    ("highest", "most", "step"), [(0.096, 6, 0.02), (1.0, 5, 0.2), (12.0, 6, 2.0), (0.0034, 6, 0.001), (10.0, 4, 2.5)]
)
def test_steps_are_numbers_that_people_use(highest, most, step):
    assert nice_step(highest, most) == pytest.approx(step)


def test_money_is_written_with_the_places_its_steps_need():
    assert [tick.text for tick in money_ticks(0.02, 60_000, WIDE)] == ["$0.00", "$0.02", "$0.04", "$0.06"]
    assert [tick.text for tick in money_ticks(0.025, 50_000, WIDE)] == ["$0.000", "$0.025", "$0.050"]
    assert [tick.text for tick in money_ticks(2.0, 4_000_000, WIDE)] == ["$0.00", "$2.00", "$4.00"]


@pytest.mark.parametrize("plane", [WIDE, NARROW])
@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_times_are_few_enough_to_read_and_stand_at_midnights_or_hours(plane, days):
    ticks = time_ticks(END + 4321 - days * DAY, END + 4321, plane)
    assert 2 <= len(ticks) <= plane.x_ticks + 1
    assert all(plane.left <= tick.place <= plane.end for tick in ticks)
    assert all((":" in tick.text) == (days == 1) for tick in ticks)


def test_each_strip_tells_every_price_and_the_unknown_as_unknown():
    chart = drawn(
        [a_series((0, 40_000)), a_series((5, 50_000), name="use1-az2")],
        a_series((-50, 96_000), name="On-Demand"),
        begin=BEGIN,
        end=END,
        plane=WIDE,
    )
    first, last = chart.slices[0].text, chart.slices[-1].text
    assert first.splitlines()[1:] == ["use1-az1: $0.0400/h", "use1-az2: unknown", "On-Demand: $0.0960/h"]
    assert "use1-az2: $0.0500/h" in last
    assert sum(strip.width for strip in chart.slices) == pytest.approx(WIDE.inner_width, abs=5)
    assert chart.y_ticks[0].text == "$0.00"
    assert [line.number for line in chart.lines] == [1, 2]


def test_a_line_without_a_price_keeps_its_place_among_the_colours():
    chart = drawn([a_series(), a_series((0, 40_000), name="b")], None, begin=BEGIN, end=END, plane=WIDE)
    assert [(line.name, line.number) for line in chart.lines] == [("b", 2)]
    assert chart.limit == ""


def test_no_time_is_no_chart():
    with pytest.raises(ValueError, match="no time passes"):
        drawn([], None, begin=END, end=END, plane=WIDE)


def test_a_mean_is_weighted_by_time_and_knows_when_it_knows_nothing():
    line = a_series((0, 40_000), (7.5, 80_000))
    assert line.mean(BEGIN, END) == pytest.approx(50_000)
    assert math.isnan(a_series().mean(BEGIN, END))
    assert math.isnan(a_series((0, 1)).price_at(BEGIN - 1))
    assert math.isnan(a_series((0, 1)).price_at(END + 1))
