"""Which roles, scopes and environments are there, and what does each allow?"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """A person's role in one organization, lowest first."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    OWNER = "owner"

    def includes(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


def needs_second_factor(roles: Iterable[Role], *, is_staff: bool) -> bool:
    """Staff reach every organization's rows, and an owner lets people in and lets it act; both prove two things."""
    return is_staff or Role.OWNER in roles


class Scope(StrEnum):
    """What an API key may do; a key has one or more."""

    READ = "read"
    PREDICT = "predict"
    DECIDE = "decide"
    FEEDBACK = "feedback"
    EXECUTE = "execute"
    MANAGE = "manage"


# What an organization may give its own keys: `manage` writes what all of them share, so the platform alone gives it
GRANTED = tuple(scope for scope in Scope if scope is not Scope.MANAGE)


class Environment(StrEnum):
    """What happens in LAB never changes what PROD sees."""

    PROD = "PROD"
    LAB = "LAB"


# Who may see the rows of a model that belongs to no organization (accounts/ownership.py)
SHARED = "*"  # the market, the catalogue, the models: every organization reads them
PLATFORM = "-"  # the installation's own books: no organization does
