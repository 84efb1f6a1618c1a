"""./run manage record_api: after an endpoint changed. Writes the schema, and what changed into the API's changelog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from spotopt import contract
from spotopt.schema import whole_schema

HEAD = "## Unreleased\n"


class Command(BaseCommand):
    help = "Write docs/api-schema.json, and what changed since the last time into docs/api-changes.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--docs", type=Path, default=settings.BASE_DIR / "docs")
        parser.add_argument("--why", default="", help="a sentence for whoever calls the API")

    def handle(self, *args: Any, docs: Path, why: str, **options: Any) -> None:
        schema = json.loads(json.dumps(whole_schema()))
        (docs / "api-schema.json").write_text(json.dumps(schema, indent=4, ensure_ascii=False))
        recorded, log = docs / "api-recorded.txt", docs / "api-changes.md"
        found = contract.facts(schema)
        lines = contract.changes(contract.read(recorded.read_text()), found)
        recorded.write_text(contract.written(found))
        if lines:
            entry = "\n".join([f"### {timezone.now():%Y-%m-%d}", "", *([why, ""] if why else []), *lines])
            log.write_text(log.read_text().replace(HEAD, f"{HEAD}\n{entry}\n", 1))
        self.stdout.write("\n".join(lines) or "Nothing changed for callers.")
