"""A row of any model of ours, and of all that it needs: from its fields alone, so that a new model has one unasked."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db.models import NOT_PROVIDED, Field, Model

from tests.factories import (
    NOW,
    a_person,
    a_pool,
    a_rating,
    an_account,
    an_idempotency_key,
    an_instance,
    an_organization,
)
from tests.pipelines.actuator.journals import an_operation

_numbers = itertools.count(1)
OURS = ("accounts", "instances", "mlregistry", "governance", "pipelines")
MADE: dict[str, Callable[[], Model]] = {
    "AwsAccount": lambda: an_account(an_organization()),
    "Instance": lambda: an_instance(a_row_of("AwsAccount")),
}
MADE |= {"IdempotencyKey": lambda: an_idempotency_key(a_row_of("Organization"))}  # it has one owner of three
MADE |= {"User": a_person, "Organization": an_organization}  # what constraints, or passwords, would refuse otherwise
MADE |= {
    "Pool": lambda: a_pool(zone_id=f"use1-az{next(_numbers) % 90 + 1}"),
    "SpotAdvisorRating": lambda: a_rating(region=f"us-east-{next(_numbers)}"),
}
# its plan is written by the journal alone, and it leads to itself
MADE |= {"Operation": lambda: an_operation(a_row_of("AwsAccount"), is_shadow=True, begun=False)}


def every_model() -> list[type[Model]]:
    return [model for label in OURS for model in apps.get_app_config(label).get_models()]


def a_row_of(name: str) -> Any:
    return a_row(next(model for model in every_model() if model.__name__ == name))


def a_row(model: type[Model]) -> Any:
    """A new one, with rows of its own to lead to. Where a constraint refuses it, `MADE` says how one is made."""
    if model.__name__ in MADE:
        return MADE[model.__name__]()
    needed = [field for field in model._meta.concrete_fields if _is_needed(field)]
    return model._base_manager.create(**{field.name: _value(field) for field in needed})


def _is_needed(field: Any) -> bool:
    leads_somewhere = field.is_relation and field.null and field.related_model._meta.app_label in OURS
    is_given = field.null or field.has_default() or getattr(field, "auto_now", False) or field.generated
    is_given = is_given or getattr(field, "auto_now_add", False) or field.db_default is not NOT_PROVIDED
    return leads_somewhere or not (is_given or field.get_internal_type().endswith("AutoField"))


def _value(field: Field) -> Any:
    if field.is_relation:
        return a_row(field.related_model)  # type: ignore[arg-type]  # "self" is not among ours
    if field.choices:
        return next(iter(field.flatchoices))[0]
    number = next(_numbers)
    text = f"{number}".rjust(8, "0")[-(field.max_length or 8) :]
    values = {
        "DateTimeField": NOW + timedelta(seconds=number),  # later fields are later: what ends has begun
        "DateField": NOW.date() + timedelta(days=number),
        "JSONField": {},
        "ArrayField": [],
        "BooleanField": False,
        "BinaryField": b"row",
        "UUIDField": uuid.uuid4(),
        "FloatField": 0.5,
        "DecimalField": Decimal(1),
        "EmailField": f"{number}@example.org",
    }
    kind = field.get_internal_type()
    return values.get(kind, number if kind.endswith("IntegerField") else text)
