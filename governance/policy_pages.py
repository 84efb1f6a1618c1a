"""Pages of policies: the limits of the organization, of an account, of an instance; changed by admins."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.authentication import Caller, caller_of, signed_in
from accounts.domain import Role
from accounts.models import AwsAccount
from accounts.ownership import owned, owned_or_404
from governance import policies, policy_reading
from governance.policies import ChangedMeanwhile, Place, Unacceptable
from instances.models import Instance

CHANGES_SHOWN = 20
ACCOUNTS_SHOWN = 50
ADMINS_ONLY = "Limits are for admins and owners of the organization to change."


@require_http_methods(["GET", "POST"])
@signed_in()
def organization(request: HttpRequest) -> HttpResponse:
    """The limits that hold wherever nobody says otherwise."""
    caller = _caller(request)
    assert caller.organization is not None  # signed_in saw to it
    return _policy(request, caller, Place(caller.organization))


@require_http_methods(["GET", "POST"])
@signed_in()
def account(request: HttpRequest, pk: int) -> HttpResponse:
    """The limits of one account."""
    caller = _caller(request)
    found = owned_or_404(AwsAccount.objects.select_related("organization"), caller, pk=pk)
    return _policy(request, caller, Place(found.organization, found))


@require_http_methods(["GET", "POST"])
@signed_in()
def instance(request: HttpRequest, pk: int) -> HttpResponse:
    """The limits of one instance."""
    caller = _caller(request)
    rows = Instance.objects.select_related("account__organization").defer("facts")
    found = owned_or_404(rows, caller, pk=pk)
    return _policy(request, caller, Place(found.account.organization, found.account, found))


def _policy(request: HttpRequest, caller: Caller, place: Place) -> HttpResponse:
    typed: dict[str, str] = {}
    faults: dict[str, str] = {}
    refusal = ""
    if request.method == "POST":
        typed, overrides = policy_reading.sent(request.POST.dict())
        try:
            policies.change(place, overrides, seen=_seen(request), by=caller, now=timezone.now())
        except Unacceptable as error:
            faults = error.faults
        except ChangedMeanwhile as error:
            refusal = _overtaken(error)
            if place.instance is not None:
                place.instance.refresh_from_db()
        else:
            return redirect(request.path)
    return render(request, "governance/policy.html", _context(caller, place, typed, faults) | {"refusal": refusal})


def _context(caller: Caller, place: Place, typed: dict[str, str], faults: dict[str, str]) -> dict[str, Any]:
    standing = policies.standing(place)
    return {
        "section": "policies",
        "place": place,
        "standing": standing,
        "shown": policy_reading.shown(place, standing, typed=typed, faults=faults),
        "changes": policy_reading.changes(policies.history(place)[:CHANGES_SHOWN]),
        "accounts": owned(AwsAccount, caller).order_by("name", "pk")[:ACCOUNTS_SHOWN],
        "may_change": _may_change(caller),
        "is_refused": bool(faults),
    }


def _overtaken(error: ChangedMeanwhile) -> str:
    by, at = error.state["changed_by"] or "A key", error.state["changed_at"]
    who = f"{by} changed these limits at {at:%Y-%m-%d %H:%M} UTC, after you had opened the page." if at else str(error)
    return f"{who} “In force” is as it is now, “Set here” is what you typed: keep it again if you still mean it."


def _caller(request: HttpRequest) -> Caller:
    """Who asks. PermissionDenied, before anything is looked for, to whoever sends what only admins may change."""
    caller = caller_of(request)
    if request.method == "POST" and not _may_change(caller):
        raise PermissionDenied(ADMINS_ONLY)
    return caller


def _may_change(caller: Caller) -> bool:
    return caller.role is not None and caller.role.includes(Role.ADMIN)


def _seen(request: HttpRequest) -> int:
    """The version that the page had; one that nobody has ever seen is no version."""
    text = request.POST.get("version", "")
    return int(text[:9]) if text.isascii() and text.isdigit() else -1
