"""What does a move save in a month, net of what switching costs?

All in whole micro-dollars, so that the price at which an answer turns can be solved exactly. The cost of switching is
bounded by `overlap_hours` of the target's own On-Demand price, while both machines run, and is charged to the first
month: a candidate dearer than that never passes. Storage of an image has no price yet; it is named, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import ceil, floor

from governance.domain.policy import Policy
from instances.domain.money import CENT, HOURS_A_MONTH, MICRO

NOT_COUNTED = ("image storage: its price is unknown",)


@dataclass(frozen=True, slots=True)
class Savings:
    """Micro-dollars; `net` may be negative."""

    on_demand_usd_micro: int  # an hour, now
    spot_usd_micro: int  # an hour, then
    gross_usd_micro: int  # a month
    switch_usd_micro: int  # once
    net_usd_micro: int  # in the first month

    @property
    def percent(self) -> float:
        """Net savings of what the target costs now."""
        return float(self.exact_percent)

    @property
    def exact_percent(self) -> Fraction:
        return Fraction(100 * self.net_usd_micro, HOURS_A_MONTH * self.on_demand_usd_micro)

    @property
    def usd_per_month(self) -> Decimal:
        return dollars(self.net_usd_micro)


def savings(on_demand_usd_micro: int, spot_usd_micro: int, policy: Policy) -> Savings:
    """ValueError for prices that are not above zero."""
    if on_demand_usd_micro <= 0 or spot_usd_micro <= 0:
        raise ValueError(f"{on_demand_usd_micro} and {spot_usd_micro} micro-dollars are not both prices")
    gross = HOURS_A_MONTH * (on_demand_usd_micro - spot_usd_micro)
    switch = _switch_cost(on_demand_usd_micro, policy)
    return Savings(on_demand_usd_micro, spot_usd_micro, gross, switch, gross - switch)


def dearest_spot(on_demand_usd_micro: int, policy: Policy) -> int:
    """The highest Spot price at which both savings limits hold, in micro-dollars; below 1 there is none."""
    by_percent = Fraction(policy.min_savings_percent) / 100 * HOURS_A_MONTH * on_demand_usd_micro
    by_month = Fraction(policy.min_savings_usd_per_month) * int(MICRO)
    budget = HOURS_A_MONTH * on_demand_usd_micro - _switch_cost(on_demand_usd_micro, policy) - max(by_percent, by_month)
    return floor(budget / HOURS_A_MONTH)


def dollars(usd_micro: int) -> Decimal:
    """To the cent."""
    return (Decimal(usd_micro) / MICRO).quantize(CENT, ROUND_HALF_EVEN)


def _switch_cost(on_demand_usd_micro: int, policy: Policy) -> int:
    return ceil(on_demand_usd_micro * Fraction(policy.overlap_hours))
