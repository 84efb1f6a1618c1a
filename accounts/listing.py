"""Which people and which keys of an organization are listed, in which order?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from accounts.domain import Role
from accounts.lists import ListForm, Orders
from accounts.models import ApiKey, Membership

KEY_COLUMNS = ("name", "prefix", "scopes", "created_at", "created_by", "last_used_at", "expires_at", "state")
PEOPLE_COLUMNS = ("username", "email", "role", "since", "last_signed_in", "is_active")
KEY_STATES = ("works", "expired", "revoked")


class KeysForm(ListForm):
    """What the address of the list of keys may say."""

    orders = Orders("-made", {"name": "name", "made": "created_at", "used": "last_used_at", "expires": "expires_at"})

    q = forms.CharField(label="Name", required=False, max_length=120)
    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "Any"), *((s, s.capitalize()) for s in KEY_STATES)]
    )


class PeopleForm(ListForm):
    """What the address of the list of members may say."""

    orders = Orders(
        "name",
        {"name": "user__username", "since": "created_at", "seen": "user__last_login", "role": "role"},
    )

    q = forms.CharField(label="Name or address", required=False, max_length=120)
    role = forms.ChoiceField(label="Role", required=False, choices=[("", "Any"), *((r.value, r.value) for r in Role)])


def keys(rows: QuerySet[ApiKey], wanted: Mapping[str, Any], *, now: datetime) -> QuerySet[ApiKey]:
    """The keys that match."""
    expired = Q(revoked_at=None, expires_at__lte=now)
    states = {
        "works": Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now)),
        "expired": expired,
        "revoked": Q(revoked_at__isnull=False),
    }
    if text := wanted.get("q"):
        rows = rows.filter(name__icontains=text)
    if state := wanted.get("state"):
        rows = rows.filter(states[state])
    return rows.select_related("created_by")


def people(rows: QuerySet[Membership], wanted: Mapping[str, Any]) -> QuerySet[Membership]:
    """The members that match."""
    if text := wanted.get("q"):
        rows = rows.filter(Q(user__username__icontains=text) | Q(user__email__icontains=text))
    if role := wanted.get("role"):
        rows = rows.filter(role=role)
    return rows.select_related("user")


def key_row(key: ApiKey, *, now: datetime) -> dict[str, Any]:
    """A key as a line of a sheet; its secret is not kept anywhere."""
    is_expired = key.expires_at is not None and key.expires_at <= now
    return {
        "name": key.name,
        "prefix": key.prefix,
        "scopes": " ".join(key.scopes),
        "created_at": key.created_at.isoformat(),
        "created_by": key.created_by.get_username() if key.created_by else None,
        "last_used_at": key.last_used_at and key.last_used_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "state": "revoked" if key.revoked_at else "expired" if is_expired else "works",
    }


def person_row(membership: Membership) -> dict[str, Any]:
    """A member as a line of a sheet."""
    user = membership.user
    return {
        "username": user.get_username(),
        "email": user.email,
        "role": membership.role,
        "since": membership.created_at.isoformat(),
        "last_signed_in": user.last_login and user.last_login.isoformat(),
        "is_active": user.is_active,
    }
