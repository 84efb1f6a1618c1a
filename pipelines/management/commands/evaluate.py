"""Evaluate instances now, by hand, and print what was decided."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from governance import health
from instances.models import Instance
from pipelines import linear
from pipelines.models import PipelineRun, RunState

COMPONENT = "linear pipeline"


class Command(BaseCommand):
    help = "Decide for one instance, for those of an account, or for all; nothing is acted on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="every instance of every account in use")
        which.add_argument("--account", help="the instances of this 12-digit account")
        which.add_argument("--instance", help="this instance, e.g. i-0abc…")
        parser.add_argument("--json", action="store_true", help="print a list of objects instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        runs = [self._evaluated(instance) for instance in _wanted(options)]
        rows = [_row(run) for run in runs]
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            for row in rows:
                self.stdout.write(_line(row))
            self.stdout.write(_summary(rows))
        failed = [row["instance"] for row in rows if row["state"] == RunState.FAILED]
        if failed:
            raise CommandError(f"evaluation failed for {', '.join(failed)}")

    def _evaluated(self, instance: Instance) -> PipelineRun:
        with health.run(COMPONENT, "evaluate", f"instance {instance.instance_id}") as report:
            run = linear.evaluate(instance, now=timezone.now())
            report.is_success, report.detail = run.state != RunState.FAILED, run.error
        return run


def _wanted(options: dict[str, Any]) -> QuerySet[Instance]:
    """Raises CommandError when nothing matches what was asked for."""
    instances = linear.evaluated_hourly()
    if options["account"]:
        instances = instances.filter(account__account_id=options["account"])
    if options["instance"]:
        instances = instances.filter(instance_id=options["instance"])
    if not instances.exists():
        raise CommandError("no such instance is known; has its account been synchronized?")
    return instances


def _row(run: PipelineRun) -> dict[str, Any]:
    instance, found = run.instance, getattr(run, "experiment", None)
    saved = found.expected_savings_usd_per_month if found else None
    return {
        "instance": instance.instance_id if instance else "",
        "name": instance.name if instance else "",
        "account": run.account.account_id,
        "environment": run.account.environment,
        "region": instance.region if instance else "",
        "type": instance.instance_type if instance else "",
        "run": str(run.pk),
        "state": run.state,
        "error": run.error,
        "decision_id": str(found.pk) if found else None,
        "decision": found.decision if found else None,
        "target": f"{found.target_instance_type} in {found.target_zone_id}" if found and found.target_zone_id else None,
        "interruption_probability": found.interruption_probability if found else None,
        "safety_score": found.safety_score if found else None,
        "savings_usd_per_month": None if saved is None else str(saved),
        "reason": found.reason if found else None,
        "flip": found.receipt["flip_sentence"] if found else None,
    }


def _line(row: dict[str, Any]) -> str:
    what = row["decision"] or row["state"].upper()
    told = row["reason"] or row["error"] or "another worker is at it"
    return f"{what:<7} {row['instance']:<20} {row['type']:<13} {row['name'][:24]:<24} {told}"


def _summary(rows: list[dict[str, Any]]) -> str:
    counts = {choice: sum(row["decision"] == choice for row in rows) for choice in ("SWITCH", "STAY")}
    return f"{len(rows)} instances: {counts['SWITCH']} SWITCH, {counts['STAY']} STAY"
