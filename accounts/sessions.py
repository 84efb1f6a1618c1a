"""In which of their organizations does a person work now? One at a time, chosen per session."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import Membership, User

CHOSEN = "organization"  # the session's key


def memberships(request: HttpRequest) -> list[Membership]:
    """Those of the signed-in person, by organization's name; read once a request."""
    found: list[Membership] | None = getattr(request, "_memberships", None)
    if found is None:
        found = []
        if isinstance(request.user, User):
            rows = Membership.objects.filter(user=request.user).select_related("organization")
            found = list(rows.order_by("organization__name"))
        request._memberships = found  # type: ignore[attr-defined]
    return found


def active(request: HttpRequest) -> Membership | None:
    """The chosen one, or the first by name; None for whoever belongs nowhere. A choice they lost is not followed."""
    own = memberships(request)
    chosen = request.session.get(CHOSEN)
    return next((m for m in own if str(m.organization_id) == chosen), own[0] if own else None)


def work_in(request: HttpRequest, organization_id: str) -> Membership | None:
    """Work there from now on; None, and nothing changes, when it is none of theirs."""
    for membership in memberships(request):
        if str(membership.organization_id) == organization_id:
            request.session[CHOSEN] = organization_id
            return membership
    return None
