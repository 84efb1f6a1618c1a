"""Which jobs' ends does the system monitor list, and in which order?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.authentication import Caller
from accounts.lists import ListForm, Orders
from governance import monitoring
from governance.domain.components import COMPONENTS
from governance.models import ComponentRun

NAMES = {each.slug: each.name for each in COMPONENTS}
ENDS = {"well": True, "badly": False, "running": None}
COLUMNS = ("started_at", "component", "task", "subject", "ended", "seconds", "detail")


class JobForm(ListForm):
    """What the address of the page may say of its log."""

    orders = Orders(
        "-started", {"started": "started_at", "component": "component", "job": "task", "ended": "is_success"}
    )

    component = forms.ChoiceField(
        label="Component", required=False, choices=[("", "Any"), *((slug, name) for slug, name in NAMES.items())]
    )
    ended = forms.ChoiceField(
        label="Ended", required=False, choices=[("", "Any"), *((word, word.capitalize()) for word in ENDS)]
    )
    since = forms.DateTimeField(label="Since (UTC)", required=False)
    until = forms.DateTimeField(label="Until (UTC)", required=False)


def listed(caller: Caller, wanted: Mapping[str, Any]) -> QuerySet[ComponentRun]:
    """The runs that the caller may know of one by one, and that match."""
    rows = monitoring.visible(caller)
    if component := wanted.get("component"):
        rows = rows.filter(component=NAMES[component])
    if ended := wanted.get("ended"):
        rows = rows.filter(is_success=ENDS[ended])
    if since := wanted.get("since"):
        rows = rows.filter(started_at__gte=since)
    if until := wanted.get("until"):
        rows = rows.filter(started_at__lt=until)
    return rows


def as_row(line: monitoring.Line) -> dict[str, Any]:
    """A run as a line of a sheet."""
    run = line.run
    return {
        "started_at": run.started_at.isoformat(),
        "component": run.component,
        "task": run.task,
        "subject": line.subject,
        "ended": next(word for word, is_success in ENDS.items() if is_success is run.is_success),
        "seconds": line.duration_seconds,
        "detail": line.detail,
    }
