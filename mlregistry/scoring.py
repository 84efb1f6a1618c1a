"""What is expected of every pool of a region, now? Pools → PoolScore rows, with the age of every part."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Max

from instances.domain.pool import Product
from instances.domain.prices import DAY
from instances.domain.snapshot import EVIDENCE
from instances.models import MarketFetch, Pool
from mlregistry import expectations, feature_engine
from mlregistry.domain import packing
from mlregistry.expectations import HISTORY_DAYS, Expectations, rescore
from mlregistry.loading import LoadedModel, active_model
from mlregistry.models import ModelVersion, RegionScoring
from mlregistry.score_rows import write_region_scoring, write_scores

__all__ = ["ScoringResult", "regions_due", "rescore", "score_region"]

logger = logging.getLogger(__name__)

RESCORED_AFTER = timedelta(minutes=30)  # without news: hours of the day pass, and data grows too old to be believed


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """What one scoring of a region came to. `unknown`: pools without a probability or a safety score."""

    region: str
    pools: int
    unknown: int
    model: LoadedModel
    scored_at: datetime
    took_seconds: float


def score_region(region: str, *, now: datetime, product: Product = Product.LINUX) -> ScoringResult:
    """Score every pool of the region and product.

    Pools that lack data get a row too, which says what is missing. Repeatable: the later `now` stands.
    Raises ModelRefused when the active model's stored bytes are damaged: nothing is scored by another instead.
    """
    began = time.perf_counter()
    model = active_model()
    known = feature_engine.region_facts(region, now=now, product=product)
    stored = {known.statistics.sha256: feature_engine.as_stored(known.statistics)}
    found = expectations.expect(known.facts, model, stored)
    is_known = np.isfinite(found.outlook.probability) & np.isfinite(found.safety)
    took = round(time.perf_counter() - began, 3)
    result = ScoringResult(region, len(found.facts), int((~is_known).sum()), model, now, took)
    with transaction.atomic():
        if _keep(result, found, product):  # and holds the region: of two scorings at once the later instant stays
            feature_engine.store_statistics(known.statistics)
            _write(result, found, known.statistics.sha256)
    logger.info("scored", extra={"region": region, "pools": result.pools, "unknown": result.unknown})
    return result


def regions_due(*, now: datetime, product: Product = Product.LINUX) -> list[str]:
    """Regions whose scores are older than what they rest on (a fetch, the active model), or than half an hour.

    Due too: those that another release scored. Four queries. A region without pools is never due.
    """
    fetches = MarketFetch.objects.whole().filter(ended_at__gt=now - RESCORED_AFTER).order_by()
    news = dict(fetches.values("region").annotate(at=Max("ended_at")).values_list("region", "at"))
    activated = ModelVersion.objects.filter(is_active=True).aggregate(at=Max("activated_at"))["at"]
    common = max(at for at in (news.get(""), activated, now - RESCORED_AFTER) if at)
    scored = {row.region: row for row in RegionScoring.objects.filter(product=product.value)}
    pools = Pool.objects.filter(product=product.value).values("region").annotate(pools=Count("pk")).order_by("region")
    return [
        region
        for region, count in pools.values_list("region", "pools")
        if (last := scored.get(region)) is None
        or last.pools < count
        or last.layout != packing.LAYOUT
        or last.scored_at < max(common, news.get(region, common))
    ]


def _keep(result: ScoringResult, found: Expectations, product: Product) -> bool:
    """One row for the region, which the scores of the same transaction are told by; False when a later one stands."""
    known = found.facts.measures
    return write_region_scoring(
        {
            "region": result.region,
            "product": product.value,
            "model_id": result.model.id,
            "scored_at": result.scored_at,
            "pools": result.pools,
            "unknown": result.unknown,
            "layout": packing.LAYOUT,
            "took_seconds": result.took_seconds,
            "horizon_seconds": int(result.model.horizon.total_seconds()),
            "prices_as_of": _oldest(known.prices_as_of),
            "advisor_as_of": _oldest(known.advisor_as_of),
            "on_demand_as_of": _oldest(known.on_demand_as_of),
        }
    )


def _oldest(times: np.ndarray[Any, np.dtype[np.float64]]) -> datetime | None:
    """The earliest known of epoch seconds (a pool without the datum has no score either); None where none is known."""
    known = times[np.isfinite(times)]
    return datetime.fromtimestamp(known.min(), UTC) if len(known) else None


def _write(result: ScoringResult, found: Expectations, statistics: str) -> None:
    """PoolScore by column: what was found, from what, and how old each part is.

    A change before the window is not known to the hour, so its instant is unknown.
    """
    known, outlook = found.facts.measures, found.outlook
    since = np.where(known.seconds_since_change < HISTORY_DAYS * DAY, known.seconds_since_change, np.nan)
    write_scores(
        {
            "model_id": result.model.id,
            "scored_at": result.scored_at,
            "horizon_seconds": int(result.model.horizon.total_seconds()),
            "statistics": statistics,
            "layout": packing.LAYOUT,
        },
        {
            "pool_id": np.array(found.facts.names.pool_id, dtype=np.int32),
            "interruption_probability": outlook.probability,
            "probability_low": outlook.low,
            "probability_high": outlook.high,
            "safety_score": found.safety,
            "evidence": np.array([EVIDENCE.index(each) for each in outlook.evidence], dtype=np.int16),
            "spot_usd_micro": known.current_micro,
            "on_demand_usd_micro": known.on_demand_micro,
            "prices_as_of": known.prices_as_of,
            "price_changed_at": known.at - since,
            "advisor_as_of": known.advisor_as_of,
            "on_demand_as_of": known.on_demand_as_of,
            "numbers": packing.packed(known, found.features, found.components, found.weights.shares["learned"]),
        },
        found.unknown,
    )
