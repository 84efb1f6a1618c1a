"""Pages of the market, and of an account's inventory: what does a type cost, and how far is the reading?"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from accounts.authentication import Caller, caller_of, signed_in
from accounts.domain import Role
from accounts.models import AwsAccount
from accounts.ownership import owned, owned_or_404
from instances import syncing
from instances.market import explorer
from instances.market.explorer import PricesForm
from instances.models import Instance, SyncState, ZoneName
from instances.tasks import sync_as_asked

SLOW_SECONDS = 30  # a worker that is there takes a job in less


@require_GET
@signed_in()
def prices(request: HttpRequest) -> HttpResponse:
    """One type in one region, its zones' Spot prices beside On-Demand, and its family elsewhere; by the address."""
    form = PricesForm(request.GET)
    wanted = form.wanted()
    names = owned(ZoneName, caller_of(request)).filter(region=wanted.region)
    explored = explorer.explore(wanted, names=names, now=timezone.now())
    context = {"section": "prices", "form": form, "market": explored}
    links = {"sort": explored.wanted.sort, "address": form.address(explored.wanted)}
    return render(request, "instances/prices.html", context | links)


@require_GET
@signed_in()
def inventory(request: HttpRequest, pk: int) -> HttpResponse:
    """The inventory asked for last, region by region, and what the account shows now."""
    caller = caller_of(request)
    return _shown(request, owned_or_404(AwsAccount, caller, pk=pk), caller)


@require_POST
@signed_in(Role.ADMIN)
def sync(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue an inventory, or join the open one."""
    caller = caller_of(request)
    account = owned_or_404(AwsAccount, caller, pk=pk)
    try:
        wanted = syncing.request(account, by=caller, now=timezone.now())
    except syncing.NotReady as error:
        return _shown(request, account, caller, str(error))
    if wanted.state == SyncState.QUEUED:
        transaction.on_commit(lambda: sync_as_asked.delay(wanted.pk))
    if request.htmx:  # type: ignore[attr-defined]
        return _shown(request, account, caller)
    return redirect("instances:inventory", pk=account.pk)


def _shown(request: HttpRequest, account: AwsAccount, caller: Caller, refusal: str = "") -> HttpResponse:
    now = timezone.now()
    last = account.syncs.select_related("requested_by").first()
    is_lost = bool(last and last.is_lost(at=now))
    context: dict[str, Any] = {
        "section": "accounts",
        "account": account,
        "last": last,
        "is_lost": is_lost,
        "is_open": bool(last and last.is_open and not is_lost),
        "is_slow": bool(last and not last.started_at and (now - last.requested_at).total_seconds() > SLOW_SECONDS),
        "lost": syncing.LOST,
        "n_instances": Instance.objects.present().filter(account=account).count(),
        "may_manage": caller.role is not None and caller.role.includes(Role.ADMIN),
        "refusal": refusal,
    }
    htmx = request.htmx  # type: ignore[attr-defined]
    part = "#inventory" if htmx and not htmx.history_restore_request else ""
    answer = render(request, "instances/inventory.html" + part, context)
    return answer if context["is_open"] or not part else trigger_client_event(answer, "inventoryEnded")
