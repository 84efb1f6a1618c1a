"""What is said about an instance by whoever may: its settings, its limits, its statement and its model, in one deed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch, QuerySet

from accounts import audit
from accounts.authentication import Caller
from accounts.domain import Role, Scope
from accounts.models import AuditEntry
from governance.domain import limits
from instances import instance_settings
from instances.instance_settings import STATED, WITHDRAWN, ChangedMeanwhile, Invalid
from instances.models import Instance
from mlregistry import assigning
from mlregistry.assigning import NotAssignable
from mlregistry.models import Assignment, AssignmentKind, ModelStatus, ModelVersion

__all__ = ["ChangedMeanwhile", "Invalid", "NotAssignable", "StaysInShadow", "change"]

OWNERS_ONLY = "To leave shadow mode is for owners of the organization to say."
STAYS = "Nothing can act yet: there is no hand that changes a cloud. So every instance stays in shadow mode."
NO_MODEL = "There is no such model."


class StaysInShadow(Exception):
    """Nothing leaves shadow while there is nothing that could act."""

    def __init__(self) -> None:
        super().__init__(STAYS)


def change(instance: Instance, wanted: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Set what is given: pipeline_mode, health_port, health_path, policy_overrides, stateless, is_shadow_mode, and
    assigned_model (an id; None ends the assignment). All or nothing.

    Raises PermissionDenied, StaysInShadow, ChangedMeanwhile, NotAssignable, and Invalid with what is wrong in which
    field; a limit's field is `policy_overrides/<its name>`.
    """
    if not wanted.get("is_shadow_mode", True):
        if not by.may(Scope.MANAGE, Role.OWNER):
            raise PermissionDenied(OWNERS_ONLY)
        raise StaysInShadow
    wrong = limits.faults(wanted.get("policy_overrides", {}))
    if wrong:
        raise Invalid({f"policy_overrides/{name}": fault for name, fault in wrong.items()})
    if "policy_overrides" in wanted:
        wanted = {**wanted, "policy_overrides": limits.canonical(wanted["policy_overrides"])}
    with transaction.atomic():
        model = _changed_model(instance, wanted)
        row = instance_settings.change(instance, wanted, seen=seen, by=by, now=now, is_touched=model is not False)
        if model is None:
            held = Assignment.objects.filter(instance=row, kind=AssignmentKind.SERVING.value)
            assigning.unassign(held.select_related("model", "organization", "instance"), by=by)
        elif isinstance(model, ModelVersion):
            assigning.assign(model, [row], AssignmentKind.SERVING, by=by, now=now)


def with_model(instances: QuerySet[Any]) -> QuerySet[Any]:
    """Instances, each with the assignment of its own in the list `serving`; one query more for all of them."""
    own = Assignment.objects.filter(kind=AssignmentKind.SERVING.value).select_related("model")
    own = own.defer("model__metadata", "model__trial")
    return instances.prefetch_related(Prefetch("assignments", queryset=own, to_attr="serving"))


def assignable() -> QuerySet[ModelVersion]:
    """Models that may be chosen somewhere; whether here, `assign` says."""
    usable = ModelVersion.objects.filter(deleted_at=None).exclude(status=ModelStatus.REJECTED.value)
    return usable.defer("metadata", "trial").order_by("name", "-uploaded_at")


def statements(instance: Instance) -> QuerySet[AuditEntry]:
    """Who said and who withdrew that it holds no state, newest first; as the audit log, which is sealed, has it."""
    told = AuditEntry.objects.filter(subject=audit.subject_of(instance), deed__in=(STATED, WITHDRAWN))
    return told.filter(organization=instance.account.organization_id)


def _changed_model(instance: Instance, wanted: Mapping[str, Any]) -> ModelVersion | bool | None:
    """The model to assign, None to assign none, False where it stays as it is."""
    if "assigned_model" not in wanted:
        return False
    asked, held = wanted["assigned_model"], assigning.assigned_model(instance)
    if asked == (held.pk if held else None):
        return False
    if asked is None:
        return None
    model = ModelVersion.objects.filter(pk=asked, deleted_at=None).defer("metadata", "trial").first()
    if model is None:
        raise Invalid({"assigned_model": NO_MODEL})
    return model
