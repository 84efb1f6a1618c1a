"""Do the five layers of safety hold after the move?

Layers 2 to 4 speak of a fleet, and say nothing of one with fewer than the policy's smallest number of members.
"""

from __future__ import annotations

from pipelines.domain.proposal import Facts, Proposal
from pipelines.domain.verdict import Verdict, at_least, at_most, not_applicable, unknown


def safety_score(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "safety_score", facts.policy.min_safety_score
    value = proposal.candidate.safety_score
    if value is None or not 0 <= value <= 1:
        return unknown(gate, f"no safety score is known ({value})", limit=limit)
    return at_least(gate, value, limit, f"safety score {value:.3f}; at least {limit:g}")


def zone_spread(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "zone_spread", facts.policy.min_zones
    if _is_small(facts):
        return _too_small(gate, facts)
    after = dict(facts.fleet.members_by_zone)
    after[proposal.target.zone_id] = after.get(proposal.target.zone_id, 0) - 1
    after[proposal.candidate.zone_id] = after.get(proposal.candidate.zone_id, 0) + 1
    zones = sum(members > 0 for zone, members in after.items() if zone)  # one that nobody can name is no zone
    return at_least(gate, zones, limit, f"{facts.fleet.name} would span {zones} zones; at least {limit}")


def pool_share(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "pool_share", facts.policy.max_pool_share
    if _is_small(facts):
        return _too_small(gate, facts)
    by_pool, candidate = facts.fleet.spot_members_by_pool, proposal.candidate
    somewhere = by_pool.get(f"{candidate.instance_type} in ", 0)  # members whose zone is unknown may stand here too
    members = by_pool.get(candidate.pool, 0) + somewhere + 1
    share = members / facts.fleet.size
    told = f"{members} of {facts.fleet.size} members of {facts.fleet.name} would stand in {proposal.candidate.pool}"
    return at_most(gate, share, limit, f"{told} ({share:.0%}); at most {limit:.0%}")


def on_demand_share(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "on_demand_share", facts.policy.min_on_demand_share
    if _is_small(facts):
        return _too_small(gate, facts)
    kept = facts.fleet.n_on_demand - (0 if proposal.target.is_spot else 1)
    share = kept / facts.fleet.size
    told = f"{kept} of {facts.fleet.size} members of {facts.fleet.name} would stay On-Demand"
    return at_least(gate, share, limit, f"{told} ({share:.0%}); at least {limit:.0%}")


def cross_client_flag(proposal: Proposal, facts: Facts) -> Verdict:
    return not_applicable(
        "cross_client_flag", "no interruptions of several clients are collected, so no pool is flagged"
    )


def _is_small(facts: Facts) -> bool:
    return facts.fleet.size < facts.policy.smallest_fleet


def _too_small(gate: str, facts: Facts) -> Verdict:
    fleet, least = facts.fleet, facts.policy.smallest_fleet
    return not_applicable(gate, f"{fleet.name} has {fleet.size} members; shares are judged from {least} on")
