"""Pages of the audit log and of the system monitor."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import feed, sealing
from accounts.authentication import Caller, caller_of, signed_in
from accounts.sheets import MOST_ROWS, sheet
from governance import audit_log, monitoring
from governance.audit_log import AuditForm

ROWS_A_PAGE = 50
LIVE_FILTERS = ("deed", "actor", "subject", "since", "until", "of")
LOG_ROWS = 20
LOG_PAGES_COUNTED = 200  # pages of the job log that can be turned; older runs are in the API


@require_GET
@signed_in()
def audit(request: HttpRequest) -> HttpResponse:
    """The organization's entries; filters, order and page stand in the address."""
    form, wanted, rows = _asked(request)
    sort, number = wanted.get("sort") or "-at", request.GET.get("page") or "1"
    is_live = form.is_valid() and (sort, number) == ("-at", "1")
    context = {
        "section": "audit",
        "form": form,
        "is_live": is_live,
        "last": _last(request) if is_live else None,  # before the rows: what comes between is told twice, not never
        "live_filters": [(name, text) for name in LIVE_FILTERS if (text := request.GET.get(name))],
        "page": Paginator(rows, ROWS_A_PAGE).get_page(number),
        "sort": sort,
        "address": _address(request),
        "is_filtered": any(value for name, value in wanted.items() if name not in ("sort", "of")),
        "is_platform": _of_platform(request, caller_of(request)),
    }
    return render(request, "governance/audit.html" + ("#rows" if _wants_part(request) else ""), context)


@require_GET
@signed_in()
def audit_sheet(request: HttpRequest) -> HttpResponse:
    """The same entries as CSV, at most MOST_ROWS of them."""
    *_, rows = _asked(request)
    body = sheet((audit_log.as_row(entry) for entry in rows[:MOST_ROWS]), audit_log.COLUMNS)
    answer = HttpResponse(body, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return answer


@require_GET
@signed_in()
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
    return render(request, "governance/audit_check.html" + ("#verdict" if _wants_part(request) else ""), context)


@require_GET
@signed_in()
def system(request: HttpRequest) -> HttpResponse:
    """Components, what they stand on, and the log of jobs; the parts ask again every 30 seconds."""
    caller = caller_of(request)
    last = feed.reached(None)  # before the rows: what comes between is told twice, not never
    runs = monitoring.visible(caller)
    name = request.GET.get("component", "")
    figures = monitoring.components(now=timezone.now())
    known = {each.name: each.component.name for each in figures}
    if name in known:
        runs = runs.filter(component=known[name])
    if request.GET.get("ended") == "badly":
        runs = runs.filter(is_success=False)
    page = Paginator(runs[: LOG_ROWS * LOG_PAGES_COUNTED], LOG_ROWS).get_page(request.GET.get("page"))
    context = {
        "section": "system",
        "figures": figures,
        "sizes": monitoring.sizes() if monitoring.sees_all(caller) else None,
        "page": page,
        "last": last,
        "lines": monitoring.lines(page.object_list, caller),
        "component": name if name in known else "",
        "is_bad_only": request.GET.get("ended") == "badly",
        "address": _address(request),
        "whole_address": request.GET.urlencode(),
        "now": timezone.now(),
    }
    return render(request, "governance/system.html" + ("#monitor" if _wants_part(request) else ""), context)


@require_GET
@signed_in()
def system_beside(request: HttpRequest) -> HttpResponse:
    """What the components stand on: loaded by the page afterwards, for workers are given half a second to answer."""
    return render(request, "governance/beside.html", {"beside": monitoring.beside()})


def _last(request: HttpRequest) -> int:
    """The last number of the stream whose audit entries the page shows."""
    caller = caller_of(request)
    return feed.reached(audit_log.whose_chain(caller, of_platform=_of_platform(request, caller)))


def _asked(request: HttpRequest) -> tuple[AuditForm, dict[str, Any], Any]:
    """The form, what of it is usable, and the entries it asks for."""
    form = AuditForm(request.GET)
    form.is_valid()
    wanted = form.cleaned_data
    caller = caller_of(request)
    rows = audit_log.readable(caller, of_platform=_of_platform(request, caller))
    return form, wanted, audit_log.listed(rows, wanted)


def _of_platform(request: HttpRequest, caller: Caller) -> bool:
    return audit_log.reads_platform(caller, asks=request.GET.get("of") == "platform")


def _wants_part(request: HttpRequest) -> bool:
    """A partial for htmx, but the whole page when history asks for it again."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request and not htmx.boosted


def _address(request: HttpRequest) -> str:
    """The page's query without page and sort, for links that add theirs."""
    query = request.GET.copy()
    for name in ("page", "sort"):
        query.pop(name, None)
    return query.urlencode()
