"""What does an instance type cost On-Demand in a region, by the Price List?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from accounts.aws.client import AwsSession
from accounts.aws.read.paging import pages
from accounts.aws.read.shapes import Rejected

ACTIONS: tuple[str, ...] = ("pricing:GetProducts",)
PRICE_LIST_REGION = "us-east-1"  # the API lives in us-east-1, eu-central-1 and ap-south-1 only, and tells all regions
MOST_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class OnDemandPrice:
    instance_type: str
    region: str
    operating_system: str
    usd_per_hour: Decimal
    effective_at: datetime
    sku: str


@dataclass(slots=True)
class OnDemandReading:
    """The prices of one region, fetched page by page while being iterated; `rejected` fills meanwhile. Iterate once.

    Rejected are products without a price, with a price of zero (a product that is not sold so), and malformed ones.
    """

    session: AwsSession
    region: str
    operating_system: str
    rejected: list[Rejected] = field(default_factory=list)

    def __iter__(self) -> Iterator[OnDemandPrice]:
        wanted = {
            "regionCode": self.region,
            "operatingSystem": self.operating_system,
            "tenancy": "Shared",
            "preInstalledSw": "NA",
            "capacitystatus": "Used",
        }
        request: dict[str, Any] = {
            "ServiceCode": "AmazonEC2",
            "Filters": [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()],
            "MaxResults": MOST_PER_PAGE,
        }
        for page in pages(self.session, "pricing", "GetProducts", region=PRICE_LIST_REGION, **request):
            for text in page["PriceList"]:
                price = self._read(text, wanted)
                if price is not None:
                    yield price

    def _read(self, text: str, wanted: dict[str, str]) -> OnDemandPrice | None:
        raw: Any = {"text": text[:200]}
        try:
            raw = json.loads(text)
            return on_demand_price(raw, wanted)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
            self.rejected.append(Rejected(_summary(raw), f"{type(error).__name__}: {error}"))
            return None


def on_demand(session: AwsSession, region: str, operating_system: str = "Linux") -> OnDemandReading:
    """Prices of shared tenancy without extra software; `operating_system` as the Price List writes it."""
    return OnDemandReading(session, region, operating_system)


def on_demand_price(product: dict[str, Any], wanted: dict[str, str]) -> OnDemandPrice:
    """One entry of PriceList. Raises ValueError and the like, naming what is wrong; `wanted` is checked again."""
    attributes = product["product"]["attributes"]
    for name, value in wanted.items():
        if attributes.get(name) != value:
            raise ValueError(f"{name} is {attributes.get(name)!r}, {value!r} was asked for")
    market = attributes.get("marketoption", "OnDemand")
    if market != "OnDemand":
        raise ValueError(f"sold as {market}")
    term, price = _hourly(product)
    if not price.is_finite() or price <= 0:
        raise ValueError(f"price {price} is not above zero")
    return OnDemandPrice(
        instance_type=attributes["instanceType"],
        region=attributes["regionCode"],
        operating_system=attributes["operatingSystem"],
        usd_per_hour=price,
        effective_at=_instant(term["effectiveDate"]),
        sku=product["product"]["sku"],
    )


def _hourly(product: dict[str, Any]) -> tuple[dict[str, Any], Decimal]:
    """The one On-Demand term and its price by the hour in dollars."""
    terms = list((product["terms"].get("OnDemand") or {}).values())
    if len(terms) != 1:
        raise ValueError(f"{len(terms)} On-Demand terms")
    dimensions = [each for each in terms[0]["priceDimensions"].values() if each.get("unit") == "Hrs"]
    if len(dimensions) != 1:
        raise ValueError(f"{len(dimensions)} prices by the hour")
    return terms[0], Decimal(dimensions[0]["pricePerUnit"]["USD"])


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _summary(raw: Any) -> dict[str, Any]:
    """Enough of a refused product to find it again."""
    product = raw.get("product") if isinstance(raw, dict) else None
    if not isinstance(product, dict):
        return {"text": str(raw)[:200]}
    attributes = product.get("attributes")
    kind = attributes.get("instanceType") if isinstance(attributes, dict) else None
    return {"sku": product.get("sku"), "instanceType": kind}
