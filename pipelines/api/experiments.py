"""Lab 16: what was decided, why, and what would another model have decided?"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN
from typing import Any

from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from accounts.domain import Environment
from accounts.ownership import Owned, owned_or_404
from accounts.refusals import Unusable
from accounts.wire import Flag, Instant, Ordering, Strict, StrictFilters, UsdPerMonth
from mlregistry.models import ModelVersion
from pipelines.api import examples
from pipelines.api.serializers import ExperimentSerializer, ModelNameSerializer, ReceiptSerializer
from pipelines.comparison import MOST_DIFFERENCES, Comparison, compare
from pipelines.domain.decision import Choice
from pipelines.experiments import UNREAD
from pipelines.models import ExperimentLog


class ExperimentFilters(StrictFilters):
    """Query parameters of the list of decisions."""

    instance = filters.NumberFilter(field_name="instance_id", help_text="Our id of the instance")
    account = filters.NumberFilter(field_name="run__account_id", help_text="Our id of the account")
    environment = filters.ChoiceFilter(
        field_name="run__account__environment", choices=[(e.value, e.value) for e in Environment]
    )
    model = filters.NumberFilter(field_name="model_id")
    decision = filters.ChoiceFilter(choices=[(choice.value, choice.value) for choice in Choice])
    is_shadow = Flag()
    since = Instant(field_name="decided_at", lookup_expr="gte")
    until = Instant(field_name="decided_at", lookup_expr="lt")
    ordering = Ordering(
        fields={
            "decided_at": "decided_at",
            "expected_savings_usd_per_month": "expected_savings_usd_per_month",
            "interruption_probability": "interruption_probability",
            "safety_score": "safety_score",
        }
    )

    class Meta:
        model = ExperimentLog
        fields: list[str] = []


@extend_schema_view(get=extend_schema(examples=[examples.EXPERIMENT]))
class ExperimentList(Owned, generics.ListAPIView[ExperimentLog]):
    """Decisions, newest first, without their receipts."""

    queryset = ExperimentLog.objects.select_related("instance", "model").defer(*UNREAD).order_by("-decided_at", "pk")
    serializer_class = ExperimentSerializer
    filterset_class = ExperimentFilters


@extend_schema_view(get=extend_schema(examples=[examples.RECEIPT]))
class ExperimentDetail(Owned, generics.RetrieveAPIView[ExperimentLog]):
    """A decision with its receipt."""

    queryset = ExperimentLog.objects.select_related("instance", "model").defer(*UNREAD[1:])
    serializer_class = ReceiptSerializer
    lookup_url_kwarg = "experiment_id"


class ComparisonRequest(Strict):
    a = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="model_id")
    b = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="model_id")


class MeanSerializer(serializers.Serializer[Any]):
    """Of `n` instances; `low` and `high` bound it at 95 %, null for fewer than two."""

    n = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class UsdMeanSerializer(serializers.Serializer[Any]):
    """Dollars a month of `n` instances together; `low` and `high` bound it at 95 %, null for fewer than two."""

    n = serializers.IntegerField()
    value = UsdPerMonth(allow_null=True, rounding=ROUND_HALF_EVEN)
    low = UsdPerMonth(allow_null=True, rounding=ROUND_HALF_EVEN)
    high = UsdPerMonth(allow_null=True, rounding=ROUND_HALF_EVEN)


class ObservedSerializer(serializers.Serializer[Any]):
    """Of all its predictions for you: `share` of the `labelled` ones was interrupted; `predicted` is what it said."""

    labelled = serializers.IntegerField(source="interrupted.judged")
    interrupted = serializers.IntegerField(source="interrupted.agreed")
    share = serializers.FloatField(source="interrupted.share", allow_null=True)
    low = serializers.FloatField(source="interrupted.low", allow_null=True)
    high = serializers.FloatField(source="interrupted.high", allow_null=True)
    predicted = serializers.FloatField(allow_null=True)
    censored = serializers.IntegerField(help_text="Ended otherwise before their horizon did: in no other figure")


class SideSerializer(serializers.Serializer[Any]):
    """`decisions` and `last_decided_at` are of all that the model decided; the rest is of the shared instances."""

    model = ModelNameSerializer()
    decisions = serializers.IntegerField()
    last_decided_at = serializers.DateTimeField(source="last_at", allow_null=True)
    switches = serializers.IntegerField()
    interruption_probability = MeanSerializer(source="probability")
    savings_usd_per_month = UsdMeanSerializer(source="saves", help_text="Staying saves nothing, and counts")
    observed = ObservedSerializer()


class AgreementSerializer(serializers.Serializer[Any]):
    """`low` and `high` bound the share at 95 %."""

    judged = serializers.IntegerField(help_text="Instances on which both models decided")
    agreed = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class BesideSerializer(serializers.Serializer[Any]):
    """Decisions that the one made and the other was asked for in shadow; the gain is of one decision, on average."""

    judged = serializers.IntegerField(source="agreement.judged")
    agreed = serializers.IntegerField(source="agreement.agreed")
    share = serializers.FloatField(source="agreement.share", allow_null=True)
    low = serializers.FloatField(source="agreement.low", allow_null=True)
    high = serializers.FloatField(source="agreement.high", allow_null=True)
    gain_usd_per_month = UsdMeanSerializer(source="gain")


class CalibrationBinSerializer(serializers.Serializer[Any]):
    """Predictions of about the same probability."""

    predicted = serializers.FloatField()
    observed = serializers.FloatField()
    count = serializers.IntegerField()


class CalibrationSerializer(serializers.Serializer[Any]):
    """Empty for a model of which no outcome is known."""

    a = CalibrationBinSerializer(many=True)
    b = CalibrationBinSerializer(many=True)


class DifferenceSerializer(serializers.Serializer[Any]):
    instance_id = serializers.CharField(source="a.instance.instance_id")
    a = serializers.UUIDField(source="a.pk", help_text="experiment id")
    a_decision = serializers.CharField(source="a.decision")
    b = serializers.UUIDField(source="b.pk", help_text="experiment id")
    b_decision = serializers.CharField(source="b.decision")


class ComparisonSerializer(serializers.Serializer[Any]):
    """`gain_usd_per_month`: what b saves more than a on the same instances.

    `calibration` is null while no outcome of a prediction is known: nothing is made up.
    """

    a = SideSerializer()
    b = SideSerializer()
    agreement = AgreementSerializer()
    gain_usd_per_month = UsdMeanSerializer(source="gain")
    differences = DifferenceSerializer(many=True, help_text=f"At most {MOST_DIFFERENCES}")
    same_decisions = BesideSerializer(source="beside")
    labelled_count = serializers.IntegerField(source="labelled", help_text="Predictions of both with a known outcome")
    calibration = serializers.SerializerMethodField()

    @extend_schema_field(CalibrationSerializer(allow_null=True))
    def get_calibration(self, found: Comparison) -> dict[str, Any] | None:
        sides = {"a": found.a.observed.calibration, "b": found.b.observed.calibration}
        return dict(CalibrationSerializer(sides).data) if found.labelled else None


class ExperimentComparison(APIView):
    """Two models on the same instances: the latest decision of each."""

    @extend_schema(parameters=[ComparisonRequest], responses=ComparisonSerializer, examples=[examples.COMPARISON])
    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        given = {name: value for name, value in request.query_params.items() if name != "customer_id"}
        wanted = ComparisonRequest(data=given)
        wanted.is_valid(raise_exception=True)
        if wanted.validated_data["a"] == wanted.validated_data["b"]:
            raise Unusable(errors=[{"pointer": "?b", "detail": "Name another model than a."}])
        a, b = (owned_or_404(ModelVersion, caller, pk=wanted.validated_data[side]) for side in ("a", "b"))
        return Response(ComparisonSerializer(compare(caller, a, b)).data)
