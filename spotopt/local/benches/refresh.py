"""How much does scoring a whole market add to the time that reading it from the database takes?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from instances.market import publishing, quotes
from mlregistry import scoring
from spotopt.local.benches import filled, invented
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.measure import Row, at_most, medians


def rows(on: Ground) -> list[Row]:
    n, now = on.sized(invented.POOLS, least=100), timezone.now()
    regions = filled.fill(on, n, now=now)
    scored = sum(scoring.score_region(region, now=now).pools for region in regions)
    assert scored == n, f"{scored} pools of {n} were scored"
    took = medians(
        {
            "read": lambda: read(regions, now),
            "whole": lambda: [scoring.score_region(region, now=now) for region in regions],
            "publish": lambda: publish(regions, now),
        },
        times=on.sized(3),
    )
    note = f"floor: the same questions to the same reader, nothing computed; {len(regions)} regions"
    of_cache = "by the fetch before it, which reads for itself: every change of 8 days, as JSON by family"
    return [
        Row(f"refresh of {n:,} pools", took["whole"], "s", took["read"], at_most(1.5), note),
        Row("… the documents of the cache", took["publish"], "s", took["read"], note=of_cache),
    ]


def read(regions: Sequence[str], now: datetime) -> None:
    """All that a scoring asks the database for."""
    for region in regions:
        quotes.pool_rows(region)
        quotes.freshness(region, now=now)
        quotes.ratings(region)
        quotes.on_demand(region, at=now)
        quotes.histories(region, at=now)
        quotes.specs()


def publish(regions: Sequence[str], now: datetime) -> None:
    for region in regions:
        publishing.publish(region, now=now)
