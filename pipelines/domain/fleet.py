"""What runs, what does it cost, and what has no known price?

All money is in whole micro-dollars an hour. A machine without a known price is counted and named, and in no sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from instances.domain.money import a_month, usd

RUNNING = frozenset({"pending", "running"})  # what EC2 bills by the second


@dataclass(frozen=True, slots=True)
class Group:
    """Machines that are alike in all that a price depends on."""

    account: str
    region: str
    instance_type: str
    is_spot: bool
    is_running: bool
    count: int
    seen_at: datetime  # the oldest of them
    on_demand_usd_micro: int | None
    spot_usd_micro: int | None

    @property
    def usd_micro(self) -> int | None:
        """Of one of them."""
        return self.spot_usd_micro if self.is_spot else self.on_demand_usd_micro


@dataclass(frozen=True, slots=True)
class Sum:
    """Running machines together. `saved` is what Spot ones cost less than On-Demand, where both prices are known."""

    name: str
    instances: int
    spot: int
    unpriced: int
    usd_micro: int
    saved_usd_micro: int

    @property
    def on_demand(self) -> int:
        return self.instances - self.spot

    @property
    def priced(self) -> int:
        return self.instances - self.unpriced

    @property
    def usd_per_month(self) -> Decimal | None:
        """None where not one price is known: that is not nothing."""
        return a_month(usd(self.usd_micro)) if self.priced else None

    @property
    def usd_per_hour(self) -> Decimal | None:
        return usd(self.usd_micro) if self.priced else None

    @property
    def saved_usd_per_month(self) -> Decimal:
        return a_month(usd(self.saved_usd_micro))


def summed(groups: Iterable[Group], name: str = "all") -> Sum:
    """Of those that run; the others cost no compute."""
    running = [group for group in groups if group.is_running]
    return Sum(
        name=name,
        instances=sum(group.count for group in running),
        spot=sum(group.count for group in running if group.is_spot),
        unpriced=sum(group.count for group in running if group.usd_micro is None),
        usd_micro=sum(group.count * group.usd_micro for group in running if group.usd_micro is not None),
        saved_usd_micro=sum(
            group.count * (group.on_demand_usd_micro - group.spot_usd_micro)
            for group in running
            if group.is_spot and group.on_demand_usd_micro is not None and group.spot_usd_micro is not None
        ),
    )


def by(groups: Iterable[Group], name_of: Callable[[Group], str]) -> tuple[Sum, ...]:
    """A sum for each name, the largest fleet first."""
    named: dict[str, list[Group]] = {}
    for group in groups:
        named.setdefault(name_of(group), []).append(group)
    sums = (summed(each, name) for name, each in named.items())
    return tuple(sorted(sums, key=lambda one: (-one.instances, one.name)))


def unpriced_types(groups: Iterable[Group]) -> tuple[str, ...]:
    """What has no known price, as `m5.large in us-east-1, Spot`, each once."""
    lacking = {
        f"{group.instance_type} in {group.region}, {'Spot' if group.is_spot else 'On-Demand'}"
        for group in groups
        if group.is_running and group.usd_micro is None
    }
    return tuple(sorted(lacking))
