"""How do micro-dollars, hours and months turn into one another?"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

HOURS_A_MONTH = 730  # AWS billing and the Pricing Calculator count 730 h
MICRO = Decimal(1_000_000)
CENT = Decimal("0.01")


def usd(micro: int) -> Decimal:
    """Micro-dollars an hour as dollars with six places."""
    return (Decimal(micro) / MICRO).quantize(Decimal("0.000001"))


def micro(usd_per_hour: Decimal | str) -> int:
    """Dollars an hour as whole micro-dollars, half-even. ValueError for what is no finite number."""
    value = Decimal(usd_per_hour)
    if not value.is_finite():
        raise ValueError(f"{usd_per_hour!r} is not a price")
    return int((value * MICRO).to_integral_value(ROUND_HALF_EVEN))


def a_month(usd_per_hour: Decimal) -> Decimal:
    """What an hourly price costs in a month of 730 hours, to the cent."""
    return (usd_per_hour * HOURS_A_MONTH).quantize(CENT, ROUND_HALF_EVEN)
