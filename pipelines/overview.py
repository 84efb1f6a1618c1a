"""What runs, what does it cost, what could be saved: the numbers of the landing page.

Each part is a handful of questions whatever the number of instances, and says how old what it rests on is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Count, ExpressionWrapper, Max, Min, Q, QuerySet, Sum

from instances.domain.pool import Product
from instances.market import quotes
from instances.models import FetchSource, Instance, OnDemandPrice
from pipelines.domain import fleet
from pipelines.domain.decision import Choice
from pipelines.domain.fleet import Group
from pipelines.facts import OPERATING_SYSTEM
from pipelines.models import ExperimentLog, SavingsDaily

HISTORY = timedelta(days=30)
# an inventory is read every 15 minutes, a decision made every hour: what is older than two turns is old
OLDEST_INVENTORY, OLDEST_DECISION = timedelta(minutes=30), timedelta(hours=2)
OLDEST_SPOT, OLDEST_LIST = timedelta(hours=2), timedelta(hours=50)
MOST_ROWS = 12  # of a table on the page; the rest is a line
ALIKE = (
    *(
        "account__name",
        "account__environment",
        "account__account_id",
        "region",
        "instance_type",
        "zone_id",
        "product",
        "is_spot",
    ),
    "is_running",
)


@dataclass(frozen=True, slots=True)
class Known:
    """How old the oldest thing is that a figure rests on; `at` None: of some of it nothing is known."""

    at: datetime | None
    is_old: bool


@dataclass(frozen=True, slots=True)
class Fleet:
    total: fleet.Sum
    idle: int  # there, and not running
    accounts: tuple[fleet.Sum, ...]
    regions: tuple[fleet.Sum, ...]
    types: tuple[fleet.Sum, ...]
    unpriced: tuple[str, ...]
    inventory: Known
    spot_prices: Known
    list_prices: Known

    @property
    def present(self) -> int:
        return self.total.instances + self.idle


@dataclass(frozen=True, slots=True)
class Savings:
    """Of the latest decision on each instance that is there."""

    decided: int
    switches: int
    stays: int
    usd_per_month: Decimal | None  # None: nothing was decided
    unknown: int  # switches whose savings are not known: they are in no sum
    is_shadow: bool  # not one of them would act
    oldest: Known
    newest_at: datetime | None


def fleet_of(instances: QuerySet[Instance], *, now: datetime) -> Fleet:
    """Those that are there, with what they cost at the prices of `now`; four queries."""
    is_running = ExpressionWrapper(Q(state__in=fleet.RUNNING), BooleanField())
    alike = instances.filter(vanished_at=None).order_by().annotate(is_running=is_running).values(*ALIKE)
    rows = list(alike.annotate(count=Count("pk"), seen_at=Min("seen_at")))
    prices = _Prices(rows, now)
    groups = [
        Group(
            account=f"{row['account__name']} ({row['account__environment']}, {row['account__account_id']})",
            on_demand_usd_micro=prices.on_demand(row),
            spot_usd_micro=prices.spot(row),
            **{name: row[name] for name in ("region", "instance_type", "is_spot", "is_running", "count", "seen_at")},
        )
        for row in rows
    ]
    running = [group for group in groups if group.is_running]
    on_spot = {group.region for group in running if group.is_spot}
    return Fleet(
        total=fleet.summed(groups),
        idle=sum(group.count for group in groups if not group.is_running),
        accounts=fleet.by(groups, lambda group: group.account),
        regions=fleet.by(groups, lambda group: group.region),
        types=fleet.by(groups, lambda group: group.instance_type),
        unpriced=fleet.unpriced_types(groups),
        inventory=_known([group.seen_at for group in groups], now, OLDEST_INVENTORY),
        spot_prices=prices.known(FetchSource.SPOT, on_spot, OLDEST_SPOT),
        list_prices=prices.known(FetchSource.ON_DEMAND, {group.region for group in running}, OLDEST_LIST),
    )


def savings_of(experiments: QuerySet[ExperimentLog], *, now: datetime) -> Savings:
    """What the latest decisions would save; one query."""
    switch = Q(decision=Choice.SWITCH.value)
    found = experiments.filter(is_latest=True, instance__vanished_at=None).aggregate(
        decided=Count("pk"),
        switches=Count("pk", filter=switch),
        usd=Sum("expected_savings_usd_per_month", filter=switch),
        unknown=Count("pk", filter=switch & Q(expected_savings_usd_per_month=None)),
        acting=Count("pk", filter=Q(is_shadow=False)),
        oldest=Min("decided_at"),
        newest=Max("decided_at"),
    )
    return Savings(
        decided=found["decided"],
        switches=found["switches"],
        stays=found["decided"] - found["switches"],
        usd_per_month=(found["usd"] or Decimal(0)) if found["decided"] else None,
        unknown=found["unknown"],
        is_shadow=not found["acting"],
        oldest=_known([found["oldest"]] if found["oldest"] else [], now, OLDEST_DECISION),
        newest_at=found["newest"],
    )


def history_of(days: QuerySet[SavingsDaily], *, now: datetime) -> list[SavingsDaily]:
    """The days that are kept of the last month, oldest first."""
    return list(days.filter(day__gt=(now - HISTORY).date()).order_by("day"))


class _Prices:
    """What the machines of these rows cost now, each source asked once."""

    def __init__(self, rows: Sequence[dict[str, Any]], now: datetime) -> None:
        self._now = now
        self._regions = {row["region"] for row in rows}
        types = {row["instance_type"] for row in rows}
        listed = OnDemandPrice.objects.filter(
            region__in=self._regions, instance_type__in=types, effective_at__lte=now
        ).order_by("region", "instance_type", "operating_system", "-effective_at")
        latest = listed.distinct("region", "instance_type", "operating_system")
        self._listed = {
            (region, name, system): micro
            for region, name, system, micro in latest.values_list(
                "region", "instance_type", "operating_system", "usd_micro"
            )
        }
        on_spot = [row for row in rows if row["is_spot"]]
        places = ({row["instance_type"] for row in on_spot}, {row["zone_id"] for row in on_spot})
        self._spot = quotes.spot_now(*places, at=now) if on_spot else {}
        self._through = quotes.through([FetchSource.SPOT, FetchSource.ON_DEMAND], self._regions)

    def on_demand(self, row: dict[str, Any]) -> int | None:
        system = OPERATING_SYSTEM[Product(row["product"])] if row["product"] else None  # a platform we do not price
        return self._listed.get((row["region"], row["instance_type"], system)) if system else None

    def spot(self, row: dict[str, Any]) -> int | None:
        return self._spot.get((row["instance_type"], row["zone_id"], row["product"]))

    def known(self, source: FetchSource, regions: Collection[str], oldest: timedelta) -> Known:
        """Since when the prices of those regions are known; unknown when one of them was never fetched whole."""
        ages = [self._through.get((source.value, region)) for region in regions]
        return _known(ages, self._now, oldest)


def _known(instants: Sequence[datetime | None], now: datetime, oldest: timedelta) -> Known:
    known = [at for at in instants if at is not None]
    at = min(known) if known and len(known) == len(instants) else None
    return Known(at, is_old=bool(instants) and (at is None or now - at > oldest))
