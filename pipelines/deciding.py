"""What does an engine answer to this request, and what is kept of it?"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from governance.models import Quarantine
from instances.domain.pool import Product
from pipelines import announcing
from pipelines.engines.contract import Case, Decision, Engine
from pipelines.markets import market
from pipelines.models import EngineDecision


@dataclass(frozen=True, slots=True)
class Asked:
    """A DecisionRequest after its shapes were checked against the engine's."""

    request_id: str
    cluster_id: str
    product: Product
    state: Any
    requirements: Any
    constraints: Any


def with_zones(workload: Any, zone_ids: tuple[str, ...]) -> Any:
    """The same workload, its zones told by id."""
    return replace(workload, zones=zone_ids)


def decide(engine: Engine, asked: Asked, *, at: datetime) -> Decision:
    """Read the market, ask the engine. Reads only our own tables."""
    markets = {region: market(region, asked.product) for region in sorted(engine.regions(asked.requirements))}
    closed = frozenset(Quarantine.objects.active(at=at).values_list("instance_type", "zone_id"))
    case = Case(at, asked.state, asked.requirements, asked.constraints, markets, closed)
    return engine.decide(case, engine.config)


def answer(engine: Engine, asked: Asked, decision: Decision) -> dict[str, Any]:
    """The DecisionResponse of api.md."""
    savings = decision.estimated_savings
    return {
        "request_id": asked.request_id,
        "decision_type": engine.decision_type,
        "recommendations": list(decision.recommendations),
        "confidence_score": decision.confidence_score,
        "estimated_savings": None if savings is None else str(savings),
        "estimated_annual_savings": None if savings is None else str(savings * 12),
        "execution_plan": [
            {
                "step": step.step,
                "action": step.action,
                "target": step.target,
                "parameters": step.parameters,
                "requires": list(step.requires),
                "reversible": step.reversible,
                "estimated_seconds": step.estimated_seconds,
            }
            for step in decision.execution_plan
        ],
        "warnings": list(decision.warnings),
        "engine": {"name": engine.name, "version": engine.version},
        "data_as_of": decision.data_as_of,
        "explanation": decision.explanation,
    }


def keep(
    engine: Engine,
    asked: Asked,
    request: Any,
    response: dict[str, Any],
    *,
    organization_id: uuid.UUID,
    api_key_id: int | None,
    at: datetime,
) -> EngineDecision:
    """Store the answer as it is given; its id is the execution id."""
    savings = response["estimated_savings"]
    kept = EngineDecision(
        organization_id=organization_id,
        api_key_id=api_key_id,
        request_id=asked.request_id,
        decision_type=engine.decision_type,
        engine_name=engine.name,
        engine_version=engine.version,
        cluster_id=asked.cluster_id,
        request=request,
        response=response,
        estimated_savings_usd_per_month=None if savings is None else Decimal(savings),
        confidence_score=response["confidence_score"],
        executed_at=at,
    )
    with transaction.atomic(savepoint=False):
        kept.save(force_insert=True)
        announcing.answered(kept)
    return kept
