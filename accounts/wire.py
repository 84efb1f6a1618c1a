"""What do all bodies of the API share? Unknown fields are refused, money is a decimal string, errors are pointed at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import pydantic
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from django.http import QueryDict
from django_filters.rest_framework import (  # type: ignore[import-untyped]
    FilterSet,
    IsoDateTimeFilter,
    OrderingFilter,
    TypedChoiceFilter,
)
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.refusals import Unusable

T = TypeVar("T")

MOST_FAULTS = 100
NO_SUCH_FIELD = "There is no such field."
EVERYWHERE = frozenset({"limit", "offset", "format", "customer_id"})  # query parameters that every list takes


class Strict(serializers.Serializer):
    """A body in which a misspelt field is an error: a constraint that is silently dropped can end a node (api.md)."""

    def to_internal_value(self, data: Any) -> Any:
        taken = {name for name, field in self.fields.items() if not field.read_only}
        unknown = sorted(set(data) - taken) if isinstance(data, Mapping) else []
        errors: dict[str, Any] = {str(name): [NO_SUCH_FIELD] for name in unknown}
        values: Any = None
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            errors = {**error.detail, **errors}
        if errors:
            raise ValidationError(errors)
        return values


class UsdPerHour(serializers.DecimalField):
    """A price as AWS states it, to the micro-dollar, as a string."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=14, decimal_places=6, coerce_to_string=True, **kwargs)


class UsdPerMonth(serializers.DecimalField):
    """A month is 730 hours; to the cent, as a string."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=14, decimal_places=2, coerce_to_string=True, **kwargs)


class StrictFilters(FilterSet):
    """Query parameters of a list; one that does not exist is an error, or a misspelt filter would show everything."""

    def is_valid(self) -> bool:
        given = self.data if isinstance(self.data, QueryDict) else QueryDict()
        unknown = sorted(set(given) - set(self.filters) - EVERYWHERE)
        if unknown:
            raise ValidationError({name: ["There is no such parameter."] for name in unknown})
        return super().is_valid()


class Flag(TypedChoiceFilter):
    """`true` or `false`; anything else is an error, where a boolean filter would show everything."""

    def __init__(self, **kwargs: Any) -> None:
        words = [("true", "true"), ("false", "false")]
        super().__init__(choices=words, coerce=lambda word: word == "true" if word else None, **kwargs)


class Instant(IsoDateTimeFilter):
    """A time of this system's life; the database would fail on a year that PostgreSQL's calendar lacks."""

    def __init__(self, **kwargs: Any) -> None:
        bounds = [
            MinValueValidator(datetime(2000, 1, 1, tzinfo=UTC)),
            MaxValueValidator(datetime(2100, 1, 1, tzinfo=UTC)),
        ]
        super().__init__(validators=bounds, **kwargs)


class Ordering(OrderingFilter):
    """`?ordering=-launched_at,name`. What is unknown comes last both ways; ties are settled, so that pages fit."""

    def filter(self, rows: QuerySet[Any], wanted: list[str] | None) -> QuerySet[Any]:
        terms = [self.get_ordering_value(name) for name in wanted or () if name]
        return rows.order_by(*map(_unknown_last, terms), "pk") if terms else rows


def _unknown_last(term: str) -> OrderBy:
    column = F(term.removeprefix("-"))
    return column.desc(nulls_last=True) if term.startswith("-") else column.asc(nulls_last=True)


def parsed(adapter: pydantic.TypeAdapter[T], body: Any) -> T:
    """The body as the adapter's type. Raises Unusable, which points at each fault."""
    try:
        return adapter.validate_python(body)
    except pydantic.ValidationError as error:
        raise Unusable(errors=pointed(error)) from None


def pointed(error: pydantic.ValidationError) -> list[dict[str, str]]:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return first_faults({"pointer": pointer(fault["loc"]), "detail": fault["msg"]} for fault in faults)


def first_faults(faults: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """So many as somebody reads: a body of nothing but faults must not make an answer five times its size."""
    rest = iter(faults)
    told = list(islice(rest, MOST_FAULTS))
    if next(rest, None) is not None:
        told.append({"pointer": "#", "detail": f"There is more; these are the first {MOST_FAULTS}."})
    return told


def pointer(path: Iterable[str | int]) -> str:
    """A JSON pointer as a URI fragment (RFC 6901 section 6, as RFC 9457's examples have it): `#/inputs/0/region`."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
