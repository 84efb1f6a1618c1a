"""The overview: where one comes in, with cards that load themselves, each from its own question."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import lists
from accounts.authentication import Caller, caller_of, signed_in
from accounts.domain import Role
from accounts.models import AwsAccount
from accounts.ownership import owned
from instances.models import Instance
from pipelines import overview as numbers
from pipelines.domain import bars
from pipelines.models import ExperimentLog, SavingsDaily
from pipelines.needs import needs


def _fleet(caller: Caller, now: datetime) -> dict[str, Any]:
    fleet = numbers.fleet_of(owned(Instance, caller), now=now)
    tables = (("Account", fleet.accounts), ("Region", fleet.regions), ("Type", fleet.types))
    return {"fleet": fleet, "tables": tables, "most": numbers.MOST_ROWS, "most_slice": f":{numbers.MOST_ROWS}"}


def _savings(caller: Caller, now: datetime) -> dict[str, Any]:
    savings = numbers.savings_of(owned(ExperimentLog, caller), now=now)
    present = owned(Instance, caller).filter(vanished_at=None).count()
    return {"savings": savings, "undecided": max(present - savings.decided, 0)}


def _needs(caller: Caller, now: datetime) -> dict[str, Any]:
    return {"needs": needs(caller, now=now)}


def _history(caller: Caller, now: datetime) -> dict[str, Any]:
    days = numbers.history_of(owned(SavingsDaily, caller), now=now)
    values = {each.day: float(each.savings_usd_per_month) for each in days}
    shapes = {"wide": bars.WIDE, "narrow": bars.NARROW}
    length = numbers.HISTORY.days
    charts = {name: bars.drawn(values, last=now.date(), days=length, plane=plane) for name, plane in shapes.items()}
    return {"days": days, "charts": charts.items()}


CARDS: dict[str, tuple[str, Callable[[Caller, datetime], dict[str, Any]]]] = {
    "needs": ("What needs you", _needs),
    "savings": ("What could be saved", _savings),
    "fleet": ("What runs, and what it costs", _fleet),
    "history": ("Savings over time", _history),
}


@require_GET
@signed_in()
def overview(request: HttpRequest) -> HttpResponse:
    """The page; its cards come by themselves, and one that fails leaves the others as they are."""
    caller = caller_of(request)
    context = {"section": "overview", "cards": [(name, title) for name, (title, _) in CARDS.items()]}
    return render(request, "pipelines/overview.html", context | _beginning(caller))


@require_GET
@signed_in()
def card(request: HttpRequest, card: str) -> HttpResponse:
    """One card, read anew; by itself on a page where a browser runs no script."""
    if card not in CARDS:
        raise Http404
    title, read = CARDS[card]
    context = {"section": "overview", "card": card, "title": title, "now": timezone.now()}
    template = "pipelines/card.html" if lists.wants_part(request) else "pipelines/card_alone.html"
    return render(request, template, context | read(caller_of(request), timezone.now()))


def _beginning(caller: Caller) -> dict[str, Any]:
    """How far a newcomer is: the steps to the first decision, none once there is one."""
    if owned(ExperimentLog, caller).order_by().exists():
        return {"steps": []}
    accounts = list(owned(AwsAccount, caller).values_list("is_valid", "synced_at"))
    done = (
        bool(accounts),
        any(is_valid for is_valid, _ in accounts),
        any(synced_at for _, synced_at in accounts),
        False,
    )
    words = (
        "Add an AWS account",
        "Deploy a role that only reads, and let us try it",
        "Read its inventory",
        "Evaluate an instance: it decides and logs, and changes nothing",
    )
    may_add = caller.role is not None and caller.role.includes(Role.ADMIN)
    return {"steps": list(zip(words, done, strict=True)), "next": done.index(False), "may_add": may_add}
