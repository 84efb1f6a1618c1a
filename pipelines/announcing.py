"""Who hears of a run's steps, of a decision on an instance, and of an engine's answer?"""

from __future__ import annotations

from typing import Any

from accounts import feed, reach
from accounts.feed import Kind
from pipelines.models import EngineDecision, ExperimentLog, PipelineRun, RunState

WATCHED = frozenset({"person", "key"})  # triggers: whoever asked may watch; nobody watches ten thousand hourly runs


def is_watched(run: PipelineRun) -> bool:
    return run.trigger in WATCHED


def progressed(run: PipelineRun, step: dict[str, Any] | None = None) -> None:
    """A step of a watched run was written, or the run ended; in the transaction that writes it."""
    if is_watched(run):
        body = {"run": run.pk, "state": run.state, "step": step, "error": run.error}
        feed.tell(run.organization_id, Kind.RUN, body)
    if run.state == RunState.FAILED and run.requested_by:
        text = f"The evaluation of {_named(run)} failed."
        reach.toast(run.requested_by, run.organization_id, text, address=f"/runs/{run.pk}/", is_good=False)


def evaluated(run: PipelineRun, kept: ExperimentLog) -> None:
    """An instance was decided on: everybody's stream, and a word to who asked."""
    columns = ("decision", "reason", "instance_type", "target_instance_type", "target_zone_id", "decided_at")
    figures = ("interruption_probability", "safety_score", "expected_savings_usd_per_month", "is_shadow")
    body = {name: getattr(kept, name) for name in columns + figures}
    ids = {"experiment_id": kept.pk, "run": run.pk, "instance_id": kept.instance_id}
    feed.tell(run.organization_id, Kind.EVALUATION, {**ids, **body})
    if run.requested_by:
        text = f"{_named(run)}: {kept.reason.partition(';')[0]}"
        reach.toast(run.requested_by, run.organization_id, text, address=f"/decisions/{kept.pk}/")


def answered(kept: EngineDecision) -> None:
    """An engine answered a program."""
    columns = ("decision_type", "engine_name", "engine_version", "cluster_id", "request_id", "confidence_score")
    body = {name: getattr(kept, name) for name in columns}
    savings = kept.estimated_savings_usd_per_month
    said = {"execution_id": kept.pk, "estimated_savings": savings, "executed_at": kept.executed_at}
    feed.tell(kept.organization_id, Kind.DECISION, {**said, **body})


def _named(run: PipelineRun) -> str:
    instance = run.instance
    return (instance.name or instance.instance_id) if instance else "An instance that is gone"
