"""How is the copy of an instance asked for? One function, field by field, from a described instance.

Every field of EC2's Instance is copied, derived or refused, and every field of RunInstances is sent or left out for a
reason: a test holds both lists to botocore's description, so that a field AWS adds cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.domain.plan import MANAGED_TAG, MANAGED_VALUE, OPERATION_TAG, REPLACES_TAG

MOST_TAGS = 50  # EC2 guide, "Tag restrictions"
WITH_IOPS, WITH_THROUGHPUT = frozenset({"gp3", "io1", "io2"}), frozenset({"gp3"})

COPIED = frozenset(
    {
        *("CpuOptions", "EbsOptimized", "IamInstanceProfile", "KeyName", "MaintenanceOptions", "MetadataOptions"),
        *("Monitoring", "NetworkPerformanceOptions", "PrivateDnsNameOptions", "SecurityGroups", "Tags"),
        "BlockDeviceMappings",  # type, size, IOPS, throughput and key of each disk
        "NetworkInterfaces",  # whether it has a public address, how many of IPv6, its groups and description
    }
)
# Belongs to the one machine, follows from the image or the type, or is decided by the candidate
DERIVED = frozenset(
    {
        *("AmiLaunchIndex", "Architecture", "BootMode", "ClientToken", "CurrentInstanceBootMode", "EnaSupport"),
        *("Hypervisor", "ImageId", "InstanceId", "InstanceType", "Ipv6Address", "LaunchTime", "Placement"),
        *("PlatformDetails", "PrivateDnsName", "PrivateIpAddress", "PublicDnsName", "PublicIpAddress"),
        *("RootDeviceName", "RootDeviceType", "SpotInstanceRequestId", "SriovNetSupport", "State", "StateReason"),
        *("StateTransitionReason", "SubnetId", "TpmSupport", "UsageOperationUpdateTime", "VirtualizationType", "VpcId"),
    }
)
REFUSED = frozenset(
    {
        *("CapacityBlockId", "CapacityReservationId", "CapacityReservationSpecification"),
        *("ElasticGpuAssociations", "ElasticInferenceAcceleratorAssociations", "EnclaveOptions", "HibernationOptions"),
        *("InstanceLifecycle", "KernelId", "Licenses", "Operator", "OutpostArn", "Platform", "ProductCodes"),
        *("RamdiskId", "SecondaryInterfaces", "SourceDestCheck", "UsageOperation"),
    }
)
SENT = frozenset(
    {
        *("BlockDeviceMappings", "ClientToken", "CpuOptions", "CreditSpecification", "EbsOptimized"),
        *("IamInstanceProfile", "ImageId", "InstanceInitiatedShutdownBehavior", "InstanceMarketOptions"),
        *("InstanceType", "KeyName", "MaintenanceOptions", "MaxCount", "MetadataOptions", "MinCount", "Monitoring"),
        *("NetworkInterfaces", "NetworkPerformanceOptions", "PrivateDnsNameOptions", "TagSpecifications", "UserData"),
    }
)
# Why each of the others is never sent
LEFT_OUT: Mapping[str, str] = {
    **dict.fromkeys(
        ("SubnetId", "SecurityGroupIds", "SecurityGroups", "PrivateIpAddress", "Ipv6Addresses", "Ipv6AddressCount"),
        "the network interface says it",
    ),
    **dict.fromkeys(("EnablePrimaryIpv6",), "the network interface says it"),
    **dict.fromkeys(
        ("KernelId", "RamdiskId", "LicenseSpecifications", "EnclaveOptions", "HibernationOptions", "Operator"),
        "whoever has it is refused",
    ),
    **dict.fromkeys(
        ("ElasticGpuSpecification", "ElasticInferenceAccelerators", "SecondaryInterfaces"), "whoever has it is refused"
    ),
    "CapacityReservationSpecification": "Spot uses no reservation",
    "DisableApiStop": "protected instances are refused",
    "DisableApiTermination": "Spot cannot be protected",
    "Placement": "the subnet decides the zone; other placements are refused",
    "LaunchTemplate": "every field is spelt out",
    "DryRun": "the preflight adds it",
    "AdditionalInfo": "reserved by AWS",
}


class CannotCopy(ValueError):
    """A copy would not be the same machine: `reasons` has one sentence for each field."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Original:
    """The instance as AWS describes it, and what only other calls tell."""

    instance: Mapping[str, Any]  # EC2's Instance
    volumes: Sequence[Mapping[str, Any]]  # EC2's Volume, each that it has
    user_data: str  # base64; empty = none
    credit_mode: str | None  # of burstable types
    shutdown_behavior: str
    vcpus: int | None  # of its type


@dataclass(frozen=True, slots=True)
class Copy:
    """Where the copy is to run, and for whom. `image_id` None: from the instance's own image."""

    operation_id: str
    instance_type: str
    subnet_id: str
    is_burstable: bool
    image_id: str | None = None


def launch_request(original: Original, copy: Copy) -> dict[str, Any]:
    """RunInstances without its token, as JSON keeps it (user data in base64). Raises CannotCopy with every reason."""
    instance = original.instance
    reasons = [*refusals(instance), *_disk_refusals(original), *_cpu_refusals(original, copy), *_tag_refusals(instance)]
    if reasons:
        raise CannotCopy(reasons)
    request: dict[str, Any] = {
        "ImageId": copy.image_id or instance["ImageId"],
        "InstanceType": copy.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceMarketOptions": {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
        },
        "NetworkInterfaces": [_interface(instance, copy.subnet_id)],
        "BlockDeviceMappings": [
            _disk(mapping, original.volumes) for mapping in instance.get("BlockDeviceMappings", ())
        ],
        "TagSpecifications": _tags(original, copy),
        "MetadataOptions": _chosen(
            instance.get("MetadataOptions"),
            *("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "HttpProtocolIpv6", "InstanceMetadataTags"),
        ),
        "Monitoring": {"Enabled": (instance.get("Monitoring") or {}).get("State") in {"enabled", "pending"}},
        "MaintenanceOptions": _chosen(instance.get("MaintenanceOptions"), "AutoRecovery"),
        "PrivateDnsNameOptions": _chosen(
            instance.get("PrivateDnsNameOptions"),
            *("HostnameType", "EnableResourceNameDnsARecord", "EnableResourceNameDnsAAAARecord"),
        ),
        "NetworkPerformanceOptions": _bandwidth(instance),
        "CpuOptions": _cpus(original, copy),
        "CreditSpecification": {"CpuCredits": original.credit_mode} if _keeps_credits(original, copy) else {},
        # Describe tells Id and Arn; a launch takes one of Arn and Name
        "IamInstanceProfile": _chosen(instance.get("IamInstanceProfile"), "Arn"),
        "KeyName": instance.get("KeyName"),
        "EbsOptimized": instance.get("EbsOptimized"),
        "UserData": original.user_data,
        # "stop" is the default, and no choice of a one-time Spot instance
        "InstanceInitiatedShutdownBehavior": "terminate" if original.shutdown_behavior == "terminate" else None,
    }
    return {name: value for name, value in request.items() if value not in (None, "", {}, [])}


def refusals(instance: Mapping[str, Any]) -> list[str]:
    """Why a machine with these fields is not copied; None of AWS's means that it has none."""
    placement = instance.get("Placement") or {}
    reservation = instance.get("CapacityReservationSpecification") or {}
    interfaces = instance.get("NetworkInterfaces") or ()
    addresses = [each for interface in interfaces for each in interface.get("PrivateIpAddresses") or ()]
    prefixes = [each for interface in interfaces for each in (interface.get("Ipv4Prefixes") or ())]
    usage = instance.get("UsageOperation")
    has = (
        ("it is no On-Demand instance", instance.get("InstanceLifecycle")),
        ("it is managed by an AWS service", (instance.get("Operator") or {}).get("Managed")),
        ("it runs on an Outpost", instance.get("OutpostArn")),
        ("it runs Windows", instance.get("Platform")),
        ("it carries a Marketplace product", instance.get("ProductCodes")),
        (f"it is billed as {usage}", usage not in {None, "RunInstances"}),
        ("it has a license configuration", instance.get("Licenses")),
        ("it runs in a capacity block", instance.get("CapacityBlockId")),
        ("it runs in a capacity reservation", instance.get("CapacityReservationId")),
        ("it targets a capacity reservation", reservation.get("CapacityReservationTarget")),
        ("it has an enclave", (instance.get("EnclaveOptions") or {}).get("Enabled")),
        ("it can hibernate", (instance.get("HibernationOptions") or {}).get("Configured")),
        ("it has a kernel of its own", instance.get("KernelId") or instance.get("RamdiskId")),
        ("it has an elastic GPU", instance.get("ElasticGpuAssociations")),
        ("it has an inference accelerator", instance.get("ElasticInferenceAcceleratorAssociations")),
        ("it routes for others", instance.get("SourceDestCheck") is False),
        ("it has secondary interfaces", instance.get("SecondaryInterfaces")),
        (f"it has {len(interfaces)} network interfaces", len(interfaces) != 1),
        (f"it has {len(addresses)} private addresses", len(addresses) > 1 or prefixes),
        ("its interface is an EFA", any(str(each.get("InterfaceType", "")).startswith("efa") for each in interfaces)),
        ("its tenancy is not shared", placement.get("Tenancy", "default") != "default" or placement.get("HostId")),
        ("it is in a placement group", placement.get("GroupName")),
        ("its root disk is instance store", instance.get("RootDeviceType") != "ebs"),
        ("its memory is encrypted by SEV-SNP", (instance.get("CpuOptions") or {}).get("AmdSevSnp") == "enabled"),
    )
    return [reason for reason, fact in has if fact]


def _disk_refusals(original: Original) -> list[str]:
    known = {volume["VolumeId"] for volume in original.volumes}
    root = original.instance.get("RootDeviceName")
    reasons = []
    for mapping in original.instance.get("BlockDeviceMappings") or ():
        disk = mapping.get("Ebs") or {}
        if mapping.get("DeviceName") != root:
            reasons.append(f"it has the data disk {mapping.get('DeviceName')}")
        elif disk.get("DeleteOnTermination") is not True:
            reasons.append("its root disk outlives it")
        elif disk.get("VolumeId") not in known:
            reasons.append(f"the volume {disk.get('VolumeId')} is not described")
    return reasons


def _cpu_refusals(original: Original, copy: Copy) -> list[str]:
    """Cores and threads of a type's own are left to the new type; chosen ones are kept, or the copy is refused."""
    chosen = original.instance.get("CpuOptions") or {}
    if not chosen or copy.instance_type == original.instance.get("InstanceType"):
        return []
    if chosen.get("NestedVirtualization") == "enabled":
        return ["it runs virtual machines of its own"]
    count = chosen.get("CoreCount", 0) * chosen.get("ThreadsPerCore", 0)
    if original.vcpus is None or count != original.vcpus:
        return [f"its {count} vCPUs were chosen, of {original.vcpus or 'an unknown number'}: another type has others"]
    return []


def _tag_refusals(instance: Mapping[str, Any]) -> list[str]:
    n = len(_own_tags(instance.get("Tags"))) + len(_our_tags("", ""))
    return [f"{n} tags, with ours; EC2 takes {MOST_TAGS}"] if n > MOST_TAGS else []


def _interface(instance: Mapping[str, Any], subnet_id: str) -> dict[str, Any]:
    """One new interface; an Elastic IP follows later, an address of the subnet's pool is asked for as it was."""
    old = instance["NetworkInterfaces"][0]
    made = {
        "DeviceIndex": 0,
        "SubnetId": subnet_id,
        "Groups": [group["GroupId"] for group in old.get("Groups") or instance.get("SecurityGroups") or ()],
        "DeleteOnTermination": True,
        "Description": old.get("Description") or None,
        "Ipv6AddressCount": len(old.get("Ipv6Addresses") or ()) or None,
    }
    association = old.get("Association") or {}
    if not association or association.get("IpOwnerId") == "amazon":
        made["AssociatePublicIpAddress"] = bool(association)
    return {name: value for name, value in made.items() if value is not None}


def _disk(mapping: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The disk as it is, from the image's snapshot: no silent change of type or speed."""
    volume = next(each for each in volumes if each["VolumeId"] == mapping["Ebs"]["VolumeId"])
    kind = volume["VolumeType"]
    ebs = {"VolumeType": kind, "VolumeSize": volume["Size"], "DeleteOnTermination": True}
    if kind in WITH_IOPS and volume.get("Iops"):
        ebs["Iops"] = volume["Iops"]
    if kind in WITH_THROUGHPUT and volume.get("Throughput"):
        ebs["Throughput"] = volume["Throughput"]
    if volume.get("Encrypted"):
        ebs["Encrypted"] = True
        if volume.get("KmsKeyId"):
            ebs["KmsKeyId"] = volume["KmsKeyId"]
    return {"DeviceName": mapping["DeviceName"], "Ebs": ebs}


def _tags(original: Original, copy: Copy) -> list[dict[str, Any]]:
    """Ours first, in the call itself: a crash directly after it leaves nothing that nobody knows."""
    ours = _our_tags(copy.operation_id, str(original.instance["InstanceId"]))
    disks = {key: value for volume in original.volumes for key, value in _own_tags(volume.get("Tags")).items()}
    of_disks = {**ours, **dict(list(disks.items())[: MOST_TAGS - len(ours)])}
    by_kind = {
        "instance": {**ours, **_own_tags(original.instance.get("Tags"))},
        "volume": of_disks,
        "network-interface": ours,
        "spot-instances-request": ours,
    }
    return [
        {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for kind, tags in by_kind.items()
    ]


def _our_tags(operation_id: str, replaces: str) -> dict[str, str]:
    return {MANAGED_TAG: MANAGED_VALUE, OPERATION_TAG: operation_id, REPLACES_TAG: replaces}


def _own_tags(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Those that a person may set, and that are not ours to say."""
    ours = {MANAGED_TAG, OPERATION_TAG, REPLACES_TAG}
    return {
        tag["Key"]: tag.get("Value", "")
        for tag in tags or ()
        if not tag["Key"].startswith("aws:") and tag["Key"] not in ours
    }


def _cpus(original: Original, copy: Copy) -> dict[str, Any]:
    if copy.instance_type != original.instance.get("InstanceType"):
        return {}
    return _chosen(original.instance.get("CpuOptions"), "CoreCount", "ThreadsPerCore", "NestedVirtualization")


def _bandwidth(instance: Mapping[str, Any]) -> dict[str, Any]:
    chosen = _chosen(instance.get("NetworkPerformanceOptions"), "BandwidthWeighting")
    return {} if chosen.get("BandwidthWeighting") == "default" else chosen


def _keeps_credits(original: Original, copy: Copy) -> bool:
    return copy.is_burstable and bool(original.credit_mode)


def _chosen(found: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names if found and found.get(name) is not None}
