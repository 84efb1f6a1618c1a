"""What is proposed, and from which facts is it judged?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from governance.domain.policy import Acting, Policy
from pipelines.domain.target import Target


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pool that could host the target, with the figures that gates look at; None = unknown."""

    instance_type: str
    zone_id: str
    product: str
    subnet_id: str
    spot_usd_micro: int | None
    interruption_probability: float | None
    evidence: str  # trace | advisor | none
    safety_score: float | None
    prices_as_of: datetime | None
    advisor_as_of: datetime | None
    scored_at: datetime | None
    quarantined_until: datetime | None = None
    quarantine_reason: str = ""

    @property
    def pool(self) -> str:
        return f"{self.instance_type} in {self.zone_id}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """What runs beside the target, itself included: its account and region (a linear target has no group)."""

    name: str
    size: int
    n_on_demand: int
    members_by_zone: Mapping[str, int]  # by id; "" = not known
    spot_members_by_pool: Mapping[str, int]  # keys as Candidate.pool; the zone is "" where it is not known


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds for every candidate of one decision."""

    now: datetime
    target: Target
    policy: Policy
    fleet: Fleet
    is_shadow_instance: bool
    on_demand_usd_micro: int | None  # what the target costs now
    on_demand_as_of: datetime | None
    ignore_tags: tuple[str, ...] = ()

    @property
    def is_shadow(self) -> bool:
        return self.is_shadow_instance or self.policy.acting is Acting.SHADOW


@dataclass(frozen=True, slots=True)
class Question:
    """All that a decision depends on."""

    facts: Facts
    candidates: tuple[Candidate, ...]
    considered: int  # pools looked at before candidates were chosen
    commonest_rejection: str = ""  # why most of the others are none; empty where none was turned away


@dataclass(frozen=True, slots=True)
class Proposal:
    """Run the target in this candidate's pool instead."""

    target: Target
    candidate: Candidate
