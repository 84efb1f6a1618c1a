"""Take the instance types and the installation's zone names now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from instances.management.telling import tell
from instances.market import ingest


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        zones = [ingest.fetch_zones(None, region, now) for region in settings.MARKET_REGIONS]
        tell(self, ingest.fetch_catalogue(now), *zones)
