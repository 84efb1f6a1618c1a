"""Gate zero: may this machine be replaced by a copy at all? (safety.md, section 2)

Every refusal is a verdict of its own, answered whatever the others say, with the value that offends. A fact nobody
knows is `unknown`, which refuses too.
"""

from __future__ import annotations

from pipelines.domain import marks
from pipelines.domain.attachments import disks, network, placement
from pipelines.domain.proposal import Facts
from pipelines.domain.target import Target
from pipelines.domain.verdict import (
    Outcome,
    Verdict,
    fails,
    not_applicable,
    passes,
    refused_for,
    refused_if,
    unknown,
)

PLAIN_LINUX = "RunInstances"  # the usage operation of Linux without a licence fee
MOST_TAGS = 50  # EC2's own limit
OUR_TAGS = 3  # ManagedBy, spotopt:operation, spotopt:replaces


def refusals(facts: Facts) -> tuple[Verdict, ...]:
    """Every refusal's answer, always all of them and in the same order."""
    target = facts.target
    return (
        *_standing(target),
        *_ownership(facts),
        *disks(target),
        *network(target),
        *_protection(facts),
        *placement(target),
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
        refused_for(
            "group_member",
            group,
            f"belongs to the Auto Scaling group {group}: replaced through its group, never alone",
            "in no Auto Scaling group",
        ),
        refused_for(
            "cluster_node",
            cluster,
            f"is a node of the cluster {cluster}: replaced through its cluster, never alone",
            "no node of a cluster",
        ),
        refused_for(
            "service_run",
            target.operator or marks.service_mark(tags),
            f"{target.operator or marks.service_mark(tags)} runs it and would fight a change",
            "no AWS service runs it",
        ),
        refused_for(
            "infrastructure_code",
            stack,
            f"the tag {stack} says that infrastructure code owns it: the next deploy would undo the move",
            "no infrastructure code owns it",
        ),
        _tags(target),
    ]


def _tags(target: Target) -> Verdict:
    copied = sum(not tag.startswith("aws:") for tag in target.tags)
    if copied + OUR_TAGS > MOST_TAGS:
        return fails("tags", copied, f"{copied} tags and {OUR_TAGS} of ours: EC2 takes {MOST_TAGS}")
    return passes("tags", copied, f"{copied} tags to copy")


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
            refused_if(gate, fact, f"{what} is on", f"{what} is off", asked=f"whether {what} is on")
            for gate, fact, what in said
        ),
        refused_for("ignore_tag", ignored, f"the tag {ignored} says hands off", "no tag says hands off"),
    ]


def _licences(target: Target) -> list[Verdict]:
    platform, operation = target.platform_details, target.usage_operation
    is_windows = None if platform is None else "windows" in platform.lower()
    return [
        refused_for(
            "license",
            ", ".join(target.license_arns),
            f"bound to the license configuration {', '.join(target.license_arns)}",
            "no license configuration",
        ),
        refused_if(
            "windows",
            is_windows,
            f"{platform}: Sysprep, domain join and host-bound licences do not survive a copy",
            f"platform {platform}",
            asked="its platform",
        ),
        refused_for(
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
    return [refused_for(reserved, names, why, "no active reservation matches it"), asked]


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
