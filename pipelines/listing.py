"""Which instances does the console show, in which order, with which last decision?"""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import F, FilteredRelation, OuterRef, Q, QuerySet, Subquery

from accounts.domain import Environment
from instances.models import Instance
from pipelines.models import PipelineRun, RunState

UNDECIDED = "none"
SORTS = {
    "name": F("name").asc(),
    "-name": F("name").desc(),
    "type": F("instance_type").asc(),
    "-type": F("instance_type").desc(),
    "zone": F("zone_name").asc(),
    "-zone": F("zone_name").desc(),
    "decision": F("decision").asc(nulls_last=True),
    "-decision": F("decision").desc(nulls_last=True),
    "probability": F("interruption_probability").asc(nulls_last=True),
    "-probability": F("interruption_probability").desc(nulls_last=True),
    "safety": F("safety_score").asc(nulls_last=True),
    "-safety": F("safety_score").desc(nulls_last=True),
    "savings": F("savings").asc(nulls_last=True),
    "-savings": F("savings").desc(nulls_last=True),
    "decided": F("decided_at").asc(nulls_last=True),
    "-decided": F("decided_at").desc(nulls_last=True),
}


class ListingForm(forms.Form):
    """What the address of the console may say; anything else is an error that the page shows."""

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
    sort = forms.ChoiceField(required=False, choices=[(s, s) for s in SORTS], widget=forms.HiddenInput)

    def __init__(self, data: object, instances: QuerySet[Instance]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        places = instances.values_list("account_id", "account__name", "region").order_by().distinct()
        accounts = sorted({(name, str(pk)) for pk, name, _ in places})
        self.fields["account"].choices = [("", "Any"), *((pk, name) for name, pk in accounts)]  # type: ignore[attr-defined]
        regions = sorted({region for *_, region in places})
        self.fields["region"].choices = [("", "Any"), *((r, r) for r in regions)]  # type: ignore[attr-defined]


def listed(instances: QuerySet[Instance], wanted: dict[str, str]) -> QuerySet[Any]:
    """The instances that match, annotated with their last decision and an open run; by savings unless told."""
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
    return rows.order_by(SORTS[wanted.get("sort") or "-savings"], "instance_id")


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
