"""Make a decision again from its receipt, and say whether it came out the same."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pipelines.models import ExperimentLog
from pipelines.replaying import replay

MOST_LINES = 50


class Command(BaseCommand):
    help = "Recompute decisions from their receipts alone; exit 1 when anything differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("decision", nargs="?", help="the id of a decision")
        which.add_argument("--latest", action="store_true", help="the latest decision of every instance")

    def handle(self, *args: Any, **options: Any) -> None:
        decisions = ExperimentLog.objects.select_related("instance").order_by("pk")
        decisions = decisions.filter(is_latest=True) if options["latest"] else decisions.filter(pk=_id(options))
        count = failed = 0
        for decision in decisions.iterator(chunk_size=20):
            count += 1
            failed += not self._replayed(decision)
        if not count:
            raise CommandError("there is no such decision")
        if failed:
            raise CommandError(f"{failed} of {count} decisions did not come out again")

    def _replayed(self, decision: ExperimentLog) -> bool:
        found = replay(decision)
        how = "bit for bit" if found.is_exact else "to 1e-12 (another lock file or processor family)"
        if found.is_same:
            self.stdout.write(f"{decision.pk} {decision.decision:<6} {decision.instance or '-'}: the same, {how}")
            return True
        self.stdout.write(f"{decision.pk} {decision.decision:<6} {decision.instance or '-'}: DIFFERS, compared {how}")
        for line in found.differences[:MOST_LINES]:
            self.stdout.write(f"  {line}")
        if len(found.differences) > MOST_LINES:
            self.stdout.write(f"  and {len(found.differences) - MOST_LINES} more")
        return False


def _id(options: dict[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(options["decision"])
    except ValueError as wrong:
        raise CommandError(f"{options['decision']!r} is not the id of a decision") from wrong
