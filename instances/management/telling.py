"""How does a command say how a fetch ended?"""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from instances.market.attempts import is_whole
from instances.models import MarketFetch


def tell(command: BaseCommand, *fetches: MarketFetch) -> None:
    """A line for each fetch. CommandError, and so a non-zero exit, when any did not end well."""
    for fetch in fetches:
        counts = f"{fetch.rows} rows, {fetch.written} written, {fetch.rejected} rejected"
        window = f" through {fetch.through:%Y-%m-%d %H:%M} UTC" if fetch.through else ""
        name = " ".join(filter(None, (fetch.source, fetch.region)))
        command.stdout.write(f"{name}: {fetch.outcome}{window}, {counts}")
        if fetch.detail:
            command.stdout.write(f"  {fetch.detail}")
    bad = [fetch for fetch in fetches if not is_whole(fetch)]
    if bad:
        raise CommandError(
            f"{len(bad)} of {len(fetches)} did not end well; the first: {bad[0].detail or bad[0].outcome}"
        )
