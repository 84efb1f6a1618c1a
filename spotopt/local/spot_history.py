"""How does EC2 answer DescribeSpotPriceHistory?"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from spotopt.local.ec2_xml import response
from spotopt.local.faults import PricesMode
from spotopt.local.market import PriceRow, zone_names
from spotopt.local.world import World
from spotopt.local.zones import zone_ids

from moto.ec2.exceptions import EC2ClientError  # isort: skip
from moto.ec2.responses import EC2Response  # isort: skip

MOST_PRICES = 1000  # a page of DescribeSpotPriceHistory


class SpotHistory(EC2Response):
    """moto's answers, with the real market's prices."""

    def describe_spot_price_history(self) -> str:  # type: ignore[override]
        """Newest first, and for each pool the price in force at StartTime; 1000 rows a page, none of the future."""
        now = World.clock.now()
        # A page's token fixes the end, or rows that arrive between two pages would shift the rest.
        token = json.loads(base64.b64decode(self._get_param("NextToken") or "e30=") or b"{}")
        end_at = _instant(token.get("end")) or min(_instant(self._get_param("EndTime")) or now, now)
        start_at = _instant(self._get_param("StartTime")) or now
        rows = World.market.history(
            self.region,
            start_at,
            end_at,
            now=now,
            types=self._wanted("InstanceTypes", "instance-type"),
            products=[name.removesuffix(" (Amazon VPC)") for name in self._wanted_products()],
            zones=self._wanted_zones(),
        )
        size = min(self._get_int_param("MaxResults") or MOST_PRICES, MOST_PRICES)
        start = int(token.get("offset", 0))
        names = zone_names(self.current_account, self.region)
        page = distorted([price_entry(row, names) for row in rows[start : start + size]], World.switches.prices)
        following = None
        if start + size < len(rows) and page:
            position = {"offset": start + size, "end": end_at.isoformat()}
            following = base64.b64encode(json.dumps(position).encode()).decode()
        return price_page(page, following)

    def _wanted(self, parameter: str, filter_name: str) -> list[str]:
        return list(self._get_param(parameter, [])) or list(self._filters_from_querystring().get(filter_name, []))

    def _wanted_products(self) -> list[str]:
        return self._wanted("ProductDescriptions", "product-description")

    def _wanted_zones(self) -> list[str]:
        """Zone ids; names are this account's. An unknown zone is refused, as AWS does."""
        named = [self._get_param("AvailabilityZone")] if self._get_param("AvailabilityZone") else []
        named += self._filters_from_querystring().get("availability-zone", [])
        ids = [self._get_param("AvailabilityZoneId")] if self._get_param("AvailabilityZoneId") else []
        ids += self._filters_from_querystring().get("availability-zone-id", [])
        known = zone_ids(self.current_account, self.region)
        if unknown := [name for name in named if name not in known]:
            raise EC2ClientError("InvalidParameterValue", f"Invalid availability zone: [{unknown[0]}]")
        return [*ids, *(known[name] for name in named)]


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def price_entry(row: PriceRow, names: dict[str, str]) -> dict[str, str]:
    return {
        "InstanceType": row.pool.instance_type,
        "ProductDescription": row.pool.product,
        "SpotPrice": f"{row.micros / 1_000_000:.6f}",
        "AvailabilityZone": names.get(row.pool.zone_id, ""),
        "AvailabilityZoneId": row.pool.zone_id,
        "Timestamp": datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def price_page(page: list[dict[str, str]], following: str | None) -> str:
    """A thousand rows in the order of DescribeSpotPriceHistory's SpotPrice."""
    items = "".join(
        f"<item><instanceType>{one['InstanceType']}</instanceType>"
        f"<productDescription>{one['ProductDescription']}</productDescription>"
        f"<spotPrice>{one['SpotPrice']}</spotPrice><timestamp>{one['Timestamp']}</timestamp>"
        f"<availabilityZone>{one['AvailabilityZone']}</availabilityZone>"
        f"<availabilityZoneId>{one['AvailabilityZoneId']}</availabilityZoneId></item>"
        for one in page
    )
    return response("DescribeSpotPriceHistory", "spotPriceHistorySet", items, following)


def distorted(page: list[dict[str, str]], mode: PricesMode) -> list[dict[str, str]]:
    """What the control page asked for instead of the truth."""
    if mode is PricesMode.EMPTY:
        return []
    if mode is PricesMode.DUPLICATES:
        return [entry for entry in page for _ in range(2)]
    if mode is PricesMode.HUGE:
        return page * 10
    if mode is PricesMode.ABSURD and page:
        wrong = [{"SpotPrice": "0.000000"}, {"SpotPrice": "-0.010000"}, {"SpotPrice": "999999.000000"}]
        wrong += [{"SpotPrice": "NaN"}, {"InstanceType": "zz9.plural"}]
        wrong.append({"AvailabilityZone": "nowhere-1a", "AvailabilityZoneId": "nowh1-az1"})
        return [page[0] | one for one in wrong] + page
    return page
