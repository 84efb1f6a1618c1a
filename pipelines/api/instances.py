"""Lab 7, 8, 12: which instances are there, and what was decided about each? They join what only this app knows."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from accounts.authentication import caller_of
from accounts.domain import Environment
from accounts.ownership import Owned, owned_or_404
from accounts.wire import Flag, Ordering, StrictFilters
from instances.models import Instance, PipelineMode
from pipelines.api import examples
from pipelines.api.experiments import ExperimentList
from pipelines.api.serializers import InstanceSerializer
from pipelines.domain.decision import Choice
from pipelines.listing import UNDECIDED, with_last_decision
from pipelines.models import ExperimentLog

DECISIONS = [*((choice.value, choice.value) for choice in Choice), (UNDECIDED, UNDECIDED)]


class InstanceFilters(StrictFilters):
    """Query parameters of the list of instances."""

    environment = filters.ChoiceFilter(
        field_name="account__environment", choices=[(e.value, e.value) for e in Environment]
    )
    account = filters.NumberFilter(field_name="account_id", help_text="Our id of the account")
    account_id = filters.CharFilter(field_name="account__account_id", help_text="The 12 digits")
    region = filters.CharFilter()
    state = filters.CharFilter(help_text="EC2's: pending, running, stopping, stopped …")
    is_spot = Flag()
    instance_type = filters.CharFilter()
    pipeline_mode = filters.ChoiceFilter(choices=[(m.value, m.value) for m in PipelineMode])
    decision = filters.ChoiceFilter(method="decided", choices=DECISIONS, help_text="Of the last evaluation")
    search = filters.CharFilter(method="matching", max_length=120, help_text="In name, id or type")
    ordering = Ordering(
        fields={
            "name": "name",
            "instance_id": "instance_id",
            "instance_type": "instance_type",
            "region": "region",
            "state": "state",
            "launched_at": "launched_at",
            "decided_at": "decided_at",
            "savings": "expected_savings_usd_per_month",
            "interruption_probability": "interruption_probability",
            "safety_score": "safety_score",
        }
    )

    class Meta:
        model = Instance
        fields: list[str] = []

    def decided(self, rows: QuerySet[Instance], name: str, value: str) -> QuerySet[Instance]:
        return rows.filter(Q(decision=None) if value == UNDECIDED else Q(decision=value))

    def matching(self, rows: QuerySet[Instance], name: str, value: str) -> QuerySet[Instance]:
        return rows.filter(
            Q(name__icontains=value) | Q(instance_id__icontains=value) | Q(instance_type__istartswith=value)
        )


@extend_schema_view(get=extend_schema(examples=[examples.INSTANCE]))
class InstanceList(Owned, generics.ListAPIView[Instance]):
    """Instances as the last inventory saw them, each with its last evaluation. Those that vanished are left out."""

    queryset = with_last_decision(
        Instance.objects.present().select_related("account", "group").defer("facts", "group__facts")
    ).order_by("instance_id", "pk")
    serializer_class = InstanceSerializer
    filterset_class = InstanceFilters


@extend_schema_view(get=extend_schema(examples=[examples.INSTANCE]))
class InstanceDetail(Owned, generics.RetrieveAPIView[Instance]):
    """One instance, also when it has vanished since."""

    queryset = with_last_decision(Instance.objects.select_related("account", "group").defer("facts", "group__facts"))
    serializer_class = InstanceSerializer
    lookup_url_kwarg = "instance_id"


@extend_schema_view(
    get=extend_schema(operation_id="lab_instance_experiments_list", examples=[examples.EXPERIMENT]),
)
class InstanceExperiments(ExperimentList):
    """The decisions on one instance, newest first."""

    def get_queryset(self) -> QuerySet[ExperimentLog]:
        rows = super().get_queryset()
        if "instance_id" not in self.kwargs:  # the schema is drawn without an address
            return rows
        return rows.filter(instance=owned_or_404(Instance, caller_of(self.request), pk=self.kwargs["instance_id"]))
