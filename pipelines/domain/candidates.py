"""Which pools could host the machine, and why can each of the others not?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from instances.domain.spec import InstanceSpec, shortfalls
from pipelines.domain.proposal import Candidate
from pipelines.domain.target import Subnet, Target

FEWEST_ADDRESSES = 8  # free in the subnet, so that the move does not take its last ones (safety.md, section 2)


@dataclass(frozen=True, slots=True)
class Screened:
    """The pools that may stand in, and for each reason the types or pools that may not."""

    candidates: tuple[Candidate, ...]
    rejected_types: Mapping[str, tuple[str, ...]]
    rejected_pools: Mapping[str, tuple[str, ...]]

    @property
    def commonest_rejection(self) -> str:
        """Why most pools of fitting types, or else most types, were turned away; empty where none was."""
        for grouped, what in ((self.rejected_pools, "pools"), (self.rejected_types, "types")):
            if grouped:
                reason, names = max(grouped.items(), key=lambda each: (len(each[1]), each[0]))
                return f"{reason} ({len(names)} {what})"
        return ""


def type_shortfalls(target: Target, specs: Mapping[str, InstanceSpec], types: Iterable[str]) -> dict[str, str]:
    """Why each of `types` cannot stand in, all its reasons in one line; an empty line = it can.

    A type the catalogue does not know cannot; without the target's own hardware none can.
    """
    needed = specs.get(target.instance_type)
    return {each: "; ".join(_type_reasons(target, needed, specs.get(each))) for each in types}


def _type_reasons(target: Target, needed: InstanceSpec | None, offered: InstanceSpec | None) -> tuple[str, ...]:
    if needed is None:
        return (f"the hardware of {target.instance_type} is unknown",)
    if offered is None:
        return ("its hardware is unknown",)
    if not target.architecture:
        return ("the image's architecture is unknown",)
    found = shortfalls(
        needed,
        offered,
        architecture=target.architecture,
        # nobody knows = in use: then at least as much local disk is asked for
        local_disk_in_use=target.has_local_disk_in_use is not False,
    )
    if offered.is_burstable and not needed.is_burstable:
        return (*found, "burstable: its vCPUs are shares of one, now they are whole")
    return found


def subnet_for(target: Target, zone_id: str) -> Subnet | str:
    """The subnet of the target's VPC to launch in, the target's own where it is in that zone; or why there is none."""
    own = next((subnet for subnet in target.subnets if subnet.subnet_id == target.subnet_id), None)
    if own is None:
        return "the target's own subnet is not known"
    there = [subnet for subnet in target.subnets if subnet.zone_id == zone_id]
    if not there:
        return f"no subnet of {target.vpc_id} in {zone_id}"
    reasons = []
    for subnet in sorted(there, key=lambda each: (each.subnet_id != own.subnet_id, each.subnet_id)):
        reason = _difference(own, subnet)
        if not reason:
            return subnet
        reasons.append(f"{subnet.subnet_id} {reason}")
    return "; ".join(reasons)


def _difference(own: Subnet, other: Subnet) -> str:
    """Why the subnet would not serve like the target's own; empty when it would."""
    if other.free_addresses is None:
        return f"has an unknown number of free addresses, {FEWEST_ADDRESSES} needed"
    if other.free_addresses < FEWEST_ADDRESSES:
        return f"has {other.free_addresses} free addresses, {FEWEST_ADDRESSES} needed"
    if other.subnet_id == own.subnet_id:
        return ""
    compared = (
        ("route table", other.route_table_id, own.route_table_id),
        ("network ACL", other.network_acl_id, own.network_acl_id),
        ("public-address rule", other.is_public_ip_mapped, own.is_public_ip_mapped),
    )
    for what, there, here in compared:
        if there is None or there != here:
            return f"has another {what} ({there}, now {here})"
    return ""


def screen(
    target: Target,
    pools: Sequence[Candidate],
    *,
    reasons_by_type: Mapping[str, str],
    missing: Mapping[str, Collection[str]],
) -> Screened:
    """Split `pools` (every pool of the region and product, `subnet_id` still empty).

    `missing` names by pool the data that is not known: such a pool is left out, and says what is missing.
    """
    kept: list[Candidate] = []
    rejected: dict[str, list[str]] = {}
    subnets = {zone: subnet_for(target, zone) for zone in {pool.zone_id for pool in pools}}
    for pool in pools:
        if reasons_by_type.get(pool.instance_type, "its hardware is unknown"):
            continue  # said once for the type
        subnet = subnets[pool.zone_id]
        reason = _pool_reason(pool, subnet, missing.get(pool.pool, ()))
        if reason or isinstance(subnet, str):
            rejected.setdefault(reason, []).append(pool.pool)
        else:
            kept.append(replace(pool, subnet_id=subnet.subnet_id))
    by_type: dict[str, list[str]] = {}
    for instance_type, reason in reasons_by_type.items():
        if reason:
            by_type.setdefault(reason, []).append(instance_type)
    return Screened(tuple(sorted(kept, key=lambda each: each.pool)), _sorted(by_type), _sorted(rejected))


def _pool_reason(pool: Candidate, subnet: Subnet | str, missing: Collection[str]) -> str:
    if isinstance(subnet, str):
        return subnet
    unknown = list(missing)
    if not unknown and None in (pool.spot_usd_micro, pool.interruption_probability, pool.safety_score):
        unknown = ["price, probability or safety score"]
    return f"unknown: {', '.join(unknown)}" if unknown else ""


def _sorted(grouped: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {reason: tuple(sorted(grouped[reason])) for reason in sorted(grouped)}
