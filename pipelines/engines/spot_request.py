"""What may the spot optimizer be asked? Unknown fields are refused; limits not named are the policy's defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import ConfigDict

STRICT = ConfigDict(extra="forbid")
Share = Annotated[float, Ge(0), Le(1)]
Types = Annotated[tuple[str, ...], MaxLen(2000)]


@dataclass(frozen=True, slots=True)
class Workload:
    """`count` like instances somebody needs in a region, each at least this large."""

    region: str
    vcpus: Annotated[float, Gt(0)]
    memory_gib: Annotated[float, Gt(0)]
    name: str = ""
    count: Annotated[int, Gt(0), Le(10_000)] = 1
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    gpu_count: Annotated[int, Ge(0)] = 0
    instance_types: Types = ()  # only these; empty = any
    zones: Annotated[tuple[str, ...], MaxLen(50)] = ()  # only these, by id (the edge resolves names); empty = any
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Running:
    """What serves the workload today."""

    instance_type: str
    region: str
    count: Annotated[int, Gt(0)] = 1
    workload: str = ""
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class State:
    instances: Annotated[tuple[Running, ...], MaxLen(10_000)] = ()
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Constraints:
    """Limits of this request; what is not named keeps the platform's default (spec 6)."""

    max_interruption_probability: Share = 0.20
    min_safety_score: Share = 0.75
    min_savings: Share = 0.20
    min_zones: Annotated[int, Ge(1)] = 3
    max_share_in_one_pool: Share = 0.20
    min_on_demand_share: Share = 0.15
    min_evidence: Literal["advisor", "trace"] = "advisor"
    blocked_types: Types = ()
    max_price_age_seconds: Annotated[int, Gt(0)] = 7200
    max_score_age_seconds: Annotated[int, Gt(0)] = 7200
    max_advisor_age_seconds: Annotated[int, Gt(0)] = 26 * 3600
    max_on_demand_age_seconds: Annotated[int, Gt(0)] = 50 * 3600
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Config:
    """How safety and price are weighed in the ranking; the two sum to 1."""

    safety_weight: float = 0.6
    savings_weight: float = 0.4
    top: int = 5
    layers_from: int = 5  # members; below, zones and shares do not apply (spec 6)


Requirements = Annotated[tuple[Workload, ...], MinLen(1), MaxLen(100)]
