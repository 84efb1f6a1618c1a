"""What hardware is an instance type, as DescribeInstanceTypes tells it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class InstanceTypeFacts:
    """Field by field what `instances.domain.spec.InstanceSpec` wants; None = AWS did not say."""

    instance_type: str
    vcpus: int | None
    memory_mib: int | None
    architectures: tuple[str, ...]
    virtualization: tuple[str, ...]
    hypervisor: str | None
    ena: str | None
    nvme: str | None
    boot_modes: tuple[str, ...]
    gpu_count: int
    gpu_name: str | None
    gpu_memory_mib: int
    accelerator_count: int
    local_disk_gb: int
    ebs_baseline_mbps: float | None
    max_interfaces: int | None
    is_burstable: bool
    is_bare_metal: bool
    is_current_generation: bool
    is_spot_supported: bool
    network_gbps: float | None
    efa: bool


def instance_type_facts(answer: dict[str, Any]) -> InstanceTypeFacts:
    """One entry of InstanceTypes. AWS leaves out the section of a device that a type has not: 0, not unknown."""
    network, ebs = answer.get("NetworkInfo") or {}, answer.get("EbsInfo") or {}
    gpus = (answer.get("GpuInfo") or {}).get("Gpus") or []
    return InstanceTypeFacts(
        instance_type=answer["InstanceType"],
        vcpus=(answer.get("VCpuInfo") or {}).get("DefaultVCpus"),
        memory_mib=(answer.get("MemoryInfo") or {}).get("SizeInMiB"),
        architectures=tuple((answer.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ()),
        virtualization=tuple(answer.get("SupportedVirtualizationTypes") or ()),
        hypervisor=answer.get("Hypervisor") or None,
        ena=network.get("EnaSupport"),
        nvme=ebs.get("NvmeSupport"),
        boot_modes=tuple(answer.get("SupportedBootModes") or ()),
        gpu_count=_count(gpus),
        gpu_name=gpus[0].get("Name") if gpus else None,
        gpu_memory_mib=(answer.get("GpuInfo") or {}).get("TotalGpuMemoryInMiB") or 0,
        accelerator_count=_accelerators(answer),
        local_disk_gb=(answer.get("InstanceStorageInfo") or {}).get("TotalSizeInGB") or 0,
        ebs_baseline_mbps=(ebs.get("EbsOptimizedInfo") or {}).get("BaselineBandwidthInMbps"),
        max_interfaces=network.get("MaximumNetworkInterfaces"),
        is_burstable=bool(answer.get("BurstablePerformanceSupported")),
        is_bare_metal=bool(answer.get("BareMetal")),
        is_current_generation=bool(answer.get("CurrentGeneration")),
        is_spot_supported="spot" in (answer.get("SupportedUsageClasses") or ()),
        network_gbps=_baseline_gbps(network.get("NetworkCards") or []),
        efa=bool(network.get("EfaSupported")),
    )


def _accelerators(answer: dict[str, Any]) -> int:
    """Inferentia and Trainium stand in two sections, the older of which newer types leave out: the larger counts."""
    inference = _count((answer.get("InferenceAcceleratorInfo") or {}).get("Accelerators") or ())
    neuron = _count((answer.get("NeuronInfo") or {}).get("NeuronDevices") or ())
    fpga = _count((answer.get("FpgaInfo") or {}).get("Fpgas") or ())
    media = _count((answer.get("MediaAcceleratorInfo") or {}).get("Accelerators") or ())
    return max(inference, neuron) + fpga + media


def _count(devices: Iterable[dict[str, Any]]) -> int:
    return sum(device.get("Count") or 0 for device in devices)


def _baseline_gbps(cards: list[dict[str, Any]]) -> float | None:
    known = [float(card["BaselineBandwidthInGbps"]) for card in cards if "BaselineBandwidthInGbps" in card]
    return sum(known) if known and len(known) == len(cards) else None
