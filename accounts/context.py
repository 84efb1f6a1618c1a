"""What does every page say about who is looking, and for whom?"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts import sessions


def tenancy(request: HttpRequest) -> dict[str, Any]:
    """Template context: the organization worked in, the role there, and those one could work in instead."""
    user = getattr(request, "user", None)  # None: an API view that asks nobody who they are
    if user is None or not user.is_authenticated:
        return {}
    membership = sessions.active(request)
    return {
        "active_organization": membership.organization if membership else None,
        "active_role": membership.role if membership else "",
        "organizations": [m.organization for m in sessions.memberships(request)],
    }
