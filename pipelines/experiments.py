"""Which decisions does the list of experiments show, in which order?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict

from accounts.domain import Environment
from accounts.lists import ListForm, Orders
from accounts.models import AwsAccount
from mlregistry.models import ModelVersion
from pipelines.domain.decision import Choice
from pipelines.models import ExperimentLog

UNREAD = ("receipt", "model__metadata", "model__trial", "instance__facts", "instance__tags")  # large, and not listed
MOST_MODELS = 100  # offered to choose from, the newest
COLUMNS = (
    *("id", "decided_at", "instance_id", "name", "account_id", "environment", "decision", "reason", "instance_type"),
    *("target_type", "target_zone", "model", "model_version", "interruption_probability", "evidence", "safety_score"),
    *("current_usd_per_month", "savings_usd_per_month", "is_shadow", "receipt_sha256"),
)
YES_NO = [("", "Any"), ("yes", "Shadow"), ("no", "Acting")]


class ExperimentsForm(ListForm):
    """What the address of the list may say."""

    orders = Orders(
        "-decided",
        {
            "decided": "decided_at",
            "instance": "instance__name",
            "decision": "decision",
            "probability": "interruption_probability",
            "safety": "safety_score",
            "savings": "expected_savings_usd_per_month",
        },
    )

    q = forms.CharField(label="Name, id or type", required=False, max_length=120, strip=True)
    account = forms.ChoiceField(label="Account", required=False)
    environment = forms.ChoiceField(
        label="Environment", required=False, choices=[("", "Any"), *((e.value, e.value) for e in Environment)]
    )
    decision = forms.ChoiceField(
        label="Decision", required=False, choices=[("", "Any"), *((c.value, c.value.capitalize()) for c in Choice)]
    )
    model = forms.ChoiceField(label="Model", required=False)
    shadow = forms.ChoiceField(label="Mode", required=False, choices=YES_NO)
    since = forms.DateTimeField(label="Since (UTC)", required=False)
    until = forms.DateTimeField(label="Until (UTC)", required=False)

    def __init__(self, data: QueryDict, accounts: QuerySet[AwsAccount], models: QuerySet[ModelVersion]) -> None:
        super().__init__(data)
        own = [(str(pk), name) for pk, name in accounts.order_by("name").values_list("pk", "name")]
        self.fields["account"].choices = [("", "Any"), *own]  # type: ignore[attr-defined]
        self.fields["model"].choices = [("", "Any"), *model_choices(models)]  # type: ignore[attr-defined]
        for name in ("since", "until"):
            self.fields[name].widget.attrs["placeholder"] = "2026-11-18 12:00"


class ComparisonForm(forms.Form):
    """Which two models are compared; the address says it as `a` and `b`."""

    a = forms.ChoiceField(label="One model")
    b = forms.ChoiceField(label="The other model")

    def __init__(self, data: QueryDict, models: QuerySet[ModelVersion]) -> None:
        super().__init__(data if data else None)
        self.models = model_choices(models)
        for name in ("a", "b"):
            self.fields[name].choices = [("", "Choose"), *self.models]  # type: ignore[attr-defined]

    def clean_b(self) -> str:
        if self.cleaned_data["b"] == self.cleaned_data.get("a"):
            raise forms.ValidationError("Choose another than a: a model always agrees with itself.")
        return str(self.cleaned_data["b"])


def model_choices(models: QuerySet[ModelVersion]) -> list[tuple[str, str]]:
    """The models one may choose from, the newest first."""
    newest = models.order_by("-uploaded_at").values_list("pk", "name", "version")[:MOST_MODELS]
    return [(str(pk), f"{name} {version}") for pk, name, version in newest]


def listed(rows: QuerySet[ExperimentLog], wanted: Mapping[str, Any]) -> QuerySet[ExperimentLog]:
    """The decisions that match, without what is large in them."""
    if text := wanted.get("q"):
        rows = rows.filter(
            Q(instance__name__icontains=text)
            | Q(instance__instance_id__istartswith=text)
            | Q(instance_type__istartswith=text)
        )
    equal = {
        "run__account_id": wanted.get("account"),
        "run__account__environment": wanted.get("environment"),
        "decision": wanted.get("decision"),
        "model_id": wanted.get("model"),
    }
    rows = rows.filter(**{column: value for column, value in equal.items() if value})
    if shadow := wanted.get("shadow"):
        rows = rows.filter(is_shadow=shadow == "yes")
    if since := wanted.get("since"):
        rows = rows.filter(decided_at__gte=since)
    if until := wanted.get("until"):
        rows = rows.filter(decided_at__lt=until)
    return rows.select_related("instance", "model", "run__account").defer(*UNREAD, "run__account__validation")


def as_row(experiment: ExperimentLog) -> dict[str, Any]:
    """A decision as a line of a sheet."""
    instance, model, account = experiment.instance, experiment.model, experiment.run.account
    return {
        **{name: getattr(experiment, name, None) for name in COLUMNS},
        "decided_at": experiment.decided_at.isoformat(),
        "instance_id": instance.instance_id if instance else None,
        "name": instance.name if instance else None,
        "account_id": account.account_id,
        "environment": account.environment,
        "target_type": experiment.target_instance_type,
        "target_zone": experiment.target_zone_id,
        "model": model.name if model else None,
        "model_version": model.version if model else None,
        "savings_usd_per_month": experiment.expected_savings_usd_per_month,
    }
