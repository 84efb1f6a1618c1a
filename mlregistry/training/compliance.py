"""Which pools of the price files would pass the default limits, and what stops the others?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instances.domain.pool import family_of, region_of_zone_name
from mlregistry.adapters.base import ModelAdapter, outlook
from mlregistry.domain.features import (
    COLUMN,
    PoolInputs,
    context_of,
    features,
    raw_features,
    statistics_from_metadata,
    statistics_of,
)
from mlregistry.domain.safety import AdaptiveComponents, adaptive_weights, band_score, safety, stability, structural
from mlregistry.training.market import Market, PriceBook, inputs_of, no_trouble, summarized

Floats = NDArray[np.float64]
# defaults of the policy (spec, section 6); the layers about zones and fleets are of a fleet, not of a pool
SAFEST, MILD = 0.75, 0.50
LARGEST_PROBABILITY, LEAST_SAVINGS = 0.20, 0.20


def compliance(market: Market, adapter: ModelAdapter) -> dict[str, Any]:
    """Counts over the pools of all price files, each at its file's last instant, with no interruption known of any."""
    reasons: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    total = passed = 0
    for book in market.books:
        if not book.source.endswith((".csv", ".csv.gz")):  # what traces saw of prices is no market
            continue
        for found in _violations(market, book, adapter, classes):
            total += 1
            passed += not found
            reasons.update(found)
    return {
        "pools": total,
        "pass": passed,
        "classes": {name: classes[name] for name in ("SAFE", "MEDIUM", "RISKY", "UNKNOWN")},
        "violations": dict(sorted(reasons.items())),
    }


def _violations(market: Market, book: PriceBook, adapter: ModelAdapter, classes: Counter[str]) -> list[list[str]]:
    at, n = float(book.history.at.max()), len(book.pools)
    prices = summarized(book, at)
    inputs = inputs_of(market, book.pools, prices, no_trouble(n))
    raw = raw_features(inputs, context_of(inputs), at)
    families = [family_of(name) for _, name in book.pools]
    bands = np.array([market.bands.get((region_of_zone_name(zone), name), np.nan) for zone, name in book.pools])
    expected = outlook(adapter, _matrix(inputs, raw, book, adapter, at), families, bands, adapter.horizon)
    score = _safety(inputs, raw, bands)
    for value in score:
        classes[_class(float(value))] += 1
    savings = 1 - raw[:, COLUMN["price_position"]]
    checks = {
        "price or its week of history unknown": np.isnan(prices.volatility),
        "no evidence of interruptions": np.isnan(expected.probability),
        f"probability above {LARGEST_PROBABILITY:g}": expected.probability > LARGEST_PROBABILITY,
        f"safety below {SAFEST:g}": score < SAFEST,
        "safety unknown": np.isnan(score),
        f"savings below {LEAST_SAVINGS:.0%}": savings < LEAST_SAVINGS,
    }
    return [[name for name, mask in checks.items() if mask[row]] for row in range(n)]


def _matrix(inputs: PoolInputs, raw: Floats, book: PriceBook, adapter: ModelAdapter, at: float) -> Floats:
    regions = list(dict.fromkeys(region_of_zone_name(zone) for zone, _ in book.pools))
    stored = statistics_from_metadata(adapter.metadata.region_statistics, regions)
    own = statistics_of(raw, inputs.region, len(regions))
    return features(inputs, context_of(inputs), stored.or_else(own), at)


def _safety(inputs: PoolInputs, raw: Floats, bands: Floats) -> Floats:
    components = AdaptiveComponents(
        advisor=band_score(bands),
        stability=stability(inputs.prices.volatility),
        structural=structural(
            inputs.vcpus, raw[:, COLUMN["generation_age"]], inputs.is_burstable, np.zeros(len(inputs))
        ),
        learned=np.full(len(inputs), np.nan),
    )
    return safety(components, adaptive_weights())


def _class(score: float) -> str:
    if np.isnan(score):
        return "UNKNOWN"
    return "SAFE" if score >= SAFEST else "MEDIUM" if score >= MILD else "RISKY"
