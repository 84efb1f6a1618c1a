"""Gate zero: may this machine be replaced by a copy at all? (safety.md, section 2)

Every refusal is a verdict of its own, answered whatever the others say, with the value that offends. A fact nobody
knows is `unknown`, which refuses too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.domain import marks
from pipelines.domain.proposal import Facts
from pipelines.domain.target import Disk, Target
from pipelines.domain.verdict import Outcome, Verdict, fails, not_applicable, passes, unknown

LOCAL_ZONE = re.compile(r"^[a-z]{2,5}\d-[a-z]{3}\d-az\d+$")  # `use1-bos1-az1`
PLAIN_LINUX = "RunInstances"  # the usage operation of Linux without a licence fee
MOST_TAGS = 50  # EC2's own limit
OUR_TAGS = 3  # ManagedBy, spotopt:operation, spotopt:replaces


def refusals(facts: Facts) -> tuple[Verdict, ...]:
    """Every refusal's answer, always all of them and in the same order."""
    target = facts.target
    return (
        *_standing(target),
        *_ownership(facts),
        *_disks(target),
        *_network(target),
        *_protection(facts),
        *_placement(target),
        *_licences(target),
        *_commitments(facts),
        *_word_of_people(facts),
    )


def _standing(target: Target) -> list[Verdict]:
    state, market = "running", "On-Demand"
    return [
        passes("running", state, "it runs")
        if target.state == "running"
        else fails("running", target.state, f"it is {target.state}: only running instances are moved"),
        fails("on_demand", "Spot", "it already runs on Spot")
        if target.is_spot
        else passes("on_demand", market, "it runs On-Demand"),
        _stated("product", target.product, "the platform is one we have no prices for"),
        _stated("zone", target.zone_id, "the account's zone map does not know its zone"),
    ]


def _stated(gate: str, value: str, otherwise: str) -> Verdict:
    return passes(gate, value, value) if value else unknown(gate, otherwise)


def _ownership(facts: Facts) -> list[Verdict]:
    target, tags = facts.target, facts.target.tags
    group = target.group_name or tags.get(marks.GROUP_TAG, "")
    cluster = target.cluster_name or marks.matching(tags, marks.CLUSTER_TAGS)
    stack = marks.matching(tags, (*marks.STACK_TAGS, *facts.policy.infrastructure_tags))
    return [
        _none(
            "group_member",
            group,
            f"belongs to the Auto Scaling group {group}: replaced through its group, never alone",
            "in no Auto Scaling group",
        ),
        _none(
            "cluster_node",
            cluster,
            f"is a node of the cluster {cluster}: replaced through its cluster, never alone",
            "no node of a cluster",
        ),
        _none(
            "service_run",
            target.operator or marks.service_mark(tags),
            f"{target.operator or marks.service_mark(tags)} runs it and would fight a change",
            "no AWS service runs it",
        ),
        _none(
            "infrastructure_code",
            stack,
            f"the tag {stack} says that infrastructure code owns it: the next deploy would undo the move",
            "no infrastructure code owns it",
        ),
        _none_of_too_many_tags(target),
    ]


def _none_of_too_many_tags(target: Target) -> Verdict:
    copied = sum(not tag.startswith("aws:") for tag in target.tags)
    if copied + OUR_TAGS > MOST_TAGS:
        return fails("tags", copied, f"{copied} tags and {OUR_TAGS} of ours: EC2 takes {MOST_TAGS}")
    return passes("tags", copied, f"{copied} tags to copy")


def _none(gate: str, offending: str, why: str, otherwise: str) -> Verdict:
    """Refuses when there is an offending value."""
    return fails(gate, offending, why) if offending else passes(gate, None, otherwise)


def _not(gate: str, fact: bool | None, why: str, otherwise: str, *, asked: str) -> Verdict:
    """Refuses when the fact holds, or when nobody knows (`asked` says what)."""
    if fact is None:
        return unknown(gate, f"AWS did not say {asked}")
    return fails(gate, True, why) if fact else passes(gate, False, otherwise)


def _disks(target: Target) -> list[Verdict]:
    data = [disk for disk in target.disks if disk.device != target.root_device]
    kept = [disk for disk in target.disks if disk.delete_on_termination is False]
    shared = [disk for disk in target.disks if disk.is_multi_attach]
    return [
        _root(target),
        _not(
            "local_disk",
            target.has_local_disk_in_use,
            "instance-store volumes are in use: their data is lost on terminate",
            "no instance-store volume in use",
            asked="whether instance-store volumes are in use",
        ),
        _none(
            "data_volumes",
            _names(data),
            f"data volumes beyond the root ({_names(data)}): an image is a moment, later writes stay on the old disk",
            "only the root volume",
        ),
        _none(
            "kept_volumes",
            _names(kept),
            f"DeleteOnTermination is off for {_names(kept)}: somebody wants to keep it",
            "every volume goes with the instance",
        )
        if all(disk.delete_on_termination is not None for disk in target.disks)
        else unknown("kept_volumes", "AWS did not say which volumes go with the instance"),
        _none("shared_volumes", _names(shared), f"{_names(shared)} may be attached elsewhere", "no multi-attach volume")
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


def _network(target: Target) -> list[Verdict]:
    return [
        _only_one("interfaces", target.n_interfaces, "network interfaces: an address cannot be in two places"),
        _only_one("private_addresses", target.n_private_ips, "private addresses: somebody relies on the further ones"),
        _not(
            "forwarding",
            None if target.is_source_dest_check is None else not target.is_source_dest_check,
            "SourceDestCheck is off: it routes for others",
            "SourceDestCheck is on",
            asked="whether SourceDestCheck is on",
        ),
        _not(
            "route_target",
            target.is_route_target,
            "a route table points to it",
            "no route points to it",
            asked="whether a route points to it",
        ),
        _not("efa", target.has_efa, "an Elastic Fabric Adapter is attached", "no EFA", asked="whether it has an EFA"),
    ]


def _only_one(gate: str, count: int | None, what: str) -> Verdict:
    if count is None:
        return unknown(gate, f"AWS did not say how many {what.partition(':')[0]} it has")
    return fails(gate, count, f"{count} {what}") if count != 1 else passes(gate, 1, f"one of {what.partition(':')[0]}")


def _protection(facts: Facts) -> list[Verdict]:
    target = facts.target
    ignored = next((tag for tag in facts.ignore_tags if tag in target.tags), "")
    said: list[tuple[str, bool | None, str]] = [
        ("termination_protection", target.is_termination_protected, "termination protection"),
        ("stop_protection", target.is_stop_protected, "stop protection"),
        ("scale_in_protection", target.is_scale_in_protected, "scale-in protection"),
        ("hibernation", target.is_hibernation_configured, "hibernation"),
    ]
    return [
        *(
            _not(gate, fact, f"{what} is on", f"{what} is off", asked=f"whether {what} is on")
            for gate, fact, what in said
        ),
        _none("ignore_tag", ignored, f"the tag {ignored} says hands off", "no tag says hands off"),
    ]


def _placement(target: Target) -> list[Verdict]:
    local = target.zone_id if LOCAL_ZONE.match(target.zone_id) else ""
    return [
        _tenancy(target),
        _none("host", target.host_id, f"it sits on the dedicated host {target.host_id}", "on no dedicated host"),
        _not(
            "capacity_reservation",
            target.is_capacity_reservation_targeted,
            "it was launched into a capacity reservation",
            "no capacity reservation is targeted",
            asked="whether a capacity reservation is targeted",
        ),
        _none("capacity_block", target.capacity_block_id, f"in {target.capacity_block_id}", "in no capacity block"),
        _placement_group(target),
        _none("outpost", target.outpost_arn, f"runs on the Outpost {target.outpost_arn}", "on no Outpost"),
        _none("local_zone", local, f"{local} is a Local Zone", "in no Local Zone"),
        _not(
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


def _licences(target: Target) -> list[Verdict]:
    platform, operation = target.platform_details, target.usage_operation
    is_windows = None if platform is None else "windows" in platform.lower()
    return [
        _none(
            "license",
            ", ".join(target.license_arns),
            f"bound to the license configuration {', '.join(target.license_arns)}",
            "no license configuration",
        ),
        _not(
            "windows",
            is_windows,
            f"{platform}: Sysprep, domain join and host-bound licences do not survive a copy",
            f"platform {platform}",
            asked="its platform",
        ),
        _none(
            "product_codes",
            ", ".join(target.product_codes),
            f"carries the Marketplace product code {', '.join(target.product_codes)}",
            "no Marketplace product",
        ),
        unknown("usage_operation", "AWS did not say how it is billed")
        if operation is None
        else passes("usage_operation", operation, "billed as plain Linux")
        if operation == PLAIN_LINUX
        else fails("usage_operation", operation, f"billed as {operation}: a licence fee is in its price"),
    ]


def _commitments(facts: Facts) -> list[Verdict]:
    """What a Savings Plan covers cannot be read from EC2, so it is a word of a person, needed before acting."""
    reserved, plans = "reserved_instances", "savings_plans"
    if facts.policy.are_commitments_declared:
        return [passes(gate, "declared", "the policy declares the commitments") for gate in (reserved, plans)]
    covering = facts.target.reservations
    asked = Verdict(
        plans,
        Outcome.NEEDED,
        None,
        "declared",
        None,
        "needed before acting: whether a Savings Plan covers it cannot be read; the policy can declare the commitments",
    )
    if covering is None:
        return [unknown(reserved, "the account's Reserved Instances could not be read"), asked]
    names = ", ".join(covering)
    why = f"the reservation {names} may cover it: moving it saves nothing while the commitment runs"
    return [_none(reserved, names, why, "no active reservation matches it"), asked]


def _word_of_people(facts: Facts) -> list[Verdict]:
    target = facts.target
    return [_health(facts, target), _write_rate(facts), _stateless(target)]


def _health(facts: Facts, target: Target) -> Verdict:
    if facts.is_shadow:
        return not_applicable("health_url", "its health URL is probed right before acting; in shadow nobody acts")
    check = target.health_check or "no health URL"
    return unknown("health_url", f"{check}: not probed yet, so there is no baseline to compare with")


def _write_rate(facts: Facts) -> Verdict:
    if facts.is_shadow:
        return not_applicable("write_rate", "how fast its disks are written is measured before acting")
    return unknown("write_rate", "how fast its disks are written has not been measured")


def _stateless(target: Target) -> Verdict:
    said_by, said_at = target.stateless_said_by, target.stateless_said_at
    if said_by and said_at:
        return passes("stateless", said_by, f"{said_by} stated on {said_at:%Y-%m-%d} that it holds no state")
    detail = "needed before acting: nobody has stated that it holds no state, so a copy might lose data"
    return Verdict("stateless", Outcome.NEEDED, "", "a signed statement", None, detail)
