"""What does DescribeInstances say of a machine beyond what moto knows?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spotopt.local.catalogue import described_type
from spotopt.local.images import AnyImage
from spotopt.local.world import World
from spotopt.local.zones import zone_ids

from moto.ec2.models.instances import Instance  # isort: skip
from moto.ec2.models.spot_requests import SpotInstanceRequest  # isort: skip
from moto.ec2.utils import random_spot_request_id  # isort: skip

Fields = Any  # moto's Instance: it takes fields it does not declare, and serializes them by their names


def complete(instance: Fields, image: AnyImage | None, launched_at: datetime) -> None:
    """Add the fields of EC2's Instance that moto leaves out; the serializer picks them up by their names."""
    described = described_type(instance.instance_type)
    account_id, region = instance.ec2_backend.account_id, instance.ec2_backend.region_name
    instance.launch_time = launched_at
    instance.placement.availability_zone_id = zone_ids(account_id, region).get(str(instance.availability_zone))
    instance.cpu_options = cpu_options(described)
    instance.capacity_reservation_specification = {"CapacityReservationPreference": "open"}
    instance.enclave_options = {"Enabled": False}
    instance.hibernation_options = {"Configured": bool((instance.hibernation_options or {}).get("Configured"))}
    instance.maintenance_options = {"AutoRecovery": "default", "RebootMigration": "default"}
    instance.operator = {"Managed": False}
    instance.ebs_optimized = ebs_optimized(described)
    instance.usage_operation_update_time = launched_at
    instance.state_reason = None
    instance.spot_instance_request_id = None
    # EC2 guide, "Burstable performance instances": T2 launches as standard, later families as unlimited.
    is_burstable = described.get("BurstablePerformanceSupported") is True
    instance.cpu_credits = ("standard" if instance.instance_type.startswith("t2.") else "unlimited") * is_burstable
    if image is not None:
        copy_image_facts(instance, image)
    for index, interface in instance.nics.items():
        interface.attach_time = launched_at
        interface.delete_on_termination = index == 0
    for device in instance.block_device_mapping.values():
        device.attach_time = launched_at
        volume = instance.ec2_backend.volumes[device.volume_id]
        volume.create_time = launched_at
        volume.attachment.attach_time = launched_at


def copy_image_facts(instance: Fields, image: AnyImage) -> None:
    instance.platform_details = image.platform_details
    instance.usage_operation = image.usage_operation
    instance.ena_support = image.ena_support
    instance.boot_mode = image.boot_mode
    instance.current_instance_boot_mode = "legacy-bios" if image.boot_mode == "legacy-bios" else "uefi"
    instance.root_device_name = image.root_device_name
    instance.virtualization_type = image.virtualization_type
    instance.architecture = image.architecture
    instance.product_codes = [
        {"ProductCodeId": code, "ProductCodeType": "marketplace"} for code in sorted(image.product_codes)
    ]


def cpu_options(described: dict[str, Any]) -> dict[str, int] | None:
    """None where the catalogue does not know the type's cores."""
    vcpus = described.get("VCpuInfo", {})
    if "DefaultCores" not in vcpus:
        return None
    return {"CoreCount": vcpus["DefaultCores"], "ThreadsPerCore": vcpus.get("DefaultThreadsPerCore", 1)}


def ebs_optimized(described: dict[str, Any]) -> bool:
    return bool(described.get("EbsInfo", {}).get("EbsOptimizedSupport") == "default")


class SpotRequest(SpotInstanceRequest):
    """The request behind a Spot instance that RunInstances or a fleet started; moto makes none."""

    def __init__(self, instance: Instance, options: Mapping[str, Any]) -> None:
        self._given = instance
        super().__init__(
            ec2_backend=instance.ec2_backend,
            spot_request_id=random_spot_request_id(),
            price=str(options.get("MaxPrice") or ""),
            image_id=instance.image_id,
            spot_instance_type=str(options.get("SpotInstanceType") or "one-time"),
            valid_from=None,
            valid_until=None,
            launch_group=None,
            availability_zone_group=None,
            key_name=instance.key_name or "",
            security_groups=[],
            user_data=None,
            instance_type=instance.instance_type,
            placement=instance.availability_zone,
            kernel_id=None,
            ramdisk_id=None,
            monitoring_enabled=False,
            subnet_id=str(instance.subnet_id),
            tags={},
            spot_fleet_id=None,
            instance_interruption_behaviour=str(options.get("InstanceInterruptionBehavior") or "terminate"),
        )
        self.changed_at: datetime = instance.launch_time
        self.status_message = "Your Spot request is fulfilled."

    def launch_instance(self) -> Instance:
        return self._given

    @property
    def launched_availability_zone(self) -> str:
        return str(self.instance.availability_zone)

    @property
    def product_description(self) -> str:
        return str(getattr(self.instance, "platform_details", "Linux/UNIX"))

    @property
    def create_time(self) -> datetime:  # type: ignore[override]
        return self.instance.launch_time

    @property
    def status(self) -> dict[str, Any]:
        return {"Code": self._status_code, "Message": self.status_message, "UpdateTime": self.changed_at}

    def move(self, state: str, code: str, message: str, at: datetime) -> None:
        """`code` as in the EC2 guide, "Spot request status codes"."""
        self.state, self._status_code, self.status_message, self.changed_at = state, code, message, at

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        known = {
            "instance-id": self.instance_id,
            "status-code": self._status_code,
            "type": self.type,
            "launched-availability-zone": self.launched_availability_zone,
            "spot-instance-request-id": self.id,
        }
        return known.get(filter_name) or super().get_filter_value(filter_name, method_name)


def make_spot(
    instance: Fields, options: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
) -> SpotRequest:
    """Give a Spot instance its request, which moto forgets. `options` as SpotMarketOptions."""
    asked = options or {}
    instance.lifecycle = "spot"
    # the launch itself has made one by now, without the options and tags that only its caller knows
    instance.ec2_backend.spot_instance_requests.pop(instance.spot_instance_request_id, None)
    request = SpotRequest(instance, asked)
    instance.spot_instance_request_id = request.id
    instance.ec2_backend.spot_instance_requests[request.id] = request
    request.add_tags(dict(tags or {}))
    return request


def end_request(instance: Fields) -> None:
    """A one-time request ends with its instance (EC2 guide, "Spot request status codes")."""
    request = instance.ec2_backend.spot_instance_requests.get(instance.spot_instance_request_id)
    if isinstance(request, SpotRequest) and request.state == "active":
        message = "The Spot instance was terminated by the user."
        request.move("closed", "instance-terminated-by-user", message, World.clock.now())
