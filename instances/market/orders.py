"""What data of the market did somebody ask to be fetched, how much will that be, and how did it end?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts.aws.read import ec2
from accounts.aws.session import installation_session
from instances.domain.market import DataType
from instances.domain.pool import Product
from instances.market import ingest
from instances.market.attempts import is_whole
from instances.models import FetchOrder, FetchOutcome, FetchSource, MarketFetch, OrderState

OPEN = (OrderState.QUEUED.value, OrderState.RUNNING.value)
ABANDONED = timedelta(hours=1)  # no task may last so long: the worker of an older one is gone
SOURCES = {
    DataType.SPOT_PRICES: FetchSource.SPOT,
    DataType.ON_DEMAND: FetchSource.ON_DEMAND,
    DataType.SPOT_ADVISOR: FetchSource.ADVISOR,
}


class NoSuchRange(ValueError):
    """A range of the past that begins after it ends, or reaches beyond what the regular fetch has."""


def place(
    data_type: DataType,
    *,
    regions: Sequence[str] = (),
    instance_types: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    by: str,
    now: datetime,
) -> tuple[FetchOrder, bool]:
    """The order, and whether it is new: one that asks for the same and is still open is joined.

    Without regions: all of the market's. Without `since` and `until`: what is new since the last fetch; with them, a
    range of past Spot prices. Raises NoSuchRange.
    """
    where = [] if data_type is DataType.SPOT_ADVISOR else sorted(regions or settings.MARKET_REGIONS)
    wanted = {
        "data_type": data_type.value,
        "regions": where,
        "instance_types": sorted(instance_types),
        "since": since,
        "until": until,
    }
    if since is not None and until is not None:
        _check_range(where, since, until)
    FetchOrder.objects.filter(state__in=OPEN, created_at__lt=now - ABANDONED).update(
        state=OrderState.FAILED, ended_at=now, detail="cut off: nobody worked on it any more"
    )
    estimate = _estimate(data_type, where, since, until, now)
    try:
        with transaction.atomic():
            new = FetchOrder.objects.create(**wanted, estimated_records=estimate, requested_by=by, created_at=now)
            return new, True
    except IntegrityError:
        return FetchOrder.objects.filter(**wanted).latest("created_at"), False


def carry_out(order: FetchOrder) -> list[MarketFetch]:
    """Do what was ordered, region by region; an order that has ended, or is another worker's, is left alone."""
    if not FetchOrder.objects.filter(pk=order.pk, state=OrderState.QUEUED).update(state=OrderState.RUNNING):
        return []
    fetches: list[MarketFetch] = []
    detail = ""
    try:
        fetches = [_fetch(order, region) for region in order.regions or [""]]
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        raise
    finally:
        bad = [f"{f.region} {f.outcome}: {f.detail}".strip() for f in fetches if not _has_ended_well(f)]
        detail = detail or "; ".join(bad)
        state = OrderState.FAILED if detail else OrderState.DONE
        FetchOrder.objects.filter(pk=order.pk).update(state=state, ended_at=timezone.now(), detail=detail)
    return fetches


def _has_ended_well(fetch: MarketFetch) -> bool:
    return is_whole(fetch) or fetch.outcome == FetchOutcome.RUNNING  # another process is at the same


def _fetch(order: FetchOrder, region: str) -> MarketFetch:
    now = timezone.now()
    if order.data_type == DataType.SPOT_ADVISOR:
        return ingest.fetch_advisor(now)
    if order.data_type == DataType.ON_DEMAND:
        return ingest.fetch_on_demand(region, now)
    if order.since is None or order.until is None:
        return ingest.fetch_spot(region, now)
    read = partial(_read_changes, order.instance_types or None)
    return ingest.backfill(region, order.since, order.until, now=now, read=read)


def _read_changes(instance_types: list[str] | None, region: str, since: datetime, through: datetime) -> ingest.Changes:
    products = [product.value for product in Product]
    return ec2.spot_price_pages(
        installation_session(region), since, through, instance_types=instance_types, products=products
    )


def _check_range(regions: Sequence[str], since: datetime, until: datetime) -> None:
    if since >= until:
        raise NoSuchRange("The range ends before it begins.")
    for region in regions:
        reached = ingest.reached(region)
        if reached is None or until > reached:
            told = f"reaches {reached:%Y-%m-%dT%H:%M}Z" if reached else "has not begun"
            raise NoSuchRange(f"The regular fetch of {region} {told}; a range lies before that.")


def _estimate(
    data_type: DataType, regions: Sequence[str], since: datetime | None, until: datetime | None, now: datetime
) -> int | None:
    """By what the last whole fetches brought; None while one of the regions was never fetched. Of all types."""
    whole = MarketFetch.objects.whole().filter(source=SOURCES[data_type], rows__gt=0)
    total = 0.0
    for region in regions or [""]:
        last = whole.filter(region=region).exclude(since__gte=F("through")).order_by("-started_at", "-id").first()
        if last is None or last.through is None:
            return None
        if last.since is None:
            total += last.rows
            continue
        span = until - since if since and until else now - last.through
        total += last.rows * max(span / (last.through - last.since), 0.0)
    return round(total)
