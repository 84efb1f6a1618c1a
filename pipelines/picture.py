"""How does a run look, step by step, while it goes and after?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.announcing import is_watched
from pipelines.models import PipelineRun, RunState

STEPS = ("target", "candidates", "features", "inference", "gates", "savings", "decision", "log", "act")
SHADOW = "shadow"  # only where a shadow model is assigned, before the log
MEANING = {
    "target": "the machine as inventory saw it",
    "candidates": "pools that could host it",
    "features": "what the model looks at",
    "inference": "probability and safety",
    "gates": "every rule answers",
    "savings": "net of switching",
    "decision": "switch or stay",
    SHADOW: "what a second model would decide",
    "log": "the receipt is kept",
    "act": "carry it out",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One box of the picture. `kept` is the share of what came in that went on, 0 to 100; None = nothing counted."""

    name: str
    meaning: str
    state: str  # waiting | running | done | failed | skipped
    count_in: int | None = None
    count_out: int | None = None
    duration_ms: float | None = None
    detail: str = ""
    kept: int | None = None


def drawn(run: PipelineRun) -> list[Drawn]:
    """All steps in order, the shadow model's where it was asked.

    Those without a row yet are waiting, the first of them running while the run does.
    """
    rows = {step.name: step for step in run.steps.all()}
    boxes: list[Drawn] = []
    is_next = run.state == RunState.RUNNING
    asked = [name for step in STEPS for name in ((SHADOW, step) if step == "log" and SHADOW in rows else (step,))]
    for name in asked:
        row = rows.get(name)
        if row is None:
            boxes.append(Drawn(name, MEANING[name], "running" if is_next else "waiting"))
            is_next = False
            continue
        kept = round(100 * (row.count_out or 0) / row.count_in) if row.count_in else None
        detail = row.error or str(row.outputs.get("note", ""))
        boxes.append(Drawn(name, MEANING[name], row.state, row.count_in, row.count_out, row.duration_ms, detail, kept))
    return boxes


def context(run: PipelineRun) -> dict[str, Any]:
    """What the picture's template shows; `is_watched`: a socket tells its steps, or else the page has to ask often."""
    return {
        "run": run,
        "steps": drawn(run),
        "is_open": run.state in (RunState.QUEUED, RunState.RUNNING),
        "is_watched": is_watched(run),
        "experiment": getattr(run, "experiment", None),
    }
