"""Is the Advisor's file believable, and which ratings does it change?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.aws.read.advisor import AdvisorEntry
from instances.models import AdvisorFile, SpotAdvisorRating

Key = tuple[str, str, str]  # region, instance type, operating system
MOST_CHANGED = 0.30  # of the current ratings at once; safety.md 8: beyond it a person decides
SUDDEN_SAVINGS = 20  # points; the published savings move by about 10 points in a year (data README, drift)
BATCH = 5_000  # rows of one INSERT


@dataclass(frozen=True, slots=True)
class Change:
    """What a file would do to the current ratings. `sudden` of `known` take another band, jump in savings, or go."""

    fresh: tuple[AdvisorEntry, ...]
    superseded: tuple[int, ...]  # ids of rows that no longer hold
    sudden: int
    known: int

    @property
    def is_empty(self) -> bool:
        return not self.fresh and not self.superseded

    @property
    def is_believable(self) -> bool:
        return self.sudden <= MOST_CHANGED * self.known

    def __str__(self) -> str:
        share = self.sudden / self.known if self.known else 0.0
        return f"{self.sudden} of {self.known} ratings ({share:.0%}) change suddenly"


def change_by(entries: Sequence[AdvisorEntry]) -> Change:
    """Compare a file's entries with the current ratings."""
    current = {
        (region, instance_type, system): (row_id, band, savings)
        for row_id, region, instance_type, system, band, savings in SpotAdvisorRating.objects.filter(
            superseded_at=None
        ).values_list("id", "region", "instance_type", "operating_system", "band", "savings_percent")
    }
    stated = {(entry.region, entry.instance_type, entry.operating_system): entry for entry in entries}
    sudden = sum(_is_sudden(band, savings, stated.get(key)) for key, (_, band, savings) in current.items())
    fresh = [entry for key, entry in stated.items() if current.get(key, (0,))[1:] != _rating(entry)]
    superseded = [row[0] for key, row in current.items() if key not in stated or row[1:] != _rating(stated[key])]
    return Change(tuple(fresh), tuple(superseded), sudden, len(current))


def _rating(entry: AdvisorEntry) -> tuple[int, int]:
    return entry.band, entry.savings_percent


def _is_sudden(band: int, savings: int, entry: AdvisorEntry | None) -> bool:
    return entry is None or entry.band != band or abs(entry.savings_percent - savings) > SUDDEN_SAVINGS


def take(change: Change, file: AdvisorFile, *, now: datetime) -> None:
    """Make the file's ratings the current ones; what they replace stays as history."""
    with transaction.atomic():
        SpotAdvisorRating.objects.filter(pk__in=change.superseded).update(superseded_at=now)
        SpotAdvisorRating.objects.bulk_create(_rows(change.fresh, file, now), batch_size=BATCH)


def _rows(entries: Iterable[AdvisorEntry], file: AdvisorFile, now: datetime) -> Iterable[SpotAdvisorRating]:
    return (
        SpotAdvisorRating(
            instance_type=entry.instance_type,
            region=entry.region,
            operating_system=entry.operating_system,
            band=entry.band,
            savings_percent=entry.savings_percent,
            file=file,
            observed_at=now,
        )
        for entry in entries
    )
