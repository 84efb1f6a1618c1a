"""Lab 7–9, 12: which instances are there, what was decided about each, and what do people say about it?"""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import HasCaller, caller_of, requires
from accounts.domain import Environment, Role, Scope
from accounts.ownership import Owned, owned_or_404
from accounts.refusals import Conflict, Unusable
from accounts.wire import Flag, Ordering, Strict, StrictFilters, first_faults, pointer
from instances.domain.instance_settings import STATEMENT
from instances.models import Instance, PipelineMode
from pipelines import instance_settings
from pipelines.api import examples
from pipelines.api.experiments import ExperimentList
from pipelines.api.serializers import InstanceSerializer
from pipelines.domain.decision import Choice
from pipelines.listing import UNDECIDED, with_last_decision
from pipelines.models import ExperimentLog

DECISIONS = [*((choice.value, choice.value) for choice in Choice), (UNDECIDED, UNDECIDED)]


class SettingsRequest(Strict):
    """What is given is set, all or nothing; a policy is set whole."""

    settings_version = serializers.IntegerField(min_value=0, help_text="The one you have seen; 409 if it is not last")
    pipeline_mode = serializers.ChoiceField([(m.value, m.value) for m in PipelineMode], required=False)
    is_shadow_mode = serializers.BooleanField(required=False, help_text="false is for owners, and nothing can act yet")
    stateless = serializers.BooleanField(required=False, help_text=f"true signs, for a person: “{STATEMENT}”")
    health_port = serializers.IntegerField(required=False, allow_null=True)
    health_path = serializers.CharField(required=False, allow_blank=True, max_length=200, trim_whitespace=False)
    policy_overrides = serializers.DictField(required=False, help_text="Limits as in `governance/policies`")
    assigned_model = serializers.IntegerField(required=False, allow_null=True, help_text="Its `model_id`; null: none")


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
    has_overrides = Flag(method="overriding", help_text="Whether it sets limits of its own")
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

    def overriding(self, rows: QuerySet[Instance], name: str, value: bool) -> QuerySet[Instance]:
        return rows.exclude(policy_overrides={}) if value else rows.filter(policy_overrides={})

    def decided(self, rows: QuerySet[Instance], name: str, value: str) -> QuerySet[Instance]:
        return rows.filter(Q(decision=None) if value == UNDECIDED else Q(decision=value))

    def matching(self, rows: QuerySet[Instance], name: str, value: str) -> QuerySet[Instance]:
        return rows.filter(
            Q(name__icontains=value) | Q(instance_id__icontains=value) | Q(instance_type__istartswith=value)
        )


@extend_schema_view(get=extend_schema(examples=[examples.INSTANCE]))
class InstanceList(Owned, generics.ListAPIView[Instance]):
    """Instances as the last inventory saw them, each with its last evaluation. Those that vanished are left out."""

    queryset = instance_settings.with_model(
        with_last_decision(Instance.objects.present().select_related("account", "group").defer("facts", "group__facts"))
    ).order_by("instance_id", "pk")
    serializer_class = InstanceSerializer
    filterset_class = InstanceFilters


@extend_schema_view(get=extend_schema(examples=[examples.INSTANCE]))
class InstanceDetail(Owned, generics.RetrieveAPIView[Instance]):
    """One instance, also when it has vanished since."""

    queryset = instance_settings.with_model(
        with_last_decision(Instance.objects.select_related("account", "group").defer("facts", "group__facts"))
    )
    serializer_class = InstanceSerializer
    lookup_url_kwarg = "instance_id"

    def get_permissions(self) -> list[BasePermission]:
        request = getattr(self, "request", None)
        reads = request is None or request.method in SAFE_METHODS
        return [HasCaller() if reads else requires(scope=Scope.MANAGE, role=Role.ADMIN)()]

    @extend_schema(
        summary="Say how an instance is to be treated; what is not given stays",
        request=SettingsRequest,
        responses={
            200: InstanceSerializer,
            409: OpenApiResponse(
                description="Changed since `settings_version`, no longer there, a model that its status forbids here, "
                "or shadow mode, which nothing can leave yet. `state` says which."
            ),
        },
        examples=[examples.SETTINGS, examples.INSTANCE],
    )
    def patch(self, request: Request, instance_id: int) -> Response:
        instance = self.get_object()
        if instance.vanished_at:
            raise Conflict("The last inventory no longer saw this instance.", state="vanished")
        asked = SettingsRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        seen = wanted.pop("settings_version")
        try:
            instance_settings.change(instance, wanted, seen=seen, by=caller_of(request), now=timezone.now())
        except instance_settings.Invalid as error:
            errors = [{"pointer": pointer(at.split("/", 1)), "detail": fault} for at, fault in error.faults.items()]
            raise Unusable(errors=first_faults(errors)) from error
        except instance_settings.StaysInShadow as error:
            raise Conflict(str(error), state="shadow") from error
        except (instance_settings.ChangedMeanwhile, instance_settings.NotAssignable) as error:
            raise Conflict(str(error), state=error.state) from error
        return Response(self.get_serializer(self.get_object()).data)


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
