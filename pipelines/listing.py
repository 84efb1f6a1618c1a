"""Which instances does the console show, in which order, with which last decision?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import F, FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.http import QueryDict

from accounts.domain import Environment
from accounts.lists import ListForm, Orders
from accounts.models import AwsAccount
from instances.models import Instance
from pipelines.models import PipelineRun, RunState

UNDECIDED = "none"
COLUMNS = (
    *("instance_id", "name", "account_id", "account", "environment", "region", "zone", "instance_type", "market"),
    *("decision", "reason", "target_type", "target_zone", "interruption_probability", "evidence", "safety_score"),
    *("savings_usd_per_month", "decided_at", "seen_at"),
)


class ListingForm(ListForm):
    """What the address of the console may say; anything else is an error that the page shows."""

    orders = Orders(
        "-savings",
        {
            "name": "name",
            "type": "instance_type",
            "zone": "zone_name",
            "decision": "decision",
            "probability": "interruption_probability",
            "safety": "safety_score",
            "savings": "savings",
            "decided": "decided_at",
        },
    )

    q = forms.CharField(label="Name, id, type or tag", required=False, max_length=120, strip=True)
    account = forms.ChoiceField(label="Account", required=False)
    region = forms.ChoiceField(label="Region", required=False)
    environment = forms.ChoiceField(
        label="Environment", required=False, choices=[("", "Any"), *((e.value, e.value) for e in Environment)]
    )
    market = forms.ChoiceField(
        label="Market", required=False, choices=[("", "Any"), ("on-demand", "On-Demand"), ("spot", "Spot")]
    )
    decision = forms.ChoiceField(
        label="Decision",
        required=False,
        choices=[("", "Any"), ("SWITCH", "Switch"), ("STAY", "Stay"), (UNDECIDED, "Not evaluated")],
    )

    def __init__(self, data: QueryDict, accounts: QuerySet[AwsAccount]) -> None:
        super().__init__(data)
        places = list(accounts.order_by("name").values_list("pk", "name", "regions"))
        own = [(str(pk), name) for pk, name, _ in places]
        self.fields["account"].choices = [("", "Any"), *own]  # type: ignore[attr-defined]
        regions = sorted({region for *_, theirs in places for region in theirs})
        self.fields["region"].choices = [("", "Any"), *((r, r) for r in regions)]  # type: ignore[attr-defined]


def listed(instances: QuerySet[Instance], wanted: Mapping[str, Any]) -> QuerySet[Any]:
    """The instances that match, annotated with their last decision and an open run."""
    rows = with_last_decision(instances.present().select_related("account", "group"))  # type: ignore[attr-defined]
    if text := wanted.get("q"):
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(instance_id__istartswith=text)
            | Q(instance_type__istartswith=text)
            | Q(tags__has_key=text)
        )
    if wanted.get("account"):
        rows = rows.filter(account_id=wanted["account"])
    if wanted.get("region"):
        rows = rows.filter(region=wanted["region"])
    if wanted.get("environment"):
        rows = rows.filter(account__environment=wanted["environment"])
    if wanted.get("market"):
        rows = rows.filter(is_spot=wanted["market"] == "spot")
    if decision := wanted.get("decision"):
        rows = rows.filter(decision=None) if decision == UNDECIDED else rows.filter(decision=decision)
    return rows


def as_row(instance: Any) -> dict[str, Any]:
    """An instance out of `listed`, as a line of a sheet."""
    return {
        **{name: getattr(instance, name, None) for name in COLUMNS},
        "account_id": instance.account.account_id,
        "account": instance.account.name,
        "environment": instance.account.environment,
        "zone": instance.zone_name,
        "market": "spot" if instance.is_spot else "on-demand",
        "savings_usd_per_month": instance.savings,
        "decided_at": instance.decided_at and instance.decided_at.isoformat(),
        "seen_at": instance.seen_at.isoformat(),
    }


def with_last_decision(instances: QuerySet[Instance]) -> QuerySet[Any]:
    """Instances, each with its latest decision's figures (None before the first) and the id of an open run."""
    opened = PipelineRun.objects.filter(instance=OuterRef("pk"), state__in=[RunState.QUEUED, RunState.RUNNING])
    return instances.annotate(
        last=FilteredRelation("experiments", condition=Q(experiments__is_latest=True)),
        experiment_id=F("last__pk"),
        decision=F("last__decision"),
        reason=F("last__reason"),
        target_type=F("last__target_instance_type"),
        target_zone=F("last__target_zone_id"),
        interruption_probability=F("last__interruption_probability"),
        evidence=F("last__evidence"),
        safety_score=F("last__safety_score"),
        savings=F("last__expected_savings_usd_per_month"),
        decided_at=F("last__decided_at"),
        open_run_id=Subquery(opened.values("pk")[:1]),
    )
