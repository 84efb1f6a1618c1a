"""Which audit entries may a caller read, in which order, and what does the check of their chain say in words?"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from accounts.authentication import Caller
from accounts.lists import ListForm, Orders
from accounts.models import AuditEntry
from accounts.ownership import owned
from accounts.sealing import Verdict

COLUMNS = ("sequence", "at", "actor", "deed", "subject", "before", "after", "reason", "request_id")


class AuditForm(ListForm):
    """What the address of the page may say; anything else is an error that the page shows."""

    # ids are given out in time
    orders = Orders("-at", {"at": "id", "actor": "actor", "deed": "deed", "subject": "subject"})
    kept = ("of",)

    deed = forms.CharField(label="Deed", required=False, max_length=80)
    actor = forms.CharField(label="Actor", required=False, max_length=160)
    subject = forms.CharField(label="Subject", required=False, max_length=160)
    since = forms.DateTimeField(label="Since (UTC)", required=False)
    until = forms.DateTimeField(label="Until (UTC)", required=False)
    of = forms.ChoiceField(required=False, choices=[("platform", "platform")], widget=forms.HiddenInput)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        for name in ("since", "until"):
            self.fields[name].widget.attrs["placeholder"] = "2026-11-18 12:00"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The same filters, for entries as the feed tells them."""

    deed: str = ""
    actor: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Wanted:
        texts = {name: (said.get(name) or "").casefold() for name in ("deed", "actor", "subject")}
        return cls(**texts, since=said.get("since"), until=said.get("until"))

    def takes(self, entry: Mapping[str, Any]) -> bool:
        at = datetime.fromisoformat(entry["at"])
        is_then = (self.since is None or at >= self.since) and (self.until is None or at < self.until)
        return is_then and all(getattr(self, name) in entry[name].casefold() for name in ("deed", "actor", "subject"))


def from_feed(body: Mapping[str, Any]) -> SimpleNamespace:
    """An entry of the feed, as a row of the page shows one of the table; no seal is known of it yet."""
    return SimpleNamespace(**{**body, "at": datetime.fromisoformat(body["at"]), "sealed": None})


def readable(caller: Caller, *, of_platform: bool = False) -> QuerySet[AuditEntry]:
    """The organization's entries; the platform's own for its keys that name no customer, and for staff who ask."""
    rows = AuditEntry.objects.select_related("sealed")
    if reads_platform(caller, asks=of_platform):
        return rows.filter(organization=None)
    return owned(rows, caller)


def whose_chain(caller: Caller, *, of_platform: bool = False) -> uuid.UUID | None:
    """The organization whose chain is verified for this caller; None = the platform's."""
    if reads_platform(caller, asks=of_platform) or caller.organization is None:
        return None
    return caller.organization.pk


def reads_platform(caller: Caller, *, asks: bool) -> bool:
    if caller.is_platform and caller.organization is None:
        return True
    is_staff = caller.user is not None and caller.user.is_staff
    return is_staff and (asks or caller.organization is None)


def listed(rows: QuerySet[AuditEntry], wanted: Mapping[str, Any]) -> QuerySet[AuditEntry]:
    """Those that match."""
    for name in ("deed", "actor", "subject"):
        if text := wanted.get(name):
            rows = rows.filter(**{f"{name}__icontains": text})
    if since := wanted.get("since"):
        rows = rows.filter(at__gte=since)
    if until := wanted.get("until"):
        rows = rows.filter(at__lt=until)
    return rows


def as_row(entry: AuditEntry) -> dict[str, Any]:
    """An entry as a line of a sheet."""
    row = {name: getattr(entry, name) for name in COLUMNS if name != "sequence"}
    return {**row, "at": entry.at.isoformat(), "sequence": sequence_of(entry)}


def sequence_of(entry: AuditEntry) -> int | None:
    """Its place in the chain; None while it has no seal."""
    sealed = getattr(entry, "sealed", None)
    return sealed.sequence if sealed else None


def in_words(verdict: Verdict, *, now: datetime) -> str:
    """The verdict as one would say it."""
    if not verdict.is_intact:
        fits = "does not fit" if verdict.faults_count == 1 else "do not fit"
        return f"The log was changed after it was written: {_count(verdict.faults_count, 'place')} {fits}."
    if not verdict.sealed:
        said = "Nothing is sealed yet."
    elif verdict.is_anchored:
        said = f"Intact: {_count(verdict.sealed, 'entry')} as written, none missing, none moved, none cut off the end."
    else:
        said = f"Intact as far as it goes: {_count(verdict.sealed, 'entry')} as written, none missing, none moved."
        said += " Whether some were cut off the end is not known, for no earlier head is there to compare with."
    if verdict.unsealed:
        waits = verdict.tail_lasts(now=now)
        said += f" {_count(verdict.unsealed, 'entry').capitalize()} not sealed yet, the oldest for {_lasting(waits)}."
    return said


def _count(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def _lasting(span: timedelta) -> str:
    seconds = span.total_seconds()
    for length, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} s"
