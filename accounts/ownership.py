"""Whose row is it? The one rule of tenancy: each model says how it leads to an organization, and every view asks here.

The paths stand in each app's `apps.py`, as `ownership`; `checks.py` refuses to start while a model has none.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.generics import GenericAPIView

from accounts.authentication import Caller, caller_of
from accounts.domain import PLATFORM, SHARED
from accounts.refusals import Unusable

M = TypeVar("M", bound=Model)

NAME_A_CUSTOMER = "A key of the platform says for which customer: customer_id."


class Undeclared(LookupError):
    """A model that does not say whose its rows are."""


def path_of(model: type[Model]) -> str:
    """The lookup from a row to its organization, or SHARED or PLATFORM. Raises Undeclared."""
    declared: dict[str, str] = getattr(apps.get_app_config(model._meta.app_label), "ownership", {})
    try:
        return declared[model.__name__]
    except KeyError:
        raise Undeclared(f"{model._meta.label} is not in the `ownership` of its app's apps.py") from None


def owned(rows: type[M] | QuerySet[M], caller: Caller) -> QuerySet[M]:
    """Those rows that the caller may see. A platform key that names no customer is refused with 422."""
    queryset = rows if isinstance(rows, QuerySet) else rows._default_manager.all()
    path = path_of(queryset.model)
    if path == SHARED:
        return queryset
    if path == PLATFORM:
        return queryset if caller.is_platform else queryset.none()
    if caller.organization is None:
        if caller.is_platform:
            raise Unusable(NAME_A_CUSTOMER, errors=[{"pointer": "?customer_id", "detail": NAME_A_CUSTOMER}])
        return queryset.none()
    return queryset.filter(**{path: caller.organization.pk})


def owned_or_404(rows: type[M] | QuerySet[M], caller: Caller, **lookup: Any) -> M:
    """The one row; Http404 when it is absent, a stranger's, or the id is none at all: nobody can tell which."""
    try:
        return owned(rows, caller).get(**lookup)
    except (ObjectDoesNotExist, ValidationError, ValueError, TypeError) as error:
        raise Http404 from error


class Owned(GenericAPIView):
    """A view whose queryset holds the caller's rows only."""

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):  # the schema is drawn without a caller
            return rows.none()
        return owned(rows, caller_of(self.request))
