"""Do daily rows say what the day was, and does nothing go before they are there?"""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from instances import tasks
from instances.market import retention
from instances.models import SpotPrice, SpotPriceDaily
from tests.factories import NOW, a_pool, prices_for

pytestmark = pytest.mark.django_db
TODAY = NOW.date()
NOON = 0.5  # days before NOW's noon at which a day begins


def the_day(pool, ago: int) -> SpotPriceDaily:
    return SpotPriceDaily.objects.get(pool_id=pool.pk, day=TODAY - timedelta(days=ago))


def test_a_day_is_told_by_the_prices_that_held_in_it_weighted_by_time():
    pool = a_pool()
    # 0.04 holds as the day before yesterday begins; 0.08 for its last quarter
    prices_for(pool, [(2 + NOON + 0.1, "0.04"), (1 + NOON + 0.25, "0.08"), (1.0, "0.06")])
    retention.keep(NOW)
    day = the_day(pool, 2)
    assert (day.open_micro, day.min_micro, day.max_micro, day.close_micro) == (40_000, 40_000, 80_000, 80_000)
    assert day.mean_micro == 50_000
    after = the_day(pool, 1)
    assert (after.open_micro, after.close_micro, after.mean_micro) == (80_000, 60_000, 70_000)


def test_the_day_that_goes_on_has_no_row_yet():
    pool = a_pool()
    prices_for(pool, [(0.2, "0.04")])
    retention.keep(NOW)
    assert not SpotPriceDaily.objects.exists()


def test_of_a_day_only_the_known_part_counts_and_a_long_silence_is_unknown():
    pool = a_pool()
    prices_for(pool, [(8 + NOON - 0.5, "0.04")])  # noon; repeated by nobody since
    retention.keep(NOW)
    assert the_day(pool, 8).mean_micro == 40_000
    days = set(SpotPriceDaily.objects.values_list("day", flat=True))
    assert days == {TODAY - timedelta(days=8), TODAY - timedelta(days=7)}


def test_a_change_that_came_late_is_in_its_day_the_next_night():
    pool = a_pool()
    prices_for(pool, [(1 + NOON, "0.04")])
    retention.keep(NOW)
    prices_for(pool, [(1.0, "0.08")])
    retention.keep(NOW)
    assert the_day(pool, 1).close_micro == 80_000


def test_keeping_twice_changes_nothing():
    pool = a_pool()
    prices_for(pool, [(20, "0.04"), (19.5, "0.05"), (2, "0.03")])
    retention.keep(NOW)
    before = list(SpotPriceDaily.objects.order_by("day").values())
    assert retention.keep(NOW).dropped == ()
    assert list(SpotPriceDaily.objects.order_by("day").values()) == before


def test_an_old_month_is_dropped_once_its_days_are_kept(settings):
    settings.PRICE_RETENTION_DAYS = 180
    pool = a_pool()
    prices_for(pool, [(300, "0.04"), (299.7, "0.06"), (1, "0.05")])
    kept = retention.keep(NOW)
    assert kept.dropped == ("instances_spotprice_2026_01",)
    assert SpotPrice.objects.count() == 1
    assert SpotPriceDaily.objects.filter(day__lt=date(2026, 2, 1)).count() == 2
    assert "instances_spotprice_2026_01" not in {month.name for month in retention.partitions()}
    assert retention.keep(NOW).dropped == ()
    assert SpotPriceDaily.objects.filter(day__lt=date(2026, 2, 1)).count() == 2


def test_days_written_before_their_neighbours_went_stay_as_they_are(settings):
    settings.PRICE_RETENTION_DAYS = 180
    pool = a_pool()
    begin = (NOW - datetime(2026, 2, 1, tzinfo=UTC)) / timedelta(days=1)
    prices_for(pool, [(begin + 0.5, "0.04"), (begin - 0.5, "0.08"), (begin - 30, "0.09")])
    retention.keep(NOW)
    first = SpotPriceDaily.objects.get(day=date(2026, 2, 1))
    assert (first.open_micro, first.mean_micro) == (40_000, 60_000)
    retention.keep(NOW)
    assert SpotPriceDaily.objects.get(day=date(2026, 2, 1)).open_micro == 40_000


def dropping(month: date) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT instances_drop_price_partition(%s)", [month])


def test_the_database_refuses_to_drop_days_that_are_not_kept():
    pool = a_pool()
    prices_for(pool, [(300, "0.04")])
    with pytest.raises(DatabaseError, match="has no daily row"):
        dropping(date(2026, 1, 1))
    assert SpotPrice.objects.count() == 1


def test_the_database_refuses_to_drop_what_aws_still_tells():
    now = datetime.now(UTC)
    pool = a_pool()
    prices_for(pool, [(40, "0.04")], now=now)
    retention.write_days((now - timedelta(days=60)).date(), now.date(), replace=True)
    with pytest.raises(DatabaseError, match="too young"):
        dropping((now - timedelta(days=40)).date())


def test_the_app_cannot_drop_a_partition_by_itself():
    prices_for(a_pool(), [(300, "0.04")])
    with pytest.raises(DatabaseError, match="must be owner"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE instances_spotprice_2026_01")


def test_months_are_listed_with_their_sizes():
    prices_for(a_pool(), [(40, "0.04"), (1, "0.05")])
    october, november = [m for m in retention.partitions() if m.month >= date(2026, 10, 1)]
    assert (october.month, october.end, november.end) == (date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1))
    assert october.bytes > 0


def test_the_job_of_every_night_keeps_prices():
    pool = a_pool()
    prices_for(pool, [(1.6, "0.04")], now=datetime.now(UTC))
    tasks.keep_prices.apply()
    assert SpotPriceDaily.objects.exists()
