"""Where is EC2 stricter than moto's? Backend and answers, one class each."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from spotopt.local.catalogue import offered_types, types_by_zone
from spotopt.local.clock import Clock
from spotopt.local.faults import PricesMode, Switches
from spotopt.local.images import Image, register_images
from spotopt.local.machines import complete, make_spot
from spotopt.local.market import Market, PriceRow, zone_names
from spotopt.local.zones import COMMERCIAL_REGIONS, OPT_IN_REGIONS, account_zones, zone_ids

import moto.ec2.urls  # isort: skip
from moto.core.responses import ActionResult  # isort: skip
from moto.core.serialize import return_if_not_empty  # isort: skip
from moto.core.types import Base64EncodedString  # isort: skip
from moto.ec2.exceptions import EC2ClientError  # isort: skip
from moto.ec2.models import EC2Backend, ec2_backends  # isort: skip
from moto.ec2.models.instance_types import InstanceType  # isort: skip
from moto.ec2.models.instances import Reservation  # isort: skip
from moto.ec2.responses import EC2Response  # isort: skip

MOST_PRICES = 1000  # a page of DescribeSpotPriceHistory
MOST_TYPES = 100  # a page of DescribeInstanceTypes
MOST_INSTANCES = 1000  # a page of DescribeInstances


class World:
    """What every account shares; set once, before the first call."""

    clock: Clock
    market: Market
    switches: Switches


class StrictEC2(EC2Backend):
    """One account's EC2 in one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        self.zones = account_zones(account_id)
        super().__init__(region_name, account_id)
        register_images(self)
        self.reserved_instances: list[dict[str, Any]] = []

    @property
    def _url_module(self) -> Any:
        return moto.ec2.urls

    def run_instances(
        self,
        image_id: str,
        count: int,
        user_data: Base64EncodedString | None,
        security_group_names: list[str],
        **kwargs: Any,
    ) -> Reservation:
        """As moto, with the image's own disks, every field described, and pools that may be out of capacity."""
        image = self.amis.get(image_id)
        self._refuse_dry_pool(kwargs)
        has_disks = kwargs.get("block_device_mappings") or kwargs.get("launch_template") or kwargs.get("launch_config")
        if isinstance(image, Image) and not has_disks:
            kwargs["block_device_mappings"] = image.launch_mappings()
        reservation = super().run_instances(image_id, count, user_data, security_group_names, **kwargs)
        for instance in reservation.instances:
            known = self.amis.get(instance.image_id)
            complete(instance, known if isinstance(known, Image) else None, World.clock.now())
            if instance.lifecycle == "spot":
                make_spot(instance)
        return reservation

    def _refuse_dry_pool(self, kwargs: dict[str, Any]) -> None:
        subnet_id = kwargs.get("subnet_id")
        zone = self.get_subnet(subnet_id).availability_zone if subnet_id else kwargs.get("placement")
        zone_id = zone_ids(self.account_id, self.region_name).get(str(zone))
        instance_type = str(kwargs.get("instance_type"))
        if {(instance_type, zone), (instance_type, zone_id)} & World.switches.dry_pools:
            raise EC2ClientError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you "
                f"requested ({zone}). Our system will be working on provisioning additional capacity.",
            )

    def describe_instance_type_offerings(
        self, location_type: str | None = None, filters: dict[str, Any] | None = None
    ) -> list[Any]:
        """Offered by place; a zone's name is translated for this account."""
        offerings = _offerings(location_type or "region", self.account_id, self.region_name)
        return [one for one in offerings if self.matches_filters(one, filters or {}, location_type or "region")]


def _offerings(kind: str, account_id: str, region: str) -> list[dict[str, str]]:
    if kind == "region":
        places = {region: offered_types(region)}
    elif kind == "availability-zone-id":
        places = types_by_zone(region)
    elif kind == "availability-zone":
        names = zone_names(account_id, region)
        places = {names[zone_id]: types for zone_id, types in types_by_zone(region).items() if zone_id in names}
    else:
        raise EC2ClientError("InvalidParameterValue", f"Invalid LocationType: {kind}")
    return [
        {"InstanceType": name, "LocationType": kind, "Location": place}
        for place, types in sorted(places.items())
        for name in sorted(types)
    ]


class StrictEC2Answers(EC2Response):
    """The calls whose answers AWS pages, limits or words otherwise."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER | {
        "NetworkInterface.Association": return_if_not_empty
    }

    def page(self, rows: Sequence[Any], at_most: int, at_least: int = 5) -> tuple[Sequence[Any], str | None]:
        """The rows of this page and the token of the next; refuses sizes outside AWS's limits and forged tokens."""
        size = self._get_int_param("MaxResults") or at_most
        if not at_least <= size:
            raise EC2ClientError("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid.")
        size = min(size, at_most)
        start = _offset(self._get_param("NextToken"))
        token = base64.b64encode(f"next/{start + size}".encode()).decode() if start + size < len(rows) else None
        return rows[start : start + size], token

    def describe_instances(self) -> ActionResult:
        wanted = self._get_param("InstanceIds", [])
        if wanted and self._get_param("MaxResults"):
            raise EC2ClientError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        filters = self._filters_from_querystring()
        backend = self.ec2_backend
        if wanted:
            found = backend.get_reservations_by_instance_ids(wanted, filters=filters)
        else:
            found = backend.describe_instances(filters=filters)
        reservations, token = self.page(found, MOST_INSTANCES)
        return ActionResult({"Reservations": reservations, "NextToken": token})

    def describe_instance_types(self) -> ActionResult:
        """Only what the region offers; a type that exists elsewhere is InvalidInstanceType here."""
        wanted = self._get_param("InstanceTypes", [])
        offered = offered_types(self.region)
        if missing := sorted(set(wanted) - offered):
            raise EC2ClientError(
                "InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(missing)}]"
            )
        found: list[InstanceType] = self.ec2_backend.describe_instance_types(wanted, self._filters_from_querystring())
        here = sorted((one for one in found if one.name in offered), key=lambda one: one.name)
        types, token = self.page(here, MOST_TYPES)
        return ActionResult({"InstanceTypes": types, "NextToken": token})

    def describe_instance_type_offerings(self) -> ActionResult:
        offerings = self.ec2_backend.describe_instance_type_offerings(
            self._get_param("LocationType"), self._filters_from_querystring()
        )
        rows, token = self.page(offerings, MOST_INSTANCES)
        return ActionResult({"InstanceTypeOfferings": rows, "NextToken": token})

    def describe_regions(self) -> ActionResult:
        """The enabled ones, or with AllRegions all, each with its OptInStatus."""
        asked = self._get_param("RegionNames", [])
        if unknown := sorted(set(asked) - set(COMMERCIAL_REGIONS)):
            raise EC2ClientError("InvalidParameterValue", f"Invalid region provided: {', '.join(unknown)}")
        off = OPT_IN_REGIONS | World.switches.disabled_regions
        shown = asked or [name for name in COMMERCIAL_REGIONS if name not in off or self._get_bool_param("AllRegions")]
        regions = [
            {
                "RegionName": name,
                "Endpoint": f"ec2.{name}.amazonaws.com",
                "OptInStatus": "not-opted-in" if name in off else "opt-in-not-required",
            }
            for name in shown
        ]
        return ActionResult({"Regions": regions})

    def describe_availability_zones(self) -> ActionResult:
        zones = self.ec2_backend.describe_availability_zones(
            self._filters_from_querystring(), self._get_param("ZoneNames", []), self._get_param("ZoneIds", [])
        )
        described = [
            {
                "ZoneName": zone.name,
                "ZoneId": zone.zone_id,
                "ZoneType": zone.zone_type,
                "RegionName": zone.region_name,
                "GroupName": f"{zone.region_name}-zg-1",
                "NetworkBorderGroup": zone.region_name,
                "State": "available",
                "OptInStatus": "opt-in-not-required",
                "Messages": [],
            }
            for zone in zones
        ]
        return ActionResult({"AvailabilityZones": described})

    def describe_reserved_instances(self) -> ActionResult:  # type: ignore[override]
        filters = self._filters_from_querystring()
        keys = {"state": "State", "instance-type": "InstanceType", "scope": "Scope"}
        found = [
            one
            for one in self.ec2_backend.reserved_instances
            if all(one.get(keys.get(name, "")) in values for name, values in filters.items())
        ]
        return ActionResult({"ReservedInstances": found})

    def describe_spot_price_history(self) -> ActionResult:
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
        return ActionResult({"SpotPriceHistory": page, "NextToken": following})

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


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        kind, _, offset = base64.b64decode(token, validate=True).decode().partition("/")
        if kind != "next":
            raise ValueError(kind)
        return int(offset)
    except ValueError as error:
        raise EC2ClientError("InvalidParameterValue", "Unable to parse pagination token") from error


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def price_entry(row: PriceRow, names: dict[str, str]) -> dict[str, Any]:
    return {
        "InstanceType": row.pool.instance_type,
        "ProductDescription": row.pool.product,
        "SpotPrice": f"{row.micros / 1_000_000:.6f}",
        "AvailabilityZone": names.get(row.pool.zone_id),
        "AvailabilityZoneId": row.pool.zone_id,
        "Timestamp": datetime.fromtimestamp(row.at, UTC),
    }


def distorted(page: list[dict[str, Any]], mode: PricesMode) -> list[dict[str, Any]]:
    """What the control page asked for instead of the truth."""
    if mode is PricesMode.EMPTY:
        return []
    if mode is PricesMode.DUPLICATES:
        return [entry for entry in page for _ in range(2)]
    if mode is PricesMode.HUGE:
        return page * 50
    if mode is PricesMode.ABSURD and page:
        wrong = [{"SpotPrice": "0.000000"}, {"SpotPrice": "-0.010000"}, {"SpotPrice": "999999.000000"}]
        wrong += [{"SpotPrice": "NaN"}, {"InstanceType": "zz9.plural"}]
        wrong.append({"AvailabilityZone": "nowhere-1a", "AvailabilityZoneId": "nowh1-az1"})
        return [page[0] | one for one in wrong] + page
    return page


def install() -> None:
    """Put the strict classes in moto's place; before any account is touched."""
    ec2_backends.backend = StrictEC2
    moto.ec2.urls.url_paths["{0}/"] = StrictEC2Answers.dispatch
