"""What is one instance, as DescribeInstances tells it, with all that decides whether it may move?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.aws.read.paging import tags_of


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface. DescribeInstances does not tell requester-managed; an operator's it does."""

    id: str
    type: str | None  # "interface", "efa", "efa-only", "trunk", …
    device_index: int | None
    subnet_id: str | None
    private_ips: tuple[str, ...]
    is_source_dest_check: bool | None
    is_operator_managed: bool

    @property
    def is_efa(self) -> bool:
        return (self.type or "").startswith("efa")


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """An EBS volume in use. Instance-store volumes do not appear in DescribeInstances: ask the type and the image."""

    device: str
    volume_id: str
    delete_on_termination: bool | None


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    http_tokens: str | None
    hop_limit: int | None
    endpoint: str | None
    ipv6: str | None
    instance_tags: str | None


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """None = AWS did not say. `lifecycle` is "spot", "scheduled" or "capacity-block"; None = On-Demand."""

    id: str
    instance_type: str
    state: str
    zone: str | None
    zone_id: str | None
    launched_at: datetime | None
    lifecycle: str | None
    spot_request_id: str | None
    image_id: str | None
    architecture: str | None
    virtualization: str | None
    hypervisor: str | None
    has_ena_support: bool | None
    boot_mode: str | None
    current_boot_mode: str | None
    tpm_support: str | None
    platform_details: str | None
    usage_operation: str | None
    product_codes: tuple[str, ...]
    tenancy: str | None
    host_id: str | None
    placement_group: str | None
    outpost_arn: str | None
    vpc_id: str | None
    subnet_id: str | None
    private_ip: str | None
    public_ip: str | None
    ipv6_address: str | None
    key_name: str | None
    iam_profile_arn: str | None
    security_group_ids: tuple[str, ...]
    interfaces: tuple[Interface, ...]
    is_source_dest_check: bool | None
    root_device_type: str | None
    root_device_name: str | None
    block_devices: tuple[BlockDevice, ...]
    tags: Mapping[str, str]
    metadata_options: MetadataOptions
    is_hibernation_configured: bool
    license_arns: tuple[str, ...]
    capacity_reservation_id: str | None
    is_capacity_reservation_targeted: bool
    capacity_block_id: str | None
    is_enclave: bool
    is_operator_managed: bool
    operator: str | None
    is_detailed_monitoring: bool
    is_ebs_optimized: bool | None
    auto_recovery: str | None
    reservation_id: str | None
    owner_id: str | None
    requester_id: str | None  # the AWS service that launched it, where one did

    @property
    def is_spot(self) -> bool:
        return self.lifecycle == "spot"


def instance_facts(answer: dict[str, Any], reservation: dict[str, Any]) -> InstanceFacts:
    """One entry of Reservations[].Instances[]."""
    placement = answer.get("Placement") or {}
    operator = answer.get("Operator") or {}
    return InstanceFacts(
        id=answer["InstanceId"],
        instance_type=answer.get("InstanceType", ""),
        state=(answer.get("State") or {}).get("Name", "unknown"),
        zone=placement.get("AvailabilityZone"),
        zone_id=placement.get("AvailabilityZoneId"),
        launched_at=answer.get("LaunchTime"),
        lifecycle=answer.get("InstanceLifecycle"),
        spot_request_id=answer.get("SpotInstanceRequestId"),
        image_id=answer.get("ImageId"),
        architecture=answer.get("Architecture"),
        virtualization=answer.get("VirtualizationType"),
        hypervisor=answer.get("Hypervisor"),
        has_ena_support=answer.get("EnaSupport"),
        boot_mode=answer.get("BootMode"),
        current_boot_mode=answer.get("CurrentInstanceBootMode"),
        tpm_support=answer.get("TpmSupport"),
        platform_details=answer.get("PlatformDetails"),
        usage_operation=answer.get("UsageOperation"),
        product_codes=tuple(code["ProductCodeId"] for code in answer.get("ProductCodes") or ()),
        tenancy=placement.get("Tenancy"),
        host_id=placement.get("HostId"),
        placement_group=placement.get("GroupName") or None,
        outpost_arn=answer.get("OutpostArn"),
        vpc_id=answer.get("VpcId"),
        subnet_id=answer.get("SubnetId"),
        private_ip=answer.get("PrivateIpAddress"),
        public_ip=answer.get("PublicIpAddress"),
        ipv6_address=answer.get("Ipv6Address"),
        key_name=answer.get("KeyName"),
        iam_profile_arn=(answer.get("IamInstanceProfile") or {}).get("Arn"),
        security_group_ids=tuple(group["GroupId"] for group in answer.get("SecurityGroups") or ()),
        interfaces=tuple(_interface(each) for each in answer.get("NetworkInterfaces") or ()),
        is_source_dest_check=answer.get("SourceDestCheck"),
        root_device_type=answer.get("RootDeviceType"),
        root_device_name=answer.get("RootDeviceName"),
        block_devices=tuple(_block_devices(answer)),
        tags=tags_of(answer),
        metadata_options=_metadata_options(answer.get("MetadataOptions") or {}),
        is_hibernation_configured=bool((answer.get("HibernationOptions") or {}).get("Configured")),
        license_arns=tuple(each["LicenseConfigurationArn"] for each in answer.get("Licenses") or ()),
        capacity_reservation_id=answer.get("CapacityReservationId"),
        is_capacity_reservation_targeted=_is_reservation_targeted(answer),
        capacity_block_id=answer.get("CapacityBlockId"),
        is_enclave=bool((answer.get("EnclaveOptions") or {}).get("Enabled")),
        is_operator_managed=bool(operator.get("Managed")),
        operator=operator.get("Principal"),
        is_detailed_monitoring=(answer.get("Monitoring") or {}).get("State") in {"enabled", "pending"},
        is_ebs_optimized=answer.get("EbsOptimized"),
        auto_recovery=(answer.get("MaintenanceOptions") or {}).get("AutoRecovery"),
        reservation_id=reservation.get("ReservationId"),
        owner_id=reservation.get("OwnerId"),
        requester_id=reservation.get("RequesterId"),
    )


def _interface(answer: dict[str, Any]) -> Interface:
    return Interface(
        id=answer["NetworkInterfaceId"],
        type=answer.get("InterfaceType"),
        device_index=(answer.get("Attachment") or {}).get("DeviceIndex"),
        subnet_id=answer.get("SubnetId"),
        private_ips=tuple(
            each["PrivateIpAddress"] for each in answer.get("PrivateIpAddresses") or () if "PrivateIpAddress" in each
        ),
        is_source_dest_check=answer.get("SourceDestCheck"),
        is_operator_managed=bool((answer.get("Operator") or {}).get("Managed")),
    )


def _block_devices(answer: dict[str, Any]) -> list[BlockDevice]:
    return [
        BlockDevice(each["DeviceName"], each["Ebs"]["VolumeId"], each["Ebs"].get("DeleteOnTermination"))
        for each in answer.get("BlockDeviceMappings") or ()
        if (each.get("Ebs") or {}).get("VolumeId")
    ]


def _metadata_options(answer: dict[str, Any]) -> MetadataOptions:
    return MetadataOptions(
        http_tokens=answer.get("HttpTokens"),
        hop_limit=answer.get("HttpPutResponseHopLimit"),
        endpoint=answer.get("HttpEndpoint"),
        ipv6=answer.get("HttpProtocolIpv6"),
        instance_tags=answer.get("InstanceMetadataTags"),
    )


def _is_reservation_targeted(answer: dict[str, Any]) -> bool:
    specification = answer.get("CapacityReservationSpecification") or {}
    return bool(specification.get("CapacityReservationTarget"))
