"""How does a launch request become instances with every field that was asked for?

RunInstances, CreateFleet and Auto Scaling all come through here. `request` has the shape of RunInstances' parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotopt.local.images import AnyImage
from spotopt.local.machines import make_spot

from moto.core.types import Base64EncodedString  # isort: skip
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError  # isort: skip
from moto.ec2.models.instances import Reservation  # isort: skip
from moto.ec2.utils import convert_tag_spec, filter_iam_instance_profiles, parse_user_data  # isort: skip

Request = Mapping[str, Any]
Fields = Any
COPIED = {  # request member → attribute of the instance, as Describe tells it
    "CpuOptions": "cpu_options",
    "CapacityReservationSpecification": "capacity_reservation_specification",
    "EnclaveOptions": "enclave_options",
    "HibernationOptions": "hibernation_options",
    "PrivateDnsNameOptions": "private_dns_name_options",
    "LicenseSpecifications": "licenses",
}


def launch(backend: Any, request: Request, count: int = 1) -> Reservation:
    """Start `count` instances. Raises EC2's own errors, before anything exists."""
    request = with_template(backend, request)
    image = backend.amis.get(request.get("ImageId"))
    if image is None or image.id in backend.unseen_images():
        raise InvalidAMIIdError([request.get("ImageId", "")])
    tags, options, profile = tags_of(request), market_options(request), profile_of(backend, request)
    asked = in_motos_words(backend, request)
    reservation = backend.run_instances(image.id, count, user_data_of(request), [], **asked)
    for instance in reservation.instances:
        endow(instance, request, image, tags)
        instance.add_tags(tags.get("instance", {}))
        if options is not None:
            make_spot(instance, options, tags.get("spot-instances-request", {}))
        if profile is not None:
            backend.associate_iam_instance_profile(instance_id=instance.id, iam_instance_profile_arn=profile.arn)
    return reservation


def in_motos_words(backend: Any, request: Request) -> dict[str, Any]:
    """The arguments of moto's own run_instances, and of our rules; disks and tags are given afterwards."""
    subnet, options = subnet_of(backend, request), market_options(request)
    return {
        "instance_type": request.get("InstanceType", "m1.small"),
        "is_instance_type_default": "InstanceType" not in request,
        "region_name": backend.region_name,
        "zone": request.get("Placement", {}).get("AvailabilityZone"),
        "subnet_id": None if request.get("NetworkInterfaces") else subnet.id,
        "nics": request.get("NetworkInterfaces", []),
        "security_group_ids": group_ids_of(backend, request, subnet),
        "key_name": request.get("KeyName"),
        "private_ip": request.get("PrivateIpAddress"),
        "associate_public_ip": None,
        "block_device_mappings": [],
        "disable_api_termination": is_true(request.get("DisableApiTermination")),
        "disable_api_stop": is_true(request.get("DisableApiStop")),
        "instance_market_options": "spot" if options is not None else None,
        "max_price": (options or {}).get("MaxPrice"),
        "instance_initiated_shutdown_behavior": request.get("InstanceInitiatedShutdownBehavior"),
        "monitoring_state": "enabled" if is_true(request.get("Monitoring", {}).get("Enabled")) else "disabled",
        "ipv6_address_count": int(request.get("Ipv6AddressCount") or 0) or None,
        "metadata_options": request.get("MetadataOptions", {}),
        "client_token": request.get("ClientToken") or "",
    }


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def with_template(backend: Any, request: Request) -> Request:
    """The launch template's data beneath the request's own members (RunInstances reference, LaunchTemplate)."""
    named = request.get("LaunchTemplate")
    if not named:
        return request
    version = backend._get_template_from_args(named)
    data = {name: value for name, value in version.data.items() if value is not None}
    merged = {**data, **{name: value for name, value in request.items() if name != "LaunchTemplate"}}
    own = {"aws:ec2launchtemplate:id": version.template.id, "aws:ec2launchtemplate:version": str(version.number)}
    merged["TagSpecifications"] = [*data.get("TagSpecifications", []), *request.get("TagSpecifications", [])]
    return merged | {"_template_tags": own}


def tags_of(request: Request) -> dict[str, dict[str, str]]:
    """Resource type → tags. Refuses what AWS reserves for itself (EC2 guide, "Tag restrictions")."""
    asked = convert_tag_spec(request.get("TagSpecifications", []))
    for tags in asked.values():
        refuse_reserved(tags)
        if len(tags) > 50:
            raise EC2ClientError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
    own = request.get("_template_tags", {}) | request.get("_group_tags", {})
    return asked | {"instance": asked.get("instance", {}) | own}


def refuse_reserved(tags: Mapping[str, Any]) -> None:
    if any(key.lower().startswith("aws:") for key in tags):
        raise EC2ClientError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")


def market_options(request: Request) -> Mapping[str, Any] | None:
    """The Spot options, {} where none were given; None for On-Demand."""
    market = request.get("InstanceMarketOptions", {})
    if market.get("MarketType") != "spot":
        return None
    options: Mapping[str, Any] = market.get("SpotOptions", {})
    ends = options.get("InstanceInterruptionBehavior", "terminate")
    if options.get("SpotInstanceType") == "persistent" and ends == "terminate":
        raise EC2ClientError(  # RunInstances reference, InstanceMarketOptions
            "InvalidParameterCombination", "A persistent Spot request needs the interruption behavior stop or hibernate"
        )
    return options


def profile_of(backend: Any, request: Request) -> Any:
    """The instance profile, or None. By ARN or by name, not both (RunInstances reference, IamInstanceProfile)."""
    named = request.get("IamInstanceProfile")
    if not named:
        return None
    if named.get("Arn") and named.get("Name"):
        raise EC2ClientError(
            "InvalidParameterCombination",
            "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
        )
    return filter_iam_instance_profiles(
        backend.account_id,
        partition=backend.partition,
        iam_instance_profile_arn=named.get("Arn"),
        iam_instance_profile_name=named.get("Name"),
    )


def subnet_of(backend: Any, request: Request) -> Any:
    """The subnet named, or the zone's default one."""
    interfaces = request.get("NetworkInterfaces", [])
    if interfaces and request.get("SubnetId"):
        raise EC2ClientError(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        )
    for interface in interfaces:
        if "NetworkInterfaceId" in interface:
            return backend.get_network_interface(interface["NetworkInterfaceId"]).subnet
    named = request.get("SubnetId") or next((one["SubnetId"] for one in interfaces if "SubnetId" in one), None)
    if named:
        return backend.get_subnet(named)
    zone = request.get("Placement", {}).get("AvailabilityZone")
    defaults = backend.get_default_subnets()
    found = defaults.get(zone) if zone else next(iter(defaults.values()), None)
    if found is None:
        raise EC2ClientError("MissingInput", f"No default subnet for availability zone: '{zone}'.")
    return found


def group_ids_of(backend: Any, request: Request, subnet: Any) -> list[str]:
    """As asked, else those of the first interface, else the VPC's default group."""
    asked = request.get("SecurityGroupIds") or []
    if not asked:
        asked = next((one["Groups"] for one in request.get("NetworkInterfaces", []) if one.get("Groups")), [])
    if asked:
        return list(asked)
    default = backend.get_security_group_from_name("default", subnet.vpc_id)
    return [default.id] if default is not None else []


def user_data_of(request: Request) -> Base64EncodedString | None:
    data = request.get("UserData")
    return data if isinstance(data, Base64EncodedString) else parse_user_data(data)


def endow(instance: Fields, request: Request, image: AnyImage, tags: Mapping[str, Mapping[str, str]]) -> None:
    """What moto leaves out: placement, options, disks with their speed, tags of disks and interfaces."""
    backend = instance.ec2_backend
    for member, attribute in COPIED.items():
        if member in request:
            setattr(instance, attribute, request[member])
    instance.hibernation_options = {"Configured": is_true((instance.hibernation_options or {}).get("Configured"))}
    instance.maintenance_options = instance.maintenance_options | request.get("MaintenanceOptions", {})
    placement = request.get("Placement", {})
    instance.placement.tenancy = placement.get("Tenancy", "default")
    instance.placement.group_name = placement.get("GroupName", "")
    instance.cpu_credits = request.get("CreditSpecification", {}).get("CpuCredits") or instance.cpu_credits
    if "EbsOptimized" in request:
        instance.ebs_optimized = is_true(request["EbsOptimized"])
    for disk in disks_of(request, image):
        attach_disk(instance, disk, tags.get("volume", {}))
    for interface in instance.nics.values():
        backend.create_tags([interface.id], dict(tags.get("network-interface", {})))


def disks_of(request: Request, image: AnyImage) -> list[dict[str, Any]]:
    """The image's disks, each replaced, enlarged or taken out by the mapping that names its device."""
    disks = {one["DeviceName"]: dict(one["Ebs"]) for one in image.launch_mappings()}
    for mapping in request.get("BlockDeviceMappings", []):
        name = mapping["DeviceName"]
        if mapping.get("NoDevice") is not None:
            disks.pop(name, None)
        elif "Ebs" in mapping:
            disks[name] = disks.get(name, {}) | mapping["Ebs"]
    return [{"DeviceName": name} | ebs for name, ebs in disks.items()]


def attach_disk(instance: Fields, disk: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    backend = instance.ec2_backend
    kind = disk.get("VolumeType") or "gp2"  # RunInstances reference, EbsBlockDevice: the default where none is named
    volume = backend.create_volume(
        size=int(disk["VolumeSize"]) if disk.get("VolumeSize") else None,
        zone_name=instance.availability_zone,
        snapshot_id=disk.get("SnapshotId"),
        encrypted=is_true(disk.get("Encrypted")),
        kms_key_id=disk.get("KmsKeyId"),
        volume_type=kind,
        iops=int(disk["Iops"]) if disk.get("Iops") and kind != "gp2" else None,
        throughput=int(disk["Throughput"]) if disk.get("Throughput") else None,
    )
    backend.attach_volume(volume.id, instance.id, disk["DeviceName"], is_true(disk.get("DeleteOnTermination", True)))
    backend.create_tags([volume.id], dict(tags))
    for dated in (instance.block_device_mapping[disk["DeviceName"]], volume.attachment):
        dated.attach_time = instance.launch_time
    volume.create_time = instance.launch_time
