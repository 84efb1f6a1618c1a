"""What runs when, and for which component does it count? The default schedule on one page.

`seed()` lays down the rows that are missing; from then on they belong to the admin, who may change or disable them
(a row that was deleted comes back: disable it instead). Times are UTC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta

MINUTES = timedelta(minutes=1)
HOURS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A periodic task: `every` so long, or `at` a crontab's minute and hour. Not run when its next turn has come."""

    name: str
    task: str
    every: timedelta | None = None
    at: tuple[str, str] | None = None
    kwargs: dict[str, str] = field(default_factory=dict)

    @property
    def expires_after(self) -> timedelta:
        return (self.every or 24 * HOURS) * 0.9


TIMETABLE = (
    # the market
    Entry("Spot Advisor", "instances.tasks.refresh_advisor", every=1 * HOURS),
    Entry("Spot prices of every region", "instances.tasks.refresh_all_spot", every=10 * MINUTES),
    Entry("daily rows of Spot prices, and old months dropped", "instances.tasks.keep_prices", at=("40", "3")),
    Entry("On-Demand prices of every region", "instances.tasks.refresh_all_on_demand", at=("10", "3")),
    Entry("instance types", "instances.tasks.refresh_catalogue", at=("20", "3")),
    Entry("zone names of every account", "instances.tasks.refresh_all_zones", at=("30", "3")),
    # the scores: the minute looks for regions with news, and scores those
    Entry("scores of regions with news", "mlregistry.tasks.score_fresh_regions", every=1 * MINUTES),
    # the accounts
    Entry("inventory of every account", "instances.tasks.sync_all_accounts", every=15 * MINUTES),
    # the audit log: beat may be 5 s late by itself, so a seal every second would be a wish
    Entry("seals of new audit entries", "accounts.tasks.seal_audit", every=timedelta(seconds=5)),
    Entry("seals of audit entries that came late", "accounts.tasks.seal_late_audit", every=1 * HOURS),
    # acting: the journal says what is due; a lost queue costs ten seconds, a lost worker its lease
    Entry("operations that are due", "pipelines.tasks.drive_due", every=timedelta(seconds=10)),
    Entry("what a crash has left", "pipelines.tasks.reconcile_all", every=2 * MINUTES),
    # what is kept for a day only
    Entry("keys of repeated requests that ran out", "accounts.tasks.forget_idempotency_keys", every=1 * HOURS),
    # the feed
    Entry("old rows of the feed, forgotten", "accounts.tasks.trim_feed", every=1 * HOURS),
    # the decisions
    Entry("evaluation of every active instance", "pipelines.tasks.evaluate_all", every=1 * HOURS),
    Entry("savings of the day", "pipelines.tasks.keep_savings", every=1 * HOURS),
    # what has had its time
    Entry("old runs, predictions and sessions", "pipelines.tasks.keep_history", at=("50", "3")),
)

# Jobs of apps that stand below governance, or beside it, and so cannot report to governance.health themselves:
# spotopt/celery.py does it for them. Those that only start others are not here: the others are.
COMPONENTS = {
    "instances.tasks.refresh_advisor": "advisor scraper",
    "instances.tasks.refresh_spot": "price scraper",
    "instances.tasks.keep_prices": "price scraper",
    "instances.tasks.refresh_on_demand": "price scraper",
    "instances.tasks.refresh_catalogue": "price scraper",
    "instances.tasks.refresh_zones": "price scraper",
    "instances.tasks.sync_account": "inventory",
    "instances.tasks.sync_as_asked": "inventory",
    "mlregistry.tasks.score_region": "scoring",
}


def seed() -> int:
    """Add the rows that beat does not have yet; how many. Rows that are there stay as they are."""
    from django_celery_beat.models import PeriodicTask

    known = set(PeriodicTask.objects.values_list("name", flat=True))
    missing = [entry for entry in TIMETABLE if entry.name not in known]
    for entry in missing:
        _add(entry)
    return len(missing)


def _add(entry: Entry) -> None:
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

    when: dict[str, object]
    if entry.every:
        seconds = int(entry.every.total_seconds())
        when = {"interval": IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)[0]}
    elif entry.at:
        minute, hour = entry.at
        when = {"crontab": CrontabSchedule.objects.get_or_create(minute=minute, hour=hour, timezone="UTC")[0]}
    else:
        raise ValueError(f"{entry.name} says neither how often nor when")
    PeriodicTask.objects.get_or_create(
        name=entry.name,
        defaults={
            **when,
            "task": entry.task,
            "kwargs": json.dumps(entry.kwargs),
            "expire_seconds": int(entry.expires_after.total_seconds()),
        },
    )
