"""Is what was ordered fetched, once, and does the order say how that ended?"""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.aws.session import forget_all
from instances import tasks
from instances.domain.market import DataType
from instances.market import orders
from instances.models import FetchOrder, FetchSource, MarketFetch, OrderState
from tests.factories import NOW, a_fetch

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_cloud(monkeypatch, settings):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.MARKET_REGIONS = ["us-east-1", "eu-west-3"]
    forget_all()
    yield
    forget_all()


def test_an_order_that_fails_says_why_region_by_region(no_cloud):
    order, is_new = orders.place(DataType.ON_DEMAND, by="a test", now=NOW)
    assert is_new
    tasks.carry_out_order.apply(args=[str(order.pk)])
    order.refresh_from_db()
    assert order.state == OrderState.FAILED
    assert "us-east-1 failed" in order.detail
    assert "eu-west-3 failed" in order.detail
    assert order.ended_at is not None


def test_an_order_delivered_twice_is_carried_out_once(no_cloud):
    order, _ = orders.place(DataType.ON_DEMAND, regions=["us-east-1"], by="a test", now=NOW)
    tasks.carry_out_order.apply(args=[str(order.pk)])
    tasks.carry_out_order.apply(args=[str(order.pk)])
    assert MarketFetch.objects.count() == 1


def test_the_same_in_another_order_of_words_is_the_same_order():
    first, _ = orders.place(DataType.SPOT_PRICES, regions=["us-east-1", "eu-west-3"], by="one", now=NOW)
    joined, is_new = orders.place(DataType.SPOT_PRICES, regions=["eu-west-3", "us-east-1"], by="two", now=NOW)
    assert (joined.pk, is_new) == (first.pk, False)
    _, is_new = orders.place(DataType.SPOT_PRICES, regions=["eu-west-3"], by="two", now=NOW)
    assert is_new


def test_an_order_that_nobody_works_on_any_more_is_not_joined():
    left, _ = orders.place(DataType.ON_DEMAND, by="one", now=NOW)
    _, is_new = orders.place(DataType.ON_DEMAND, by="two", now=NOW + timedelta(hours=2))
    assert is_new
    left.refresh_from_db()
    assert (left.state, left.detail[:7]) == (OrderState.FAILED, "cut off")


def test_a_range_must_lie_before_what_the_regular_fetch_has():
    now = timezone.now()
    with pytest.raises(orders.NoSuchRange, match="has not begun"):
        orders.place(DataType.SPOT_PRICES, since=NOW - timedelta(days=2), until=NOW, by="a test", now=now)
    for region in ("us-east-1", "eu-west-3"):
        a_fetch(FetchSource.SPOT, region, through=NOW)
    with pytest.raises(orders.NoSuchRange, match="ends before"):
        orders.place(DataType.SPOT_PRICES, since=NOW, until=NOW - timedelta(days=2), by="a test", now=now)
    order, _ = orders.place(DataType.SPOT_PRICES, since=NOW - timedelta(days=2), until=NOW, by="a test", now=now)
    assert FetchOrder.objects.get() == order
