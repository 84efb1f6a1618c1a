"""Should this one instance move to Spot? Discover, screen, score, judge, decide, log. Nothing is acted on.

No call leaves the system while a decision is made: the market, the inventory and the scores are read from tables.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts import audit
from accounts.models import User
from governance.policies import policy_in_force
from instances.domain.money import HOURS_A_MONTH
from instances.models import Instance
from mlregistry import announcing as predictions
from mlregistry import feature_engine
from mlregistry.assigning import Judges, judges_of
from mlregistry.loading import LoadedModel
from mlregistry.models import PoolScore, Prediction
from pipelines import announcing, beside, receipts
from pipelines import facts as reading
from pipelines.domain import flips
from pipelines.domain.decision import Decision, blocking, decide
from pipelines.domain.proposal import Facts, Question
from pipelines.domain.receipt import digest
from pipelines.domain.savings import dollars
from pipelines.facts import Screening
from pipelines.models import ExperimentLog, PipelineRun, RunState
from pipelines.receipts import Found, Given
from pipelines.recording import Overtaken, Recorder, leave_lost_session, open_run
from pipelines.software import software

PIPELINE = "LINEAR"
logger = logging.getLogger(__name__)


def request(instance: Instance, *, trigger: str, by: User | None = None, now: datetime) -> PipelineRun:
    """A queued evaluation of the instance, to be carried out by `evaluate`; two requests at once are one run.

    A run whose worker was lost is handed out too: `evaluate` takes it over.
    """
    return open_run(instance, pipeline=PIPELINE, trigger=trigger, by=by)


def evaluate(wanted: PipelineRun | Instance, *, now: datetime) -> PipelineRun:
    """Carry a run out to its decision and return it, done or failed with what stands.

    An instance gets a run first, or joins its open one. A run that another worker is at, or that has ended, is
    returned as it is. Raises OperationalError while PostgreSQL is away: the run stays open, and is taken over later.
    """
    run = request(wanted, trigger="command", now=now) if isinstance(wanted, Instance) else wanted
    recorder = Recorder.claim(run, now=now)
    if recorder is None:
        run.refresh_from_db()
        return run
    try:
        _decide(run, recorder, now)
        recorder.end(RunState.DONE)
    except Overtaken:
        logger.warning("run overtaken", extra={"run": str(run.pk)})
        run.refresh_from_db()
    except Exception as wrong:  # whatever broke, the run says so: a page waits for it
        logger.exception("evaluation failed", extra={"run": str(run.pk)})
        leave_lost_session(wrong)
        recorder.end(RunState.FAILED, f"{type(wrong).__name__}: {wrong}")
    return run


def evaluated_hourly() -> QuerySet[Instance]:
    """The instances that are there, of accounts in use."""
    return Instance.objects.present().filter(account__is_active=True).select_related("account").order_by("pk")


@dataclass(frozen=True, slots=True)
class _Subject:
    instance: Instance
    facts: Facts
    specs: dict[str, Any]
    judges: Judges


def _decide(run: PipelineRun, recorder: Recorder, now: datetime) -> None:
    subject = _target(run, recorder, now)
    model = subject.judges.serving
    screening = _candidates(subject, recorder, now)
    screened = screening.screened
    question = Question(subject.facts, screened.candidates, screening.considered, screened.commonest_rejection)
    given = _features(question, screening, model, recorder)
    scores, latency_ms = _inference(given, recorder)
    question = receipts.with_scores(question, scores)
    decision = _gates(question, recorder)
    _savings(decision, recorder)
    found = _decision(scores, question, decision, recorder)
    second = beside.ask(subject.judges.shadow, subject.facts, subject.specs, recorder, now)
    with recorder.step("log") as notes:
        receipt = receipts.written(given, found, _circumstances(run, subject, screening))
        with recorder.held():
            kept = _keep(run, subject.instance, given, found, receipt, latency_ms)
            beside.keep(second, kept)
        notes.outputs = {"note": f"decision {kept.pk}", "experiment": str(kept.pk), "sha256": kept.receipt_sha256}
    recorder.skip("act", "shadow mode: decided and logged, nothing is acted on")


def _target(run: PipelineRun, recorder: Recorder, now: datetime) -> _Subject:
    with recorder.step("target", instance=run.instance_id, trigger=run.trigger) as notes:
        if run.instance_id is None:
            raise Instance.DoesNotExist("the instance was removed")
        instance = Instance.objects.select_related("account__organization", "group").get(pk=run.instance_id)
        policy = policy_in_force(instance.account, instance)
        specs = reading.specs_of(instance)
        target = reading.target_of(instance, specs)
        facts = reading.facts_of(instance, target, policy, now=now)
        judges = judges_of(instance)
        notes.outputs = {
            "note": f"{target.instance_type} in {target.zone_id or instance.zone_name}, {target.state}",
            "seen_at": target.seen_at,
            "on_demand_usd_micro": facts.on_demand_usd_micro,
            "fleet": facts.fleet,
            "policy_set_by": dict(policy.set_by),
            "model_chosen_by": judges.chosen_by,
            "models_passed_over": judges.passed_over,
        }
    return _Subject(instance, facts, specs, judges)


def _candidates(subject: _Subject, recorder: Recorder, now: datetime) -> Screening:
    target, judges = subject.facts.target, subject.judges
    with recorder.step("candidates", region=target.region, product=target.product) as notes:
        screening = reading.screening_of(
            target, subject.specs, model=judges.serving, now=now, is_asked_now=judges.is_assigned
        )
        screened = screening.screened
        kept = len(screened.candidates)
        notes.count_in, notes.count_out = screening.considered, kept
        notes.outputs = {
            "note": f"{kept} of {screening.considered} pools could host it",
            "rejected_types": {reason: len(types) for reason, types in screened.rejected_types.items()},
            "rejected_pools": {reason: len(pools) for reason, pools in screened.rejected_pools.items()},
        }
    return screening


def _features(question: Question, screening: Screening, model: LoadedModel, recorder: Recorder) -> Given:
    """The inputs of the candidates that rank first by the stored scores; those alone are recomputed and told whole."""
    with recorder.step("features", model=model.as_json()) as notes:
        ranked = decide(question).ranked
        wanted = {screening.pool_ids[each.candidate.pool]: each.candidate.pool for each in ranked[: receipts.DETAILED]}
        scores = PoolScore.objects.filter(pool_id__in=wanted).select_related("pool")
        inputs = {wanted[score.pool_id]: score.inputs for score in scores}
        statistics = feature_engine.stored_statistics({row["statistics"] for row in inputs.values()})
        notes.count_in, notes.count_out = len(question.candidates), len(inputs)
        notes.outputs = {"note": f"inputs of {len(inputs)} candidates", "statistics": sorted(statistics)}
    return Given(question, inputs, statistics, model)


def _inference(given: Given, recorder: Recorder) -> tuple[dict[str, dict[str, Any]], float]:
    """Scores by pool, and how many milliseconds they took together."""
    with recorder.step("inference", candidates=sorted(given.inputs)) as notes:
        began = time.perf_counter()
        scores = receipts.expected(given)
        latency_ms = (time.perf_counter() - began) * 1000
        notes.count_in = notes.count_out = len(scores)
        notes.outputs = {
            "note": f"{given.model.name} {given.model.version} on {len(scores)} candidates",
            "probabilities": {pool: score["interruption_probability"] for pool, score in scores.items()},
        }
    return scores, latency_ms


def _gates(question: Question, recorder: Recorder) -> Decision:
    with recorder.step("gates") as notes:
        decision = decide(question)
        passing = sum(not judged.blocking for judged in decision.ranked)
        refused = [verdict.gate for verdict in blocking(decision.refusals, question.facts)]
        blocked: dict[str, int] = {}
        for judged in decision.ranked:
            for verdict in judged.blocking:
                blocked[verdict.gate] = blocked.get(verdict.gate, 0) + 1
        notes.count_in, notes.count_out = len(decision.ranked), passing
        told = f"refused: {', '.join(refused)}" if refused else f"{passing} of {len(decision.ranked)} pass every gate"
        notes.outputs = {"note": told, "refused": refused, "blocked": blocked}
    return decision


def _savings(decision: Decision, recorder: Recorder) -> None:
    with recorder.step("savings") as notes:
        best = decision.best
        if best is None or best.savings is None:
            notes.outputs = {"note": "no candidate with both prices"}
        else:
            saved = best.savings
            told = f"{best.candidate.pool}: ${saved.usd_per_month} a month ({saved.percent:.0f} %) net of switching"
            notes.outputs = {"note": told, "savings": saved}


def _decision(scores: dict[str, dict[str, Any]], question: Question, decision: Decision, recorder: Recorder) -> Found:
    with recorder.step("decision") as notes:
        found = Found(scores, question, decision, flips.nearest(question, decision))
        notes.outputs = {
            "note": decision.reason,
            "choice": decision.choice,
            "flip": receipts.flip_sentence(found),
        }
    return found


def _circumstances(run: PipelineRun, subject: _Subject, screening: Screening) -> dict[str, Any]:
    instance = subject.instance
    return {
        "instance": {
            "id": instance.pk,
            "name": instance.name,
            "account_id": instance.account.account_id,
            "environment": instance.account.environment,
            "trigger": run.trigger,
            "model_chosen_by": subject.judges.chosen_by,
        },
        "sources": reading.sources_of(subject.facts, screening.screened.candidates),
        "rejected": {
            "types": screening.screened.rejected_types,
            "pools": screening.screened.rejected_pools,
        },
        "software": software(),
    }


def _keep(
    run: PipelineRun, instance: Instance, given: Given, found: Found, receipt: dict[str, Any], latency_ms: float
) -> ExperimentLog:
    """The decision's row, its prediction, and the audit entry; the instance's earlier decision is no longer latest."""
    decision, facts = found.decision, found.question.facts
    best, chosen = decision.best, decision.chosen
    monthly = None if facts.on_demand_usd_micro is None else dollars(HOURS_A_MONTH * facts.on_demand_usd_micro)
    ExperimentLog.objects.filter(instance=instance, is_latest=True).update(is_latest=False)
    kept = ExperimentLog.objects.create(
        organization_id=run.organization_id,
        run=run,
        instance=instance,
        model_id=given.model.id,
        decision=decision.choice.value,
        reason=decision.reason,
        instance_type=instance.instance_type,
        target_instance_type=chosen.candidate.instance_type if chosen else "",
        target_zone_id=chosen.candidate.zone_id if chosen else "",
        interruption_probability=best.candidate.interruption_probability if best else None,
        safety_score=best.candidate.safety_score if best else None,
        evidence=best.candidate.evidence if best else "",
        current_usd_per_month=monthly,
        expected_savings_usd_per_month=chosen.savings.usd_per_month if chosen and chosen.savings else None,
        is_shadow=facts.is_shadow,
        receipt=receipt,
        receipt_sha256=digest(receipt),
        decided_at=facts.now,
        is_latest=True,
    )
    if best and best.candidate.pool in found.scores:
        _keep_prediction(run, given, found, best.candidate.pool, latency_ms)
    after = {"decision": kept.decision, "experiment": str(kept.pk)}
    by = str(run.requested_by) if run.requested_by else run.trigger
    announcing.evaluated(run, kept)
    audit.record(by, "instance.evaluated", instance, organization=run.organization, after=after, reason=decision.reason)
    return kept


def _keep_prediction(run: PipelineRun, given: Given, found: Found, pool: str, latency_ms: float) -> None:
    """The prediction that the decision used, to be compared with what happens within its horizon."""
    inputs, score = given.inputs[pool], found.scores[pool]
    low, high = score["probability_low"], score["probability_high"]
    kept = Prediction.objects.create(
        organization_id=run.organization_id,
        pool_id=inputs["pool_id"],
        model_id=given.model.id,
        prediction_type="spot_interruption",
        inputs=inputs,
        output=score,
        probability=score["interruption_probability"],
        confidence=None if low is None or high is None else 1 - (high - low),
        evidence=score["evidence"],
        latency_ms=latency_ms,
        horizon_seconds=score["horizon_seconds"],
    )
    predictions.announce(run.organization_id, [kept])
