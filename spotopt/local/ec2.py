"""Where are EC2's answers stricter than moto's?"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from spotopt.local.catalogue import offered_types
from spotopt.local.ec2_backend import StrictEC2
from spotopt.local.ec2_changes import Changes
from spotopt.local.ec2_xml import response, type_xml
from spotopt.local.instance_life import StrictInstance
from spotopt.local.spot_history import SpotHistory
from spotopt.local.world import World
from spotopt.local.zones import COMMERCIAL_REGIONS, OPT_IN_REGIONS

import moto.ec2.models.instances  # isort: skip
import moto.ec2.urls  # isort: skip
from moto.core.responses import ActionResult  # isort: skip
from moto.core.serialize import return_if_not_empty  # isort: skip
from moto.ec2.exceptions import EC2ClientError  # isort: skip
from moto.ec2.models import ec2_backends  # isort: skip
from moto.ec2.models.instance_types import InstanceType  # isort: skip
from moto.ec2.responses import EC2Response  # isort: skip
from moto.ec2.utils import filter_dict_attribute_mapping  # isort: skip

MORE_FILTERS = {  # of DescribeInstances, to moto's attributes
    "instance-lifecycle": "lifecycle",
    "spot-instance-request-id": "spot_instance_request_id",
    "tenancy": "placement.tenancy",
    "platform-details": "platform_details",
    "usage-operation": "usage_operation",
    "client-token": "client_token",
}
MOST_TYPES = 100  # a page of DescribeInstanceTypes
MOST_INSTANCES = 1000  # a page of DescribeInstances


class StrictEC2Answers(Changes, SpotHistory):
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

    def describe_instance_types(self) -> str:  # type: ignore[override]
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
        items = "".join(type_xml(one.name) for one in types)
        return response("DescribeInstanceTypes", "instanceTypeSet", items, token)

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

    def describe_placement_groups(self) -> ActionResult:
        """The groups in which instances of the account and region stand; all of the estate's are cluster groups."""
        placed = {instance.placement.group_name for instance in self.ec2_backend.all_instances()}
        described = [
            {"GroupName": name, "State": "available", "Strategy": "cluster"} for name in sorted(placed - {None, ""})
        ]
        return ActionResult({"PlacementGroups": described})

    def describe_reserved_instances(self) -> ActionResult:  # type: ignore[override]
        filters = self._filters_from_querystring()
        keys = {"state": "State", "instance-type": "InstanceType", "scope": "Scope"}
        found = [
            one
            for one in self.ec2_backend.reserved_instances
            if all(one.get(keys.get(name, "")) in values for name, values in filters.items())
        ]
        return ActionResult({"ReservedInstances": found})


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


def install() -> None:
    """Put the strict classes in moto's place; before any account is touched."""
    filter_dict_attribute_mapping.update(MORE_FILTERS)
    moto.ec2.models.instances.Instance = StrictInstance  # type: ignore[misc]
    ec2_backends.backend = StrictEC2
    moto.ec2.urls.url_paths["{0}/"] = StrictEC2Answers.dispatch
