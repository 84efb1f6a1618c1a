"""What would the shadow model have decided on the same question? Told beside the decision; nothing follows from it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from instances.domain.spec import InstanceSpec
from mlregistry import loading
from mlregistry.loading import LoadedModel
from mlregistry.models import ModelVersion, Prediction
from pipelines import facts as reading
from pipelines.domain.decision import Decision, Judged, decide
from pipelines.domain.proposal import Facts, Question
from pipelines.models import ExperimentLog, ShadowDecision
from pipelines.recording import Overtaken, Recorder

logger = logging.getLogger(__name__)
SPOT_INTERRUPTION = "spot_interruption"


@dataclass(frozen=True, slots=True)
class Beside:
    """A shadow model's decision, not yet kept."""

    model: LoadedModel
    decision: Decision
    pool_ids: Mapping[str, int]
    latency_ms: float


def ask(
    version: ModelVersion | None, facts: Facts, specs: Mapping[str, InstanceSpec], recorder: Recorder, now: datetime
) -> Beside | None:
    """None without a shadow model, or when it fails: the decision stands without it, and the step says what broke."""
    if version is None:
        return None
    try:
        with recorder.step("shadow", model=version.pk) as notes:
            found = _asked(loading.loaded(version), facts, specs, now)
            notes.outputs = {
                "note": f"{version} would {found.decision.choice}: {found.decision.reason}",
                "choice": found.decision.choice,
                "model": found.model.as_json(),
            }
        return found
    except Overtaken:
        raise
    except Exception:  # whatever breaks in shadow breaks nothing else
        logger.exception("the shadow model failed", extra={"run": str(recorder.run.pk), "model": version.pk})
        return None


def _asked(model: LoadedModel, facts: Facts, specs: Mapping[str, InstanceSpec], now: datetime) -> Beside:
    began = time.perf_counter()
    screening = reading.screening_of(facts.target, specs, model=model, now=now, is_asked_now=True)
    screened = screening.screened
    question = Question(facts, screened.candidates, screening.considered, screened.commonest_rejection)
    decision = decide(question)
    return Beside(model, decision, screening.pool_ids, (time.perf_counter() - began) * 1000)


def keep(beside: Beside | None, experiment: ExperimentLog) -> None:
    """Its decision beside the one that was made, and its prediction, to be compared with what happens."""
    if beside is None:
        return
    best, chosen = beside.decision.best, beside.decision.chosen
    ShadowDecision.objects.create(
        organization_id=experiment.organization_id,
        experiment=experiment,
        model_id=beside.model.id,
        decision=beside.decision.choice.value,
        reason=beside.decision.reason,
        target_instance_type=chosen.candidate.instance_type if chosen else "",
        target_zone_id=chosen.candidate.zone_id if chosen else "",
        interruption_probability=best.candidate.interruption_probability if best else None,
        safety_score=best.candidate.safety_score if best else None,
        evidence=best.candidate.evidence if best else "",
        expected_savings_usd_per_month=chosen.savings.usd_per_month if chosen and chosen.savings else None,
        latency_ms=beside.latency_ms,
    )
    if best is not None:
        _keep_prediction(beside, best, experiment)


def _keep_prediction(beside: Beside, best: Judged, experiment: ExperimentLog) -> None:
    pool = best.candidate
    output: dict[str, Any] = {
        "interruption_probability": pool.interruption_probability,
        "safety_score": pool.safety_score,
        "evidence": pool.evidence,
    }
    Prediction.objects.create(
        organization_id=experiment.organization_id,
        pool_id=beside.pool_ids[pool.pool],
        model_id=beside.model.id,
        prediction_type=SPOT_INTERRUPTION,
        inputs={"instance_type": pool.instance_type, "zone_id": pool.zone_id, "product": pool.product},
        output=output,
        probability=pool.interruption_probability,
        evidence=pool.evidence,
        latency_ms=beside.latency_ms,
        horizon_seconds=int(beside.model.horizon.total_seconds()),
        is_shadow=True,
    )
