"""Which model judges an instance: the one its organization assigned, or the active one? And which runs beside it?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import audit
from accounts.authentication import Caller
from accounts.models import AwsAccount, Organization
from instances.models import Instance
from mlregistry.domain.assigning import is_drawn, refusal
from mlregistry.loading import LoadedModel, active_model, loaded
from mlregistry.models import Assignment, AssignmentKind, ModelStatus, ModelVersion

ACTIVE = "the active model"


class NotAssignable(Exception):
    """The model's status does not allow it there; `state` is what stands in the way."""

    def __init__(self, version: ModelVersion, account: AwsAccount, why: str) -> None:
        self.state = version.status
        super().__init__(f"{version} cannot be assigned in {account.name}: {why}")


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges an instance now. `passed_over`: assignments that no longer may be honoured, each with why."""

    serving: LoadedModel
    chosen_by: str  # "the active model", "assigned to the instance", "assigned to 20% of the account"
    shadow: ModelVersion | None  # not loaded: that it cannot be must not stand in the way
    passed_over: tuple[str, ...]

    @property
    def is_assigned(self) -> bool:
        """Whether the serving model is another than the one that the stored scores are made by."""
        return self.chosen_by != ACTIVE


def judges_of(instance: Instance) -> Judges:
    """Two queries. Raises ModelRefused when a model it needs is damaged: no other one judges instead."""
    found: dict[str, tuple[ModelVersion, str]] = {}
    passed_over = []
    for assignment in _concerning(instance):
        if assignment.kind in found or not _covers(assignment, instance):
            continue
        version, environment = assignment.model, instance.account.environment
        why = refusal(assignment.kind, version.status, environment, is_deleted=version.deleted_at is not None)
        if why:
            passed_over.append(f"{version} ({assignment.kind}): {why}")
            continue
        found[assignment.kind] = version, _told(assignment)
    own, beside = found.get(AssignmentKind.SERVING), found.get(AssignmentKind.SHADOW)
    serving = loaded(own[0]) if own else active_model()
    shadow = beside[0] if beside and beside[0].pk != serving.id else None
    return Judges(serving, own[1] if own else "the active model", shadow, tuple(passed_over))


def assigned_model(instance: Instance, kind: AssignmentKind = AssignmentKind.SERVING) -> ModelVersion | None:
    """The model that is assigned to this very instance, whether it may be used now or not; None without one."""
    own = Assignment.objects.filter(instance=instance, kind=kind).select_related("model").defer("model__metadata")
    assignment = own.first()
    return assignment.model if assignment else None


def assign(
    version: ModelVersion, instances: Sequence[Instance], kind: AssignmentKind, *, by: Caller, now: datetime
) -> list[Assignment]:
    """Give these instances, all of one organization, that model in place of the one they had; all or none.

    Raises NotAssignable.
    """
    with transaction.atomic():
        version = _locked(version)
        return [_put(version, each.account, each, None, kind, by, now) for each in instances]


def assign_share(
    version: ModelVersion, account: AwsAccount, share: float, kind: AssignmentKind, *, by: Caller, now: datetime
) -> Assignment:
    """Give that share of the account's instances, in (0, 1], the model; the account's former share of the kind ends.

    Instances with a model of their own keep it. Raises NotAssignable.
    """
    with transaction.atomic():
        return _put(_locked(version), account, None, share, kind, by, now)


def unassign(assignments: Iterable[Assignment], *, by: Caller | str, reason: str = "") -> int:
    """End them: the active model judges again, and nothing runs beside. Returns how many there were."""
    with transaction.atomic():
        ended = [_end(assignment, by, reason) for assignment in assignments]
    return len(ended)


def end_forbidden(version: ModelVersion, status: ModelStatus, *, by: Caller | str) -> int:
    """End the model's assignments that its new status no longer allows; in each organization's audit log."""
    held = Assignment.objects.filter(model=version).select_related("account", "organization", "instance", "model")
    forbidden = [each for each in held if refusal(each.kind, status, each.account.environment)]
    return unassign(forbidden, by=by, reason=f"the model became {status.value}")


def instances_of(assignment: Assignment, candidates: Iterable[Instance]) -> list[Instance]:
    """Those of the account's instances that the assignment covers."""
    return [each for each in candidates if each.account_id == assignment.account_id and _covers(assignment, each)]


def _concerning(instance: Instance) -> QuerySet[Assignment]:
    """The instance's own first, then its account's share."""
    rows = Assignment.objects.filter(Q(instance=instance) | Q(instance=None), account_id=instance.account_id)
    rows = rows.select_related("model").defer("model__metadata", "model__trial")
    return rows.order_by("instance_id")  # PostgreSQL puts null last


def _covers(assignment: Assignment, instance: Instance) -> bool:
    if assignment.share is None:
        return assignment.instance_id == instance.pk
    return is_drawn(assignment.model_id, instance.instance_id, assignment.share)


def _told(assignment: Assignment) -> str:
    return (
        "assigned to the instance" if assignment.share is None else f"assigned to {assignment.share:.0%} of the account"
    )


def _locked(version: ModelVersion) -> ModelVersion:
    """The row as it is now, kept from changing its status until the assignment stands."""
    return ModelVersion.objects.select_for_update().defer("metadata", "trial").get(pk=version.pk)


def _put(
    version: ModelVersion,
    account: AwsAccount,
    instance: Instance | None,
    share: float | None,
    kind: AssignmentKind,
    by: Caller,
    now: datetime,
) -> Assignment:
    why = refusal(kind, version.status, account.environment, is_deleted=version.deleted_at is not None)
    if why:
        raise NotAssignable(version, account, why)
    AwsAccount.objects.select_for_update().get(pk=account.pk)  # of two at once the later one stands
    place = Assignment.objects.filter(account=account, instance=instance, kind=kind.value)
    former = place.select_related("model").defer("model__metadata").first()
    before = _as_told(former) if former else None
    if former is not None:
        former.delete()
    assignment = Assignment.objects.create(
        organization_id=account.organization_id,
        model=version,
        account=account,
        instance=instance,
        share=share,
        kind=kind.value,
        assigned_by=by.user,
        assigned_at=now,
    )
    _record(by, "model.assigned", assignment, before=before, after=_as_told(assignment))
    return assignment


def _end(assignment: Assignment, by: Caller | str, reason: str) -> Assignment:
    _record(by, "model.unassigned", assignment, before=_as_told(assignment), reason=reason)
    assignment.delete()
    return assignment


def _record(by: Caller | str, deed: str, assignment: Assignment, **told: Any) -> None:
    organization: Organization = assignment.organization
    audit.record(by, deed, assignment.instance or assignment.account, organization=organization, **told)


def _as_told(assignment: Assignment) -> dict[str, Any]:
    return {
        "model": assignment.model_id,
        "name": str(assignment.model),
        "kind": assignment.kind,
        "share": assignment.share,
    }
