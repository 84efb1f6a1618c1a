"""What was decided for each instance? The table and the summary of `./run demo --once`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from django.utils import timezone

from mlregistry.models import ModelVersion
from pipelines.models import ExperimentLog

COLUMNS = ("decision", "account", "name", "type", "target", "saves_usd_per_month", "reason")
WIDEST_REASON = 90


def told(state: Path) -> str:
    """The decisions that stand, as a table for people; the same whole, as JSON, in `decisions.json` of the state."""
    rows = [_row(log) for log in _latest()]
    counts = Counter(row["decision"] for row in rows)
    active = ModelVersion.objects.filter(is_active=True).first()
    summary = {
        "at": timezone.now().isoformat(),
        "model": f"{active.name} {active.version}" if active else None,
        "instances": len(rows),
        "switch": counts["SWITCH"],
        "stay": counts["STAY"],
        "decisions": rows,
    }
    kept = state / "decisions.json"
    kept.write_text(json.dumps(summary, indent=1))
    counted = f"{len(rows)} instances: {counts['SWITCH']} SWITCH, {counts['STAY']} STAY"
    return f"\n{table(rows)}\n\n{counted}. Nothing was acted on.\nThe summary: {kept}"


def table(rows: list[dict[str, Any]]) -> str:
    """Columns as wide as their widest cell; reasons are cut, the summary has them whole."""
    cells = [COLUMNS, *(tuple(_cell(row[column]) for column in COLUMNS) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= WIDEST_REASON else f"{text[: WIDEST_REASON - 1]}…"


def _latest() -> list[ExperimentLog]:
    known = ExperimentLog.objects.filter(is_latest=True, instance__vanished_at=None)
    order = ("-decision", "instance__account__name", "instance__name", "instance_id")
    return list(known.select_related("instance__account").order_by(*order))


def _row(log: ExperimentLog) -> dict[str, Any]:
    instance = log.instance
    target = f"{log.target_instance_type} {log.target_zone_id}".strip()
    saves = log.expected_savings_usd_per_month
    return {
        "decision": log.decision,
        "account": instance.account.name if instance else None,
        "instance": instance.instance_id if instance else None,
        "name": instance.name if instance else None,
        "type": log.instance_type,
        "target": target or None,
        "interruption_probability": log.interruption_probability,
        "safety_score": log.safety_score,
        "saves_usd_per_month": None if saves is None else str(saves),
        "reason": log.reason,
        "decision_id": str(log.pk),
        "receipt_sha256": log.receipt_sha256,
    }
