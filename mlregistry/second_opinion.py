"""What does a model that is not the active one expect of these pools? From the inputs of their stored scores."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mlregistry import expectations, feature_engine
from mlregistry.domain.facts import PoolFacts, PoolNames
from mlregistry.domain.packing import LAYOUT, measures_in
from mlregistry.expectations import listed
from mlregistry.loading import LoadedModel
from mlregistry.models import PoolScore

# a row's PoolNames, in order
_NAMED = ("pool_id", "pool__instance_type", "pool__zone_id", "pool__product", "pool__region", "statistics")


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
    rows = list(PoolScore.objects.filter(pool_id__in=pool_ids, layout=LAYOUT).values_list(*_NAMED, "numbers"))
    if not rows:
        return {}
    *names, blocks = zip(*rows, strict=True)
    facts = PoolFacts(PoolNames(*names), measures_in(blocks))
    statistics = feature_engine.stored_statistics(facts.names.statistics)
    found = expectations.expect(facts, model, statistics)
    columns = zip(
        facts.names.pool_id,
        listed(found.outlook.probability),
        found.outlook.evidence.tolist(),
        listed(found.safety),
        found.unknown,
        strict=True,
    )
    return {
        pool_id: Opinion(probability, str(evidence), safety, tuple(unknown))
        for pool_id, probability, evidence, safety, unknown in columns
    }
