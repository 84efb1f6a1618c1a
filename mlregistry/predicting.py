"""What is to be expected of launches somebody thinks of? Scores where they answer, one matrix where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction

from instances.domain.pool import Product
from instances.models import Pool
from mlregistry import announcing, expectations, feature_engine
from mlregistry.domain import facts as pool_facts
from mlregistry.domain.facts import PoolFacts
from mlregistry.domain.hazard import Evidence
from mlregistry.domain.packing import LAYOUT
from mlregistry.expectations import ADVISOR_AGE_LIMIT, PRICE_AGE_LIMIT
from mlregistry.loading import LoadedModel, active_model
from mlregistry.models import PoolScore, Prediction

SPOT_INTERRUPTION = "spot_interruption"
PREDICTION_TYPES = (SPOT_INTERRUPTION,)
BANDS = ("<5%", "5-10%", "10-15%", "15-20%", ">20%")

# The defaults of OptimizationPolicy (spec 6). A prediction advises; a decision asks the tenant's own policy.
MOST_PROBABLE = 0.20
LEAST_SAFE = 0.75

_STORED = (
    "interruption_probability",
    "probability_low",
    "probability_high",
    "horizon_seconds",
    "evidence",
    "safety_score",
    "components",
    "features",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class Launch:
    """A Spot launch as it was asked about. `zone_id` None: the account has no zone of that name that we know.

    `spot_usd_micro` and `launch_at` None: at the pool's current price, now.
    """

    instance_type: str
    region: str
    zone_id: str | None
    zone_name: str | None
    product: Product = Product.LINUX
    spot_usd_micro: int | None = None
    launch_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of one launch; `row` has the columns of PoolScore, unknown = None."""

    launch: Launch
    pool_id: int | None
    model: LoadedModel
    row: Mapping[str, Any]
    band: int | None
    contributions: Mapping[str, Any] | None
    data_as_of: Mapping[str, datetime | None]

    @property
    def probability(self) -> float | None:
        probability: float | None = self.row["interruption_probability"]
        return probability

    @property
    def confidence(self) -> float | None:
        """1 − width of the interval; None where there is no probability."""
        if self.probability is None:
            return None
        return 1.0 - (self.row["probability_high"] - self.row["probability_low"])

    @property
    def recommendation(self) -> str:
        """LAUNCH | AVOID | UNKNOWN: unknown is never a LAUNCH."""
        safety = self.row["safety_score"]
        if self.probability is None or safety is None:
            return "UNKNOWN"
        return "LAUNCH" if self.probability <= MOST_PROBABLE and safety >= LEAST_SAFE else "AVOID"


def predict(launches: Sequence[Launch], *, now: datetime) -> list[Forecast]:
    """A forecast per launch, in order; four queries at most, whatever their number.

    A launch nothing is known of gets a forecast too, which says what is missing. Raises ModelRefused.
    """
    model = active_model()
    pools = _pool_ids(launches)
    scores = _scores(pool_id for pool_id in pools if pool_id is not None)
    found = [scores.get(pool_id) if pool_id is not None else None for pool_id in pools]
    live = [row for row, score in enumerate(found) if score is not None and _must_ask(launches[row], score, model, now)]
    forecasts = [
        _stored(launch, score, model) if score else _unknown(launch, model)
        for launch, score in zip(launches, found, strict=True)
    ]
    facts = pool_facts.from_rows([score.inputs for row in live if (score := found[row])])
    for row, again in zip(live, _asked_anew([forecasts[row] for row in live], facts, model, now), strict=True):
        forecasts[row] = again
    return _explained(forecasts, set(live), model)


def keep(
    forecasts: Sequence[Forecast], inputs: Sequence[Mapping[str, Any]], *, organization_id: Any, latency_ms: float
) -> list[int]:
    """A Prediction row for each, whose outcome comes later; one statement. Returns their ids, in order."""
    made = [
        Prediction(
            organization_id=organization_id,
            pool_id=forecast.pool_id,
            model_id=forecast.model.id,
            prediction_type=SPOT_INTERRUPTION,
            inputs=asked,
            output=_kept(forecast),
            probability=forecast.probability,
            confidence=forecast.confidence,
            evidence=forecast.row["evidence"],
            latency_ms=latency_ms,
            horizon_seconds=forecast.row["horizon_seconds"],
        )
        for forecast, asked in zip(forecasts, inputs, strict=True)
    ]
    with transaction.atomic(savepoint=False):
        rows = Prediction.objects.bulk_create(made)
        announcing.announce(organization_id, rows)
    return [row.pk for row in rows]


def _kept(forecast: Forecast) -> dict[str, Any]:
    """What was answered, without what was asked and what can be said again; short, for there are many."""
    row = forecast.row
    return {
        "interruption_probability": forecast.probability,
        "probability_low": row["probability_low"],
        "probability_high": row["probability_high"],
        "confidence": forecast.confidence,
        "safety_score": row["safety_score"],
        "evidence": row["evidence"],
        "recommendation": forecast.recommendation,
        "unknown": row["unknown"],
        "contributions": forecast.contributions,
        "data_as_of": {source: at and at.isoformat() for source, at in forecast.data_as_of.items()},
    }


def explanation(forecast: Forecast) -> dict[str, Any]:
    """Why: a sentence, the model's contributions or the Advisor's band, and the parts of the safety score."""
    return {
        "summary": _sentence(forecast),
        "limits": {"interruption_probability": MOST_PROBABLE, "safety_score": LEAST_SAFE},
        "contributions": forecast.contributions,
        "advisor_band": None if forecast.band is None else BANDS[forecast.band],
        "safety_components": forecast.row["components"],
    }


def _sentence(forecast: Forecast) -> str:
    row, hours = forecast.row, timedelta(seconds=forecast.row["horizon_seconds"]) / timedelta(hours=1)
    if forecast.recommendation == "UNKNOWN":
        return "Unknown, and unknown is not safe: " + "; ".join(row["unknown"]) + "."
    share = f"{forecast.probability:.2%} within {hours:g} h"
    said = (
        f"By traces of its family, interrupted with probability {share}."
        if row["evidence"] == Evidence.TRACE
        else f"No traces of its family; the Spot Advisor's band spread over the month gives {share}."
    )
    return f"{said} Safety {row['safety_score']:.2f}."


def _pool_ids(launches: Sequence[Launch]) -> list[int | None]:
    """Each launch's pool, None where prices of none were ever seen. One query."""
    pools = Pool.objects.filter(
        instance_type__in={launch.instance_type for launch in launches},
        zone_id__in={launch.zone_id for launch in launches if launch.zone_id},
        region__in={launch.region for launch in launches},
    )
    columns = ("pk", "instance_type", "zone_id", "product", "region")
    known = {(name, zone_id, *rest): pk for pk, name, zone_id, *rest in pools.values_list(*columns)}
    return [
        known.get((launch.instance_type, launch.zone_id or "", launch.product.value, launch.region))
        for launch in launches
    ]


def _scores(pool_ids: Any) -> dict[int, PoolScore]:
    scores = PoolScore.objects.filter(pool_id__in=set(pool_ids), layout=LAYOUT).select_related("pool")
    return {score.pool_id: score for score in scores}


def _must_ask(launch: Launch, score: PoolScore, model: LoadedModel, now: datetime) -> bool:
    """Whether the stored score does not answer: another price or time, another model, or data grown too old since."""
    is_as_scored = launch.spot_usd_micro in {None, score.spot_usd_micro} and launch.launch_at is None
    sources = ((score.prices_as_of, PRICE_AGE_LIMIT), (score.advisor_as_of, ADVISOR_AGE_LIMIT))
    has_aged = any(as_of and score.scored_at - as_of <= limit < now - as_of for as_of, limit in sources)
    return not is_as_scored or score.model_id != model.id or has_aged


def _stored(launch: Launch, score: PoolScore, model: LoadedModel) -> Forecast:
    band = score.inputs["band"]
    return Forecast(
        launch=launch,
        pool_id=score.pool_id,
        model=model,
        row={name: getattr(score, name) for name in _STORED},
        band=None if band is None else int(band),
        contributions=None,
        data_as_of={
            "scored_at": score.scored_at,
            "spot_prices": score.prices_as_of,
            "spot_advisor": score.advisor_as_of,
            "on_demand_prices": score.on_demand_as_of,
        },
    )


def _unknown(launch: Launch, model: LoadedModel) -> Forecast:
    place = launch.zone_id or launch.zone_name
    reason = (
        f"no Spot price of {launch.instance_type} ({launch.product.value}) was ever seen in {place} of {launch.region}"
        if launch.zone_id
        else f"the account has no zone {place} that we know"
    )
    row = dict.fromkeys(_STORED) | {
        "horizon_seconds": int(model.horizon.total_seconds()),
        "evidence": Evidence.NONE.value,
        "components": {},
        "unknown": [reason],
    }
    sources = ("scored_at", "spot_prices", "spot_advisor", "on_demand_prices")
    return Forecast(launch, None, model, row, None, None, dict.fromkeys(sources))


def _asked_anew(forecasts: Sequence[Forecast], facts: PoolFacts, model: LoadedModel, now: datetime) -> list[Forecast]:
    """The pools of these forecasts again, from their facts, at the price and time that were asked about."""
    if not forecasts:
        return []
    launches = [forecast.launch for forecast in forecasts]
    facts = pool_facts.asked_at(facts, np.full(len(facts), now.timestamp()))
    facts = pool_facts.launched_at(
        facts, np.array([at.timestamp() if (at := launch.launch_at) else now.timestamp() for launch in launches])
    )
    facts = pool_facts.at_price(facts, np.array([launch.spot_usd_micro or np.nan for launch in launches], dtype=float))
    statistics = feature_engine.stored_statistics(facts.names.statistics)
    found = expectations.expect(facts, model, statistics)
    return [
        replace(forecast, row=row, contributions=parts)
        for forecast, row, parts in zip(
            forecasts, expectations.as_rows(found), expectations.contributions(found), strict=True
        )
    ]


def _explained(forecasts: list[Forecast], done: set[int], model: LoadedModel) -> list[Forecast]:
    """With the model's contributions where a stored score came from it; one matrix."""
    judged = [
        row for row, forecast in enumerate(forecasts) if row not in done and forecast.row["evidence"] == Evidence.TRACE
    ]
    if not judged:
        return forecasts
    matrix = np.array([forecasts[row].row["features"] for row in judged], dtype=np.float64)
    for row, parts in zip(judged, expectations.explain(model, matrix), strict=True):
        forecasts[row] = replace(forecasts[row], contributions=parts)
    return forecasts
