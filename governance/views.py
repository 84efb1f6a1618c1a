"""Pages of the audit log and of the system monitor."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import feed, lists, sealing
from accounts.authentication import Caller, caller_of, signed_in
from accounts.sheets import sent
from governance import audit_log, job_log, monitoring
from governance.audit_log import AuditForm
from governance.job_log import JobForm
from governance.models import ComponentRun

MOST_LINES = 5_000  # of a sheet of jobs: each names its subject, so they are gathered first
LIVE_FILTERS = ("deed", "actor", "subject", "since", "until", "of")
LIVE_ENDS = ("", "badly")  # what the socket of the log of jobs can tell apart


@require_GET
@signed_in(staff=True)
def audit(request: HttpRequest) -> HttpResponseBase:
    """The organization's entries; filters, order and page stand in the address."""
    caller, form = caller_of(request), AuditForm(request.GET)
    is_platform = _of_platform(request, caller)
    rows = audit_log.listed(audit_log.readable(caller, of_platform=is_platform), form.wanted)
    if lists.wants_sheet(request):
        return lists.sheet(request, rows, form, name="audit", columns=audit_log.COLUMNS, row=audit_log.as_row)
    is_live = form.is_valid() and lists.is_beginning(form)
    chain = audit_log.whose_chain(caller, of_platform=is_platform)
    last = feed.reached(chain) if is_live else None  # before the rows: what comes between is told twice, not never
    page = lists.by_cursor(rows, form, "entries")
    context = {
        "section": "audit",
        "is_platform": is_platform,
        "is_live": is_live,
        "last": last,
        "live_filters": [(name, text) for name in LIVE_FILTERS if (text := request.GET.get(name))],
        **lists.context(form, page),
    }
    return render(request, "governance/audit.html" + ("#rows" if lists.wants_part(request) else ""), context)


@require_GET
@signed_in(staff=True)
def audit_check(request: HttpRequest) -> HttpResponse:
    """Recompute the chain and say what was found."""
    caller, now = caller_of(request), timezone.now()
    of_platform = _of_platform(request, caller)
    found = sealing.verify(audit_log.whose_chain(caller, of_platform=of_platform))
    context = {
        "section": "audit",
        "found": found,
        "said": audit_log.in_words(found, now=now),
        "now": now,
        "is_platform": of_platform,
    }
    return render(request, "governance/audit_check.html" + ("#verdict" if lists.wants_part(request) else ""), context)


@require_GET
@signed_in(staff=True)
def system(request: HttpRequest) -> HttpResponseBase:
    """Components, what they stand on, and the log of jobs; the parts ask again every 30 seconds."""
    caller, form = caller_of(request), JobForm(request.GET)
    rows = job_log.listed(caller, form.wanted)
    if lists.wants_sheet(request):
        ordered = rows.order_by(*form.orders.terms(ComponentRun, form.sort))[:MOST_LINES]
        lines = map(job_log.as_row, monitoring.lines(ordered, caller))
        return sent(request, lines, job_log.COLUMNS, name="jobs")
    part = _part(request)
    context: dict[str, Any] = {"section": "system", "now": timezone.now(), "form": form}
    if part != "#rows":
        context["figures"] = monitoring.components(now=timezone.now())
        context["sizes"] = monitoring.sizes() if monitoring.sees_all(caller) else None
    if part != "#monitor":
        last = feed.reached(None)  # before the rows: what comes between is told twice, not never
        page = lists.by_cursor(rows, form, "runs")
        context |= {
            **lists.context(form, page),
            "lines": monitoring.lines(page.rows, caller),
            "sees_all": monitoring.sees_all(caller),
            "is_first": not page.before,
            "is_live": _is_live(form),
            "last": last,
            "whole_address": request.GET.urlencode(),
        }
    return render(request, "governance/system.html" + part, context)


@require_GET
@signed_in(staff=True)
def system_beside(request: HttpRequest) -> HttpResponse:
    """What the components stand on: loaded by the page afterwards, for workers are given half a second to answer."""
    return render(request, "governance/beside.html", {"beside": monitoring.beside()})


def _is_live(form: JobForm) -> bool:
    """Whether the socket can tell which new jobs belong into this list."""
    wanted = form.wanted
    is_told = wanted.get("ended", "") in LIVE_ENDS and not (wanted.get("since") or wanted.get("until"))
    return form.is_valid() and lists.is_beginning(form) and is_told


def _of_platform(request: HttpRequest, caller: Caller) -> bool:
    return audit_log.reads_platform(caller, asks=request.GET.get("of") == "platform")


def _part(request: HttpRequest) -> str:
    """The page has two that ask again."""
    if not lists.wants_part(request):
        return ""
    return "#rows" if request.htmx.target == "runs" else "#monitor"  # type: ignore[attr-defined]
