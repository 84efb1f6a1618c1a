"""Take the Spot price changes since the last fetch, or of a past range again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from instances.management.telling import tell
from instances.market import ingest, publishing


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--region", action="append", help="may be repeated; else every region of MARKET_REGIONS")
        parser.add_argument("--since", type=_instant, help="with --until: take this range again (ISO 8601, UTC)")
        parser.add_argument("--until", type=_instant)

    def handle(
        self,
        *args: Any,
        region: list[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        **options: Any,
    ) -> None:
        regions, now = region or settings.MARKET_REGIONS, timezone.now()
        if (since is None) != (until is None):
            raise CommandError("--since and --until belong together.")
        try:
            if since and until:
                fetches = [ingest.backfill(each, since, until, now=now) for each in regions]
            else:
                fetches = [ingest.fetch_spot(each, now) for each in regions]
        except ValueError as error:
            raise CommandError(str(error)) from error
        for each in regions:
            publishing.publish(each, now=now)
        tell(self, *fetches)
