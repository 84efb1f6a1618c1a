"""Take the Spot Advisor's file now, or accept one that was refused as suddenly different."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from instances.management.telling import tell
from instances.market import ingest
from instances.models import AdvisorFile


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--accept", metavar="SHA256", help="take the file of this digest, kept when it was refused")

    def handle(self, *args: Any, accept: str | None = None, **options: Any) -> None:
        if not accept:
            tell(self, ingest.fetch_advisor(timezone.now()))
            return
        try:
            tell(self, ingest.accept_advisor(accept, timezone.now()))
        except AdvisorFile.DoesNotExist as error:
            raise CommandError(f"No Advisor file with the SHA-256 {accept} is kept.") from error
