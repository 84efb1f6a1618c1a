"""What data of the market can be asked for by name?"""

from __future__ import annotations

from enum import StrEnum


class DataType(StrEnum):
    """As POST `ml/pricing/fetch` names them."""

    SPOT_PRICES = "spot_prices"
    ON_DEMAND = "on_demand"
    SPOT_ADVISOR = "spot_advisor"
