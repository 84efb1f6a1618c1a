"""What hangs on the machine and where it stands: is any of it lost, or changed, when a copy takes over?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.domain.target import Disk, Target
from pipelines.domain.verdict import Verdict, fails, passes, refused_for, refused_if, unknown

LOCAL_ZONE = re.compile(r"^[a-z]{2,5}\d-[a-z]{3}\d-az\d+$")  # `use1-bos1-az1`


def disks(target: Target) -> list[Verdict]:
    data = [disk for disk in target.disks if disk.device != target.root_device]
    kept = [disk for disk in target.disks if disk.delete_on_termination is False]
    shared = [disk for disk in target.disks if disk.is_multi_attach]
    return [
        _root(target),
        refused_if(
            "local_disk",
            target.has_local_disk_in_use,
            "instance-store volumes are in use: their data is lost on terminate",
            "no instance-store volume in use",
            asked="whether instance-store volumes are in use",
        ),
        refused_for(
            "data_volumes",
            _names(data),
            f"data volumes beyond the root ({_names(data)}): an image is a moment, later writes stay on the old disk",
            "only the root volume",
        ),
        refused_for(
            "kept_volumes",
            _names(kept),
            f"DeleteOnTermination is off for {_names(kept)}: somebody wants to keep it",
            "every volume goes with the instance",
        )
        if all(disk.delete_on_termination is not None for disk in target.disks)
        else unknown("kept_volumes", "AWS did not say which volumes go with the instance"),
        refused_for(
            "shared_volumes", _names(shared), f"{_names(shared)} may be attached elsewhere", "no multi-attach volume"
        )
        if all(disk.is_multi_attach is not None for disk in target.disks)
        else unknown("shared_volumes", "AWS did not say whether a volume is multi-attach"),
    ]


def _root(target: Target) -> Verdict:
    if target.root_device_type is None or target.root_device is None:
        return unknown("root_volume", "AWS did not say what the root volume is")
    if target.root_device_type != "ebs":
        return fails("root_volume", target.root_device_type, "an instance-store root is lost on terminate")
    if all(disk.device != target.root_device for disk in target.disks):
        return unknown("root_volume", f"AWS listed no volume at {target.root_device}, so its disks are not known")
    return passes("root_volume", "ebs", f"EBS root at {target.root_device}")


def _names(disks: Sequence[Disk]) -> str:
    return ", ".join(f"{disk.volume_id} at {disk.device}" for disk in disks)


def network(target: Target) -> list[Verdict]:
    return [
        _only_one("interfaces", target.n_interfaces, "network interfaces: an address cannot be in two places"),
        _only_one("private_addresses", target.n_private_ips, "private addresses: somebody relies on the further ones"),
        refused_if(
            "forwarding",
            None if target.is_source_dest_check is None else not target.is_source_dest_check,
            "SourceDestCheck is off: it routes for others",
            "SourceDestCheck is on",
            asked="whether SourceDestCheck is on",
        ),
        refused_if(
            "route_target",
            target.is_route_target,
            "a route table points to it",
            "no route points to it",
            asked="whether a route points to it",
        ),
        refused_if(
            "efa", target.has_efa, "an Elastic Fabric Adapter is attached", "no EFA", asked="whether it has an EFA"
        ),
    ]


def _only_one(gate: str, count: int | None, what: str) -> Verdict:
    if count is None:
        return unknown(gate, f"AWS did not say how many {what.partition(':')[0]} it has")
    return fails(gate, count, f"{count} {what}") if count != 1 else passes(gate, 1, f"one of {what.partition(':')[0]}")


def placement(target: Target) -> list[Verdict]:
    local = target.zone_id if LOCAL_ZONE.match(target.zone_id) else ""
    return [
        _tenancy(target),
        refused_for("host", target.host_id, f"it sits on the dedicated host {target.host_id}", "on no dedicated host"),
        refused_if(
            "capacity_reservation",
            target.is_capacity_reservation_targeted,
            "it was launched into a capacity reservation",
            "no capacity reservation is targeted",
            asked="whether a capacity reservation is targeted",
        ),
        refused_for(
            "capacity_block", target.capacity_block_id, f"in {target.capacity_block_id}", "in no capacity block"
        ),
        _placement_group(target),
        refused_for("outpost", target.outpost_arn, f"runs on the Outpost {target.outpost_arn}", "on no Outpost"),
        refused_for("local_zone", local, f"{local} is a Local Zone", "in no Local Zone"),
        refused_if(
            "enclave",
            target.is_enclave,
            "Nitro Enclaves are enabled",
            "no enclave",
            asked="whether Nitro Enclaves are enabled",
        ),
    ]


def _tenancy(target: Target) -> Verdict:
    if target.tenancy is None:
        return unknown("tenancy", "AWS did not say its tenancy")
    if target.tenancy != "default":
        return fails("tenancy", target.tenancy, f"{target.tenancy} tenancy: cost and licences would change silently")
    return passes("tenancy", "default", "shared tenancy")


def _placement_group(target: Target) -> Verdict:
    gate, group, strategy = "placement_group", target.placement_group, target.placement_strategy
    if not group:
        return passes(gate, None, "in no placement group")
    if strategy is None:
        return unknown(gate, f"AWS did not say how the placement group {group} places")
    if strategy in {"cluster", "spread"}:
        return fails(gate, group, f"in the {strategy} placement group {group}: placement would change silently")
    return passes(gate, group, f"the placement group {group} is of the kind {strategy}")
