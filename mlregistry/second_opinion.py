"""What does a model that is not the active one expect of these pools? From the inputs of their stored scores."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mlregistry import expectations, feature_engine
from mlregistry.domain import facts as pool_facts
from mlregistry.expectations import listed
from mlregistry.loading import LoadedModel
from mlregistry.models import PoolScore


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of one pool; None = unknown, and `unknown` says which data is missing."""

    interruption_probability: float | None
    evidence: str
    safety_score: float | None
    unknown: tuple[str, ...]


def opinions(model: LoadedModel, pool_ids: Collection[int]) -> dict[int, Opinion]:
    """Of every pool that has been scored, as of that scoring: two queries and one matrix, whatever their number.

    The same computation as the scoring of a region, so that the active model's opinion is the stored score.
    """
    inputs = list(PoolScore.objects.filter(pool_id__in=pool_ids).values_list("inputs", flat=True))
    if not inputs:
        return {}
    facts = pool_facts.from_rows(inputs)
    statistics = feature_engine.stored_statistics({name.statistics for name in facts.names})
    found = expectations.expect(facts, model, statistics)
    columns = zip(
        facts.names,
        listed(found.outlook.probability),
        found.outlook.evidence.tolist(),
        listed(found.safety),
        found.unknown,
        strict=True,
    )
    return {
        name.pool_id: Opinion(probability, str(evidence), safety, tuple(unknown))
        for name, probability, evidence, safety, unknown in columns
    }
