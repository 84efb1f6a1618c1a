"""What is expected of pools whose facts are given? The one computation behind scores, live predictions and replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instances.domain.pool import family_of
from instances.domain.prices import DAY
from mlregistry.adapters.base import Contributions, Outlook, outlook
from mlregistry.domain import facts as pool_facts
from mlregistry.domain import features, safety
from mlregistry.domain.facts import PoolFacts
from mlregistry.domain.features import NAMES, RegionStatistics, statistics_from_metadata
from mlregistry.domain.hazard import Evidence
from mlregistry.domain.safety import AdaptiveComponents, Weights
from mlregistry.feature_engine import StoredStatistics, statistics_rows
from mlregistry.loading import LoadedModel

Floats = NDArray[np.float64]

# Older than this is unknown for everybody (spec 6); a policy may ask for fresher, its gate looks at the ages.
PRICE_AGE_LIMIT = timedelta(hours=2)
ADVISOR_AGE_LIMIT = timedelta(hours=26)
HISTORY_DAYS = 7
LONGEST_REASON = 120
FEEDBACK_WEIGHT = 0.0  # interruptions of tenants are not counted yet, so nothing is learned from them


@dataclass(frozen=True, slots=True)
class Expectations:
    """What is expected of n pools; NaN = unknown, and `unknown` says which data is missing for each."""

    facts: PoolFacts
    model: LoadedModel
    features: Floats  # float64[n, n_features]
    outlook: Outlook
    safety: Floats
    components: AdaptiveComponents
    weights: Weights
    unknown: Sequence[Sequence[str]]


def expect(given: PoolFacts, model: LoadedModel, statistics: StoredStatistics) -> Expectations:
    """Features, probability and safety of pools, each row from its own facts and the statistics it names.

    Data older than its limit counts as missing. Raises KeyError for statistics that are not given.
    """
    usable = _without_stale(given)
    scales, region = _scales(usable, model, statistics)
    inputs, context = pool_facts.feature_inputs(usable, region)
    matrix = features.features(inputs, context, scales, usable.measures.launch_at)
    families = [family_of(name) for name in usable.names.instance_type]
    weights = safety.adaptive_weights(FEEDBACK_WEIGHT)
    components = _components(usable)
    return Expectations(
        facts=given,
        model=model,
        features=matrix,
        outlook=outlook(model.adapter, matrix, families, usable.measures.band, model.horizon),
        safety=safety.safety(components, weights),
        components=components,
        weights=weights,
        unknown=_missing(given, matrix),
    )


def as_rows(found: Expectations) -> list[dict[str, Any]]:
    """One JSON object per pool with all that a replay must meet; unknown = null."""
    outlook_, horizon = found.outlook, int(found.model.horizon.total_seconds())
    feature_hash, components = features.feature_hash(), _component_rows(found)
    return [
        {
            "interruption_probability": probability,
            "probability_low": low,
            "probability_high": high,
            "horizon_seconds": horizon,
            "evidence": str(evidence),
            "safety_score": score,
            "components": parts,
            "features": row,
            "feature_hash": feature_hash,
            "unknown": list(unknown),
        }
        for probability, low, high, evidence, score, parts, row, unknown in zip(
            listed(outlook_.probability),
            listed(outlook_.low),
            listed(outlook_.high),
            outlook_.evidence.tolist(),
            listed(found.safety),
            components,
            [[value if np.isfinite(value) else None for value in row] for row in found.features.tolist()],
            found.unknown,
            strict=True,
        )
    ]


def contributions(found: Expectations) -> list[dict[str, Any] | None]:
    """What each feature adds to the calibrated log-odds of a pool; None where no model judged it."""
    judged = np.flatnonzero(found.outlook.evidence == Evidence.TRACE)
    explained: list[dict[str, Any] | None] = [None] * len(found.facts)
    for row, parts in zip(judged.tolist(), explain(found.model, found.features[judged]), strict=True):
        explained[row] = parts
    return explained


def explain(model: LoadedModel, matrix: Floats) -> list[dict[str, Any]]:
    """Contributions of rows whose features are all known, float64[n, n_features]; none without a model."""
    if model.adapter is None:
        return []
    parts = model.adapter.contributions(matrix)
    return [_explained(parts, row) for row in range(len(matrix))]


def rescore(
    inputs: Sequence[Mapping[str, Any]], *, model: LoadedModel, statistics: StoredStatistics
) -> list[dict[str, Any]]:
    """Recompute scores from `PoolScore.inputs`, in order, each with its `contributions`.

    The same functions as the scoring of a region, on the same bits. Raises KeyError for a fact or statistics missing.
    """
    found = expect(pool_facts.from_rows(inputs), model, statistics)
    return [
        {**row, "contributions": explained} for row, explained in zip(as_rows(found), contributions(found), strict=True)
    ]


def listed(values: Floats) -> list[float | None]:
    """As JSON has it: not finite = null."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _without_stale(facts: PoolFacts) -> PoolFacts:
    known = facts.measures
    old_prices, old_advisor = _is_old(facts)
    stale = dict.fromkeys((*pool_facts.PRICE_COLUMNS, "family_stress", "type_log_price"), old_prices)
    stale["band"] = old_advisor
    blanked = {name: np.where(is_old, np.nan, getattr(known, name)) for name, is_old in stale.items()}
    return PoolFacts(facts.names, replace(known, **blanked))


def _is_old(facts: PoolFacts) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Prices, Advisor: older than the limit, or of unknown age."""
    known = facts.measures
    return (
        ~(known.at - known.prices_as_of <= PRICE_AGE_LIMIT.total_seconds()),
        ~(known.at - known.advisor_as_of <= ADVISOR_AGE_LIMIT.total_seconds()),
    )


def _scales(
    facts: PoolFacts, model: LoadedModel, stored: StoredStatistics
) -> tuple[RegionStatistics, NDArray[np.int64]]:
    """The model's own statistics where it learned any, the region's elsewhere; and the row of each pool.

    A row for each run of equal ones: launches come in any order, and features want rows that ascend.
    """
    runs = groupby(zip(facts.names.region, facts.names.statistics, strict=True))
    counted = [(key, sum(1 for _ in run)) for key, run in runs]
    used = [key for key, _ in counted]
    region = np.repeat(np.arange(len(used)), [count for _, count in counted])
    own = statistics_rows(stored, [digest for _, digest in used])
    if model.adapter is None:
        return own, region
    learned = statistics_from_metadata(model.adapter.metadata.region_statistics, [name for name, _ in used])
    return learned.or_else(own), region


def _components(facts: PoolFacts) -> AdaptiveComponents:
    known = facts.measures
    age = 1970 + known.launch_at / features.YEAR - known.launch_year
    return AdaptiveComponents(
        advisor=safety.band_score(known.band),
        stability=safety.stability(known.volatility),
        structural=safety.structural(known.vcpus, age, known.is_burstable, known.is_metal),
        learned=np.full(len(facts), np.nan),
    )


def _component_rows(found: Expectations) -> list[dict[str, Any]]:
    names = list(found.weights.shares)
    columns = [listed(getattr(found.components, name)) for name in names]
    return [
        safety.as_json(dict(zip(names, values, strict=True)), found.weights) for values in zip(*columns, strict=True)
    ]


def _explained(parts: Contributions, row: int) -> dict[str, Any]:
    *each, base = parts.log_odds[row].tolist()
    return {
        "log_odds": dict(zip(NAMES, each, strict=True)),
        "base": base,
        "raw": float(parts.raw[row]),
        "calibrated": float(parts.calibrated[row]),
    }


def _missing(facts: PoolFacts, matrix: Floats) -> list[list[str]]:
    """Which data each pool lacks, in words; empty for a pool of which everything is known."""
    known, (old_prices, old_advisor) = facts.measures, _is_old(facts)
    reasons: list[list[str]] = [[] for _ in range(len(facts))]
    days, hours = known.seconds_covered / DAY, 3600

    def note(where: NDArray[np.bool_], say: Any) -> None:
        for row in np.flatnonzero(where).tolist():
            reasons[row].append(say(row))

    is_priced = np.isfinite(known.current_micro)
    note(~is_priced, lambda row: "no Spot price")
    note(is_priced & (days < HISTORY_DAYS), lambda row: f"{days[row]:.1f} days of {HISTORY_DAYS} of price history")
    note(np.isnan(known.prices_as_of), lambda row: "no whole fetch of Spot prices")
    price_hours = (known.at - known.prices_as_of) / hours
    price_limit, advisor_limit = (int(t.total_seconds() // hours) for t in (PRICE_AGE_LIMIT, ADVISOR_AGE_LIMIT))
    note(
        old_prices & np.isfinite(known.prices_as_of),
        lambda row: f"Spot prices are {price_hours[row]:.1f} h old, at most {price_limit} h",
    )
    note(np.isnan(known.on_demand_micro), lambda row: "no On-Demand price")
    note(np.isnan(known.band), lambda row: "no Advisor rating")
    advisor_hours = (known.at - known.advisor_as_of) / hours
    note(
        old_advisor & np.isfinite(known.band),
        lambda row: f"the Advisor's file is {advisor_hours[row]:.1f} h old, at most {advisor_limit} h",
    )
    note(np.isnan(known.vcpus), lambda row: "not in the catalogue of instance types")
    note(
        np.isnan(known.launch_year),
        lambda row: f"no launch year of family {family_of(facts.names.instance_type[row])}",
    )
    is_bare = np.array([not found for found in reasons], dtype=bool)
    note(is_bare & ~np.isfinite(matrix).all(axis=1), lambda row: _unknown_features(matrix[row]))
    return reasons


def _unknown_features(row: Floats) -> str:
    """Too few pools in the region to compare with, or a value its statistics cannot place."""
    names = ", ".join(np.array(NAMES)[~np.isfinite(row)].tolist())
    return f"cannot be compared within the region: {names}"[:LONGEST_REASON]
