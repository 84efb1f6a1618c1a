"""What hardware is an instance type, and when is another the same or better?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """The hardware facts of an instance type that decide whether a workload may move there.

    None = the catalogue does not say; what a workload needs and a type does not state is not met.
    Source: DescribeInstanceTypes.
    """

    instance_type: str
    vcpus: int
    memory_mib: int
    architectures: tuple[str, ...]  # ("x86_64",), ("arm64",), ("i386", "x86_64")
    virtualization: tuple[str, ...]  # ("hvm",), ("hvm", "paravirtual")
    hypervisor: str | None  # "nitro" | "xen"; None for bare metal
    ena: str | None  # "required" | "supported" | "unsupported"
    nvme: str | None  # EBS volumes as NVMe: "required" | "supported" | "unsupported"
    boot_modes: tuple[str, ...]  # ("legacy-bios", "uefi")
    gpu_count: int
    gpu_name: str | None
    gpu_memory_mib: int
    accelerator_count: int  # Inferentia, Trainium, FPGA
    local_disk_gb: int  # instance store, 0 = EBS only
    ebs_baseline_mbps: float | None
    max_interfaces: int | None
    is_burstable: bool
    is_bare_metal: bool
    is_current_generation: bool
    is_spot_supported: bool
    network_gbps: float | None  # baseline
    efa: bool

    @property
    def family(self) -> str:
        return self.instance_type.partition(".")[0]

    @property
    def size(self) -> str:
        return self.instance_type.partition(".")[2]

    @property
    def memory_gib(self) -> float:
        return self.memory_mib / 1024


def shortfalls(
    needed: InstanceSpec, offered: InstanceSpec, *, architecture: str, local_disk_in_use: bool
) -> tuple[str, ...]:
    """Why `offered` cannot stand in for `needed`; empty when it is the same or better in every hard attribute.

    `architecture` is the running image's; `local_disk_in_use` says whether instance-store volumes are mounted.
    A fact that only one of the two states is a shortfall: unknown means no.
    """
    if offered.instance_type == needed.instance_type:
        return () if offered.is_spot_supported else ("not offered as Spot",)
    found: list[str] = []
    if offered.vcpus < needed.vcpus:
        found.append(f"{offered.vcpus} vCPU, {needed.vcpus} needed")
    if offered.memory_mib < needed.memory_mib:
        found.append(f"{offered.memory_gib:g} GiB memory, {needed.memory_gib:g} needed")
    if architecture not in offered.architectures:
        found.append(f"architecture {'/'.join(offered.architectures) or 'unknown'}, image is {architecture}")
    if not set(needed.virtualization) & set(offered.virtualization):
        found.append(f"virtualization {'/'.join(offered.virtualization) or 'unknown'}")
    if needed.is_bare_metal != offered.is_bare_metal:
        found.append("bare metal and virtual are not interchangeable")
    elif needed.hypervisor != offered.hypervisor:
        found.append(f"hypervisor {offered.hypervisor or 'unknown'}, now {needed.hypervisor or 'unknown'}")
    if not _driver_fits(needed.ena, offered.ena):
        found.append(f"ENA {offered.ena or 'unknown'}, now {needed.ena or 'unknown'}")
    if not _driver_fits(needed.nvme, offered.nvme):
        found.append(f"NVMe {offered.nvme or 'unknown'}, now {needed.nvme or 'unknown'}")
    if not set(needed.boot_modes) & set(offered.boot_modes):
        found.append(f"boot mode {'/'.join(offered.boot_modes) or 'unknown'}")
    if offered.gpu_count < needed.gpu_count or offered.gpu_memory_mib < needed.gpu_memory_mib:
        found.append(f"{offered.gpu_count} GPU, {needed.gpu_count} × {needed.gpu_name} needed")
    elif needed.gpu_count and needed.gpu_name != offered.gpu_name:
        found.append(f"GPU {offered.gpu_name or 'unknown'}, {needed.gpu_name} needed")
    if offered.accelerator_count < needed.accelerator_count:
        found.append(f"{offered.accelerator_count} accelerators, {needed.accelerator_count} needed")
    if local_disk_in_use and offered.local_disk_gb < needed.local_disk_gb:
        found.append(f"{offered.local_disk_gb} GB local disk, {needed.local_disk_gb} in use")
    if needed.ebs_baseline_mbps is not None and (offered.ebs_baseline_mbps or 0) < needed.ebs_baseline_mbps:
        found.append(f"EBS {offered.ebs_baseline_mbps or 0:g} Mbit/s, {needed.ebs_baseline_mbps:g} now")
    if not offered.is_spot_supported:
        found.append("not offered as Spot")
    return tuple(found)


def _driver_fits(needed: str | None, offered: str | None) -> bool:
    """An image that boots without ENA or NVMe need not have the driver for a type that requires it."""
    if needed is None or offered is None:
        return needed == offered
    if needed == "required":
        return offered in {"required", "supported"}
    return offered != "required" or needed == "supported"
