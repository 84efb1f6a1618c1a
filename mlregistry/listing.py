"""Which models does a list show, in which order, and what are the caller's own using them for?"""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Count, F, Q, QuerySet

from mlregistry.models import Assignment, AssignmentKind, ModelStatus, ModelType, ModelVersion

SORTS = {
    f"{sign}{name}": F(column).desc(nulls_last=True) if sign else F(column).asc(nulls_last=True)
    for name, column in {
        "name": "name",
        "status": "status",
        "trained": "trained_until",
        "uploaded": "uploaded_at",
        "activated": "activated_at",
        "serving": "serving_instances",
    }.items()
    for sign in ("", "-")
}
COLUMNS = (
    *("model_id", "name", "version", "model_type", "status", "active", "trained_until", "horizon_seconds"),
    *("uploaded_at", "activated_at", "serving_instances", "shadow_instances", "shares", "file_sha256"),
)


class ModelsForm(forms.Form):
    """What the address of the page may say."""

    q = forms.CharField(label="Name or version", required=False, max_length=80)
    status = forms.ChoiceField(
        label="Status", required=False, choices=[("", "Any"), *((s.value, s.value.title()) for s in ModelStatus)]
    )
    model_type = forms.ChoiceField(
        label="Type", required=False, choices=[("", "Any"), *((t.value, t.value) for t in ModelType)]
    )
    active = forms.ChoiceField(label="Active", required=False, choices=[("", "Any"), ("yes", "Yes"), ("no", "No")])
    sort = forms.ChoiceField(required=False, choices=[(s, s) for s in SORTS], widget=forms.HiddenInput)


def listed(rows: QuerySet[ModelVersion], own: QuerySet[Assignment], wanted: dict[str, str]) -> QuerySet[ModelVersion]:
    """The models that match, newest first unless told, each with what these assignments use it for."""
    rows = with_assignments(rows.present().defer("metadata", "trial"), own)  # type: ignore[attr-defined]
    if text := wanted.get("q"):
        rows = rows.filter(Q(name__icontains=text) | Q(version__startswith=text))
    for name in ("status", "model_type"):
        if value := wanted.get(name):
            rows = rows.filter(**{name: value})
    if active := wanted.get("active"):
        rows = rows.filter(is_active=active == "yes")
    return rows.order_by(SORTS[wanted.get("sort") or "-uploaded"], "pk")


def with_assignments(rows: QuerySet[ModelVersion], own: QuerySet[Assignment]) -> QuerySet[ModelVersion]:
    """Each model with how many of these assignments name it."""
    ours = Q(assignments__in=own)
    by_name = ours & Q(assignments__instance__isnull=False)
    serving, shadow = (by_name & Q(assignments__kind=kind) for kind in (AssignmentKind.SERVING, AssignmentKind.SHADOW))
    return rows.annotate(
        serving_instances=Count("assignments", filter=serving, distinct=True),
        shadow_instances=Count("assignments", filter=shadow, distinct=True),
        shares=Count("assignments", filter=ours & Q(assignments__instance=None), distinct=True),
    )


def as_row(version: ModelVersion) -> dict[str, Any]:
    """A model as a line of a sheet."""
    told = {"model_id": version.pk, "active": version.is_active, "file_sha256": version.file_id}
    return {name: told[name] if name in told else getattr(version, name) for name in COLUMNS}
