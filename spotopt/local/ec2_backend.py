"""Where is EC2's backend stricter than moto's? One account in one region."""

from __future__ import annotations

from typing import Any

from spotopt.local import launch_rules
from spotopt.local.addresses import StrictAddresses
from spotopt.local.catalogue import offered_types, types_by_zone
from spotopt.local.image_making import StrictImages
from spotopt.local.images import AnyImage, register_images
from spotopt.local.instance_life import StrictInstance
from spotopt.local.launch_rules import Launch
from spotopt.local.launching import refuse_reserved
from spotopt.local.machines import complete, make_spot
from spotopt.local.market import zone_names
from spotopt.local.tokens import Tokens
from spotopt.local.world import World
from spotopt.local.zones import account_zones

import moto.ec2.urls  # isort: skip
from moto.core.types import Base64EncodedString  # isort: skip
from moto.ec2.exceptions import EC2ClientError, InvalidInstanceIdError, OperationNotPermitted4  # isort: skip
from moto.ec2.models import EC2Backend  # isort: skip
from moto.ec2.models.instances import Instance, InstanceState, Reservation  # isort: skip
from moto.ec2.models.subnets import Subnet  # isort: skip

Ended = tuple[Instance, InstanceState]


class StrictEC2(StrictImages, StrictAddresses, EC2Backend):
    def __init__(self, region_name: str, account_id: str) -> None:
        self.zones = account_zones(account_id)
        super().__init__(region_name, account_id)
        register_images(self)
        self.reserved_instances: list[dict[str, Any]] = []
        self.tokens = Tokens()
        self.past_associations: set[str] = set()

    @property
    def _url_module(self) -> Any:
        return moto.ec2.urls

    def create_subnet(self, *args: Any, **kwargs: Any) -> Subnet:
        """In the account's own zone: moto looks both name and id up in the table of all accounts."""
        own = {zone.zone_id: zone for zone in self.describe_availability_zones()}
        if kwargs.get("availability_zone_id") in own:
            kwargs["availability_zone"] = own[kwargs.pop("availability_zone_id")].name
        subnet = super().create_subnet(*args, **kwargs)
        subnet._availability_zone = next(zone for zone in own.values() if zone.name == subnet.availability_zone)
        return subnet

    def run_instances(
        self,
        image_id: str,
        count: int,
        user_data: Base64EncodedString | None,
        security_group_names: list[str],
        **kwargs: Any,
    ) -> Reservation:
        """As moto, with EC2's refusals and every field described. `is_there` says that it was launched long ago."""
        image = self.amis.get(image_id)
        if not kwargs.pop("is_there", False):
            launch_rules.check(self._asked(image, count, kwargs))
        for rule_only in ("zone", "max_price"):
            kwargs.pop(rule_only, None)
        reservation = super().run_instances(image_id, count, user_data, security_group_names, **kwargs)
        for instance in reservation.instances:
            known = self.amis.get(instance.image_id)
            complete(instance, known if isinstance(known, AnyImage) else None, World.clock.now())
            if instance.lifecycle == "spot":
                make_spot(instance)
        return reservation

    def _asked(self, image: Any, count: int, kwargs: dict[str, Any]) -> Launch:
        interfaces = kwargs.get("nics") or []
        subnet_id = kwargs.get("subnet_id") or next((one["SubnetId"] for one in interfaces if "SubnetId" in one), None)
        if subnet_id is None and interfaces:
            subnet_id = self.get_network_interface(interfaces[0]["NetworkInterfaceId"]).subnet.id
        return Launch(
            backend=self,
            image=image,
            instance_type=str(kwargs.get("instance_type")),
            subnet=self.get_subnet(str(subnet_id)),
            zone=kwargs.get("zone"),
            security_groups=tuple(kwargs.get("security_group_ids", ())),
            count=count,
            is_spot=bool(kwargs.get("instance_market_options")),
            max_price=kwargs.get("max_price"),
            is_protected=bool(kwargs.get("disable_api_termination")),
        )

    def is_unseen(self, thing: Any) -> bool:
        """Created so recently that a look does not find it (EC2 guide, "Eventual consistency")."""
        visible_at = getattr(thing, "visible_at", None)
        return visible_at is not None and World.clock.now() < visible_at

    def get_multi_instances_by_id(self, instance_ids: list[str], filters: Any = None) -> list[Instance]:
        found = super().get_multi_instances_by_id(instance_ids, filters)
        if unseen := [one.id for one in found if self.is_unseen(one)]:
            raise InvalidInstanceIdError(unseen)
        return found

    def get_reservations_by_instance_ids(self, instance_ids: list[str], filters: Any = None) -> list[Reservation]:
        self.get_multi_instances_by_id(instance_ids)
        return super().get_reservations_by_instance_ids(instance_ids, filters)

    def describe_instances(self, filters: Any = None) -> list[Reservation]:
        found = super().describe_instances(filters)
        for reservation in found:
            reservation.instances = [one for one in reservation.instances if not self.is_unseen(one)]
        return [reservation for reservation in found if reservation.instances]

    def describe_spot_instance_requests(self, *args: Any, **kwargs: Any) -> Any:
        found = super().describe_spot_instance_requests(*args, **kwargs)
        return [one for one in found if not self.is_unseen(one.instance)]

    def terminate_instances(self, instance_ids: list[str]) -> list[Ended]:
        """A protected one keeps its whole zone (EC2 guide, "Terminate multiple instances with termination protection
        across Availability Zones"); those of other zones end, and the call fails all the same.
        """
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            self._refuse_managed(instance)
        protected = [one for one in instances if one.disable_api_termination]
        kept = {one.availability_zone for one in protected}
        ended = [(one, one.terminate()) for one in instances if one.availability_zone not in kept]
        if protected:
            raise OperationNotPermitted4(protected[0].id)
        return ended

    def stop_instances(self, instance_ids: list[str]) -> list[Ended]:
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            self._refuse_managed(instance)
            if instance.lifecycle == "spot":
                raise EC2ClientError(
                    "UnsupportedOperation",
                    f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot "
                    "Instance request. You can only stop Spot Instances associated with persistent Spot Instance "
                    "requests.",
                )
            _refuse_state(instance, ("pending", "running", "stopping", "stopped"))
        return super().stop_instances(instance_ids)

    def start_instances(self, instance_ids: list[str]) -> list[Ended]:
        for instance in self.get_multi_instances_by_id(instance_ids):
            _refuse_state(instance, ("pending", "running", "stopped"))
        return super().start_instances(instance_ids)

    def reboot_instances(self, instance_ids: list[str]) -> list[Instance]:
        for instance in self.get_multi_instances_by_id(instance_ids):
            _refuse_state(instance, ("running",))
            self.reboot(instance)
        return self.get_multi_instances_by_id(instance_ids)

    def reboot(self, instance: Instance) -> None:
        """The state stays `running`; pages and checks begin anew."""
        assert isinstance(instance, StrictInstance)
        instance.running_at = World.clock.now()
        instance.reboots += 1

    def modify_instance_attribute(self, instance_id: str, key: str, value: Any) -> Instance:
        """ModifyInstanceAttribute reference: type and user data only of a stopped instance, no protection for Spot."""
        instance = self.get_instance(instance_id)
        if key in ("instance_type", "user_data", "kernel", "ebs_optimized") and instance.state != "stopped":
            raise EC2ClientError(
                "IncorrectInstanceState", f"The instance '{instance_id}' is not in the 'stopped' state."
            )
        if key == "disable_api_termination" and instance.lifecycle == "spot":
            raise EC2ClientError(
                "UnsupportedOperation", "Modifying 'disableApiTermination' is not supported for spot instances."
            )
        if key == "source_dest_check":
            for interface in instance.nics.values():
                interface.source_dest_check = value
        return super().modify_instance_attribute(instance_id, key, value)

    def create_tags(self, resource_ids: list[str], tags: dict[str, str]) -> bool:
        """moto calls this for tags of AWS's own too; what a caller may not set is refused where he asks for it."""
        return super().create_tags(resource_ids, tags) if tags else True

    def create_tags_asked(self, resource_ids: list[str], tags: dict[str, str]) -> None:
        refuse_reserved(tags)
        instances = [one for one in resource_ids if one.startswith("i-")]
        if instances:
            self.get_multi_instances_by_id(instances)
        self.create_tags(resource_ids, tags)

    def _refuse_managed(self, instance: Any) -> None:
        if instance.operator.get("Managed"):
            raise EC2ClientError(
                "OperationNotPermitted",
                f"The instance '{instance.id}' is managed by {instance.operator.get('Principal')}; the operation is "
                "not permitted.",
            )

    def describe_instance_type_offerings(
        self, location_type: str | None = None, filters: dict[str, Any] | None = None
    ) -> list[Any]:
        """Offered by place; a zone's name is translated for this account."""
        offerings = _offerings(location_type or "region", self.account_id, self.region_name)
        return [one for one in offerings if self.matches_filters(one, filters or {}, location_type or "region")]


def _refuse_state(instance: Instance, allowed: tuple[str, ...]) -> None:
    if instance.state not in allowed:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be changed: it is {instance.state}.",
        )


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
