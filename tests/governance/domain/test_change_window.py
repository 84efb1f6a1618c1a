"""Is a change window open when its people say so, across midnight and across clock changes?"""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from governance.domain.change_window import WEEKDAYS, ChangeWindow

FRIDAY_NIGHT = ChangeWindow(time(22), time(6), ("fri",), "Europe/Paris")


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_opens():
    assert FRIDAY_NIGHT.is_open(datetime(2026, 11, 20, 21, 0, tzinfo=UTC))  # Friday 22:00 in Paris
    assert FRIDAY_NIGHT.is_open(datetime(2026, 11, 21, 4, 59, tzinfo=UTC))
    assert not FRIDAY_NIGHT.is_open(datetime(2026, 11, 21, 5, 0, tzinfo=UTC))
    assert not FRIDAY_NIGHT.is_open(datetime(2026, 11, 20, 4, 0, tzinfo=UTC))  # Friday morning


def test_the_window_moves_with_its_peoples_clocks():
    daily = ChangeWindow(time(22), time(23), WEEKDAYS, "Europe/Paris")
    assert daily.is_open(datetime(2026, 7, 1, 20, 30, tzinfo=UTC))
    assert not daily.is_open(datetime(2026, 12, 1, 20, 30, tzinfo=UTC))


moments = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
windows = st.builds(
    ChangeWindow,
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(lambda days: tuple(day for day in WEEKDAYS if day in days)),
    st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"]),
)


@given(windows, moments)
def test_it_is_open_at_its_next_opening_and_closed_until_then(window, at):
    opens = window.next_open(at)
    assert at <= opens <= at + timedelta(days=9)
    assert window.is_open(opens)
    if opens > at:
        assert not window.is_open(opens - timedelta(microseconds=1))
