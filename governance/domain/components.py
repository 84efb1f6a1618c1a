"""Which parts of the system do periodic work, and how is each doing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

HOURS_SHOWN = 24


class Status(StrEnum):
    WELL = "well"
    PARTLY = "partly"  # of the newest runs some failed and some did not
    FAILING = "failing"
    LATE = "late"  # nothing ran when something should have
    SILENT = "silent"  # it has never run


@dataclass(frozen=True, slots=True)
class Component:
    """A part that reports its runs. `late_after` a start the next one is overdue: more than two of its turns."""

    name: str
    does: str
    late_after: timedelta

    @property
    def slug(self) -> str:
        return self.name.replace(" ", "-")


COMPONENTS = (
    Component("advisor scraper", "reads the Spot Advisor, every hour", timedelta(hours=2, minutes=30)),
    Component("price scraper", "reads Spot prices, every 10 minutes, and lists daily", timedelta(minutes=25)),
    Component("inventory", "reads every account, every 15 minutes", timedelta(minutes=40)),
    Component("scoring", "scores the pools of regions with news", timedelta(minutes=30)),
    Component("linear pipeline", "decides on every active instance, every hour", timedelta(hours=2, minutes=30)),
)


@dataclass(frozen=True, slots=True)
class Hour:
    """What ended in one of the last hours; 0 hours ago is the running one."""

    hours_ago: int
    succeeded: int
    failed: int

    @property
    def is_up(self) -> bool:
        return self.succeeded > 0

    @property
    def has_run(self) -> bool:
        return self.succeeded + self.failed > 0


def component_of(slug: str) -> Component | None:
    return next((each for each in COMPONENTS if each.slug == slug), None)


def status_of(
    component: Component, *, succeeded: int, failed: int, last_started_at: datetime | None, now: datetime
) -> Status:
    """`succeeded` and `failed` count what ended within `late_after`. A run that is still on its way is no lateness."""
    if last_started_at is None:
        return Status.SILENT
    if now - last_started_at > component.late_after:
        return Status.LATE
    if not failed:
        return Status.WELL
    return Status.PARTLY if succeeded else Status.FAILING


def uptime(hours: Sequence[Hour]) -> float | None:
    """Share of the hours with any run in which at least one ended well; None while nothing ran."""
    ran = [hour for hour in hours if hour.has_run]
    return sum(hour.is_up for hour in ran) / len(ran) if ran else None


class Subject(StrEnum):
    """Whom a job's `subject` names."""

    NOBODY = "nobody"  # or a region: the market is everybody's
    ACCOUNT = "account"
    ZONES = "zones"  # "us-east-1", or "us-east-1 12": a region of an account
    INSTANCE = "instance"  # "instance 41"
    HIDDEN = "hidden"  # counts over all organizations, and jobs that are not known here


SUBJECTS = {
    "refresh_advisor": Subject.NOBODY,
    "refresh_catalogue": Subject.NOBODY,
    "keep_prices": Subject.NOBODY,
    "refresh_spot": Subject.NOBODY,
    "refresh_on_demand": Subject.NOBODY,
    "score_region": Subject.NOBODY,
    "refresh_zones": Subject.ZONES,
    "sync_account": Subject.ACCOUNT,
    "sync_as_asked": Subject.HIDDEN,  # the number of an order; the account's own page tells how it goes
    "evaluate_instance": Subject.INSTANCE,
}


def subject_kind(task: str) -> Subject:
    """What a job that is not listed names is unknown, and unknown is not shown."""
    return SUBJECTS.get(task, Subject.HIDDEN)
