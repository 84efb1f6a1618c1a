"""Sockets of the audit log and of the log of jobs, for programs and on our pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import Http404, QueryDict
from django.template.loader import render_to_string

from accounts.authentication import Caller
from accounts.feed import Kind, Stream, Told
from accounts.live.programs import Programs
from accounts.live.views import Plain, Refused, View
from governance import audit_log, monitoring
from governance.audit_log import AuditForm, Wanted
from governance.domain.components import component_of
from governance.monitoring import Sight

AUDIT_FILTERS = frozenset({"deed", "actor", "subject", "since", "until"})
LOG_FILTERS = frozenset({"component", "ended"})


@dataclass(frozen=True, slots=True)
class AuditRows(Plain):
    """The audit entries of one organization, or the platform's own."""

    wanted: Wanted

    def shows(self, row: Told) -> bool:
        return row.kind is Kind.AUDIT and self.wanted.takes(row.body)


@dataclass(frozen=True, slots=True)
class AuditTable(AuditRows):
    """The same as rows of the page's table."""

    def frame(self, rows: Sequence[Told], last: int) -> str | None:
        entries = [audit_log.from_feed(row.body) for row in reversed(rows) if self.shows(row)]
        return render_to_string("governance/audit_live.html", {"entries": entries, "last": last}) if entries else None

    def opening(self, last: int, *, missed: bool) -> str:
        return render_to_string("governance/audit_live.html", {"entries": [], "last": last, "missed": missed})


@dataclass(frozen=True, slots=True)
class JobRows(Plain):
    """Jobs as they begin and end; what of them is shown depends on who asks."""

    sight: Sight
    component: str = ""
    is_bad_only: bool = False

    def shows(self, row: Told) -> bool:
        if row.kind is not Kind.JOB or (self.component and row.body["component"] != self.component):
            return False
        return self.sight.takes(row.body) and (not self.is_bad_only or row.body["is_success"] is False)

    def frame(self, rows: Sequence[Told], last: int) -> str | None:
        seen = [Told(row.number, row.kind, row.at, self.sight.of(row.body)) for row in rows if self.shows(row)]
        # spelt out, for a dataclass with slots is another class than the one that super() knows
        return Plain.frame(Plain(self.stream, self.kinds), seen, last)


@dataclass(frozen=True, slots=True)
class JobTable(JobRows):
    """The same as rows of the system monitor."""

    def frame(self, rows: Sequence[Told], last: int) -> str | None:
        lines = [monitoring.from_feed(self.sight.of(row.body)) for row in reversed(rows) if self.shows(row)]
        return render_to_string("governance/log_live.html", {"lines": lines, "last": last}) if lines else None

    def opening(self, last: int, *, missed: bool) -> str:
        return render_to_string("governance/log_live.html", {"lines": [], "last": last, "missed": missed})


class Audit(Programs):
    asks: ClassVar[frozenset[str]] = AUDIT_FILTERS

    def view(self, caller: Caller, asked: Mapping[str, str]) -> View:
        return AuditRows(_stream(caller), frozenset({Kind.AUDIT}), _wanted(asked))


class Logs(Programs):
    asks: ClassVar[frozenset[str]] = LOG_FILTERS

    def view(self, caller: Caller, asked: Mapping[str, str]) -> View:
        return JobRows(None, frozenset({Kind.JOB}), monitoring.sight_of(caller), **_log_filters(asked))


def audit_part(caller: Caller, asked: Mapping[str, str]) -> View:
    """The page of the audit log; staff may ask for the platform's."""
    of_platform = asked.get("of") == "platform"
    if of_platform and not audit_log.reads_platform(caller, asks=True):
        raise Http404
    stream = None if of_platform else _stream(caller)
    filters = {name: text for name, text in asked.items() if name in AUDIT_FILTERS}
    return AuditTable(stream, frozenset({Kind.AUDIT}), _wanted(filters))


def log_part(caller: Caller, asked: Mapping[str, str]) -> View:
    """The system monitor's log of jobs."""
    return JobTable(None, frozenset({Kind.JOB}), monitoring.sight_of(caller), **_log_filters(asked))


def _stream(caller: Caller) -> Stream:
    return caller.organization.pk if caller.organization else None


def _wanted(asked: Mapping[str, str]) -> Wanted:
    form = AuditForm(QueryDict(urlencode(asked)))
    if not form.is_valid():
        raise Refused("; ".join(f"{name}: {' '.join(map(str, said))}" for name, said in form.errors.items()))
    return Wanted.of(form.cleaned_data)


def _log_filters(asked: Mapping[str, str]) -> dict[str, Any]:
    slug, ended = asked.get("component", ""), asked.get("ended", "")
    component = component_of(slug) if slug else None
    if (slug and component is None) or ended not in ("", "badly"):
        raise Refused("component is one that system/components names, ended is badly.")
    return {"component": component.name if component else "", "is_bad_only": ended == "badly"}
