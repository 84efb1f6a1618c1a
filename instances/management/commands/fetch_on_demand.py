"""Take the On-Demand prices now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from instances.management.telling import tell
from instances.market import ingest


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--region", action="append", help="may be repeated; else every region of MARKET_REGIONS")

    def handle(self, *args: Any, region: list[str] | None = None, **options: Any) -> None:
        now = timezone.now()
        tell(self, *(ingest.fetch_on_demand(each, now) for each in region or settings.MARKET_REGIONS))
