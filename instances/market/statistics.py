"""How much of the market is stored, of which types and regions, and through when?"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django.db import connection
from django.db.models import Max, Min

from instances.domain.market import DataType
from instances.market import retention
from instances.market.orders import SOURCES
from instances.models import FetchSource, MarketFetch, OnDemandPrice, Pool, SpotAdvisorRating, SpotPrice, SpotPriceDaily

COUNTED = 1_000_000  # rows up to which counting is quick; above, the planner's estimate is told as one


def gathered() -> dict[str, Any]:
    """All of it; None for what was never fetched."""
    months = retention.partitions()
    estimate = sum(month.rows for month in months)
    is_estimate = estimate > COUNTED
    whole = MarketFetch.objects.whole()
    updated = {
        data_type.value: whole.filter(source=SOURCES[data_type]).aggregate(at=Max("through"))["at"]
        for data_type in DataType
    }
    pools = Pool.objects.order_by()
    return {
        "spot_prices_count": estimate if is_estimate else SpotPrice.objects.count(),
        "is_estimate": is_estimate,
        "spot_days_count": _days(),
        "on_demand_prices_count": OnDemandPrice.objects.count(),
        "spot_advisor_count": SpotAdvisorRating.objects.filter(superseded_at=None).count(),
        "last_updated": max((at for at in updated.values() if at), default=None),
        "updated": updated,
        "coverage": {
            "instance_types": sorted(pools.values_list("instance_type", flat=True).distinct()),
            "regions": sorted(pools.values_list("region", flat=True).distinct()),
            "date_range": _range(months),
        },
    }


def _days() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = 'instances_spotpricedaily'::regclass")
        estimate = int(cursor.fetchone()[0])
    return estimate if estimate > COUNTED else SpotPriceDaily.objects.count()


def _range(months: list[retention.Partition]) -> dict[str, datetime | None]:
    """From when to when changes were fetched, less what is dropped by now."""
    whole = MarketFetch.objects.whole().filter(source=FetchSource.SPOT)
    told = whole.aggregate(begin=Min("since"), end=Max("through"))
    begin = told["begin"]
    if begin and months:
        begin = max(begin, datetime.combine(months[0].month, time(), tzinfo=UTC))
    return {"from": begin, "to": told["end"]}
