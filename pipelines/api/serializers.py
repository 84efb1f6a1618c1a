"""How are instances, decisions and runs written in answers of the lab's API?"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import AwsAccount
from accounts.wire import UsdPerMonth
from instances.models import Instance
from mlregistry.models import ModelVersion
from pipelines.models import ExperimentLog, PipelineRun, RunStep


class AccountSerializer(serializers.ModelSerializer[AwsAccount]):
    class Meta:
        model = AwsAccount
        fields = ("id", "account_id", "name", "environment")


class ModelNameSerializer(serializers.ModelSerializer[ModelVersion]):
    model_id = serializers.IntegerField(source="pk")

    class Meta:
        model = ModelVersion
        fields = ("model_id", "name", "version")


class LastEvaluationSerializer(serializers.Serializer[Instance]):
    """Of an instance annotated by `pipelines.listing.with_last_decision`."""

    experiment_id = serializers.UUIDField()
    decision = serializers.CharField(help_text="SWITCH or STAY")
    reason = serializers.CharField()
    target_instance_type = serializers.CharField(source="target_type")
    target_zone_id = serializers.CharField(source="target_zone")
    interruption_probability = serializers.FloatField(allow_null=True)
    evidence = serializers.CharField(help_text="trace, advisor or none")
    safety_score = serializers.FloatField(allow_null=True)
    expected_savings_usd_per_month = UsdPerMonth(source="savings", allow_null=True)
    decided_at = serializers.DateTimeField()


class InstanceSerializer(serializers.ModelSerializer[Instance]):
    """`id` is ours and stands in addresses; `instance_id` is EC2's."""

    account = AccountSerializer()
    group = serializers.CharField(source="group.name", default=None, allow_null=True)
    stateless_said_by = serializers.CharField(help_text="Who signed that it is stateless; empty: nobody did")
    assigned_model = serializers.SerializerMethodField(help_text="null: the active one, or a share of its account's")
    settings_version = serializers.IntegerField(help_text="Of what people said; PATCH names the one it has seen")
    last_evaluation = serializers.SerializerMethodField()
    open_run_id = serializers.UUIDField(allow_null=True, help_text="The evaluation that is queued or running")

    class Meta:
        model = Instance
        fields = (
            "id",
            "instance_id",
            "name",
            "account",
            "region",
            "zone_name",
            "zone_id",
            "instance_type",
            "product",
            "state",
            "is_spot",
            "launched_at",
            "group",
            "cluster_name",
            "tags",
            "pipeline_mode",
            "is_shadow_mode",
            "stateless_said_by",
            "stateless_said_at",
            "health_port",
            "health_path",
            "policy_overrides",
            "assigned_model",
            "settings_version",
            "settings_changed_at",
            "settings_changed_by",
            "last_switched_at",
            "seen_at",
            "vanished_at",
            "last_evaluation",
            "open_run_id",
        )

    @extend_schema_field(LastEvaluationSerializer(allow_null=True))
    def get_last_evaluation(self, instance: Any) -> dict[str, Any] | None:
        return LastEvaluationSerializer(instance).data if instance.experiment_id else None

    @extend_schema_field(ModelNameSerializer(allow_null=True))
    def get_assigned_model(self, instance: Any) -> dict[str, Any] | None:
        return ModelNameSerializer(instance.serving[0].model).data if instance.serving else None


class InstanceNameSerializer(serializers.ModelSerializer[Instance]):
    class Meta:
        model = Instance
        fields = ("id", "instance_id", "name")


class ExperimentSerializer(serializers.ModelSerializer[ExperimentLog]):
    """A decision without its receipt. `safety_score` 1 = safe, `risk_score` = 1 − safety."""

    run_id = serializers.UUIDField()
    instance = InstanceNameSerializer(allow_null=True)  # type: ignore[assignment]  # DRF takes fields off the class
    model = ModelNameSerializer(allow_null=True)
    risk_score = serializers.SerializerMethodField()
    current_usd_per_month = UsdPerMonth(allow_null=True)
    expected_savings_usd_per_month = UsdPerMonth(allow_null=True)

    class Meta:
        model = ExperimentLog
        fields: tuple[str, ...] = (
            "id",
            "run_id",
            "instance",
            "model",
            "decision",
            "reason",
            "instance_type",
            "target_instance_type",
            "target_zone_id",
            "interruption_probability",
            "evidence",
            "safety_score",
            "risk_score",
            "current_usd_per_month",
            "expected_savings_usd_per_month",
            "is_shadow",
            "receipt_sha256",
            "decided_at",
        )

    def get_risk_score(self, experiment: ExperimentLog) -> float | None:
        return None if experiment.safety_score is None else 1 - experiment.safety_score


class ReceiptSerializer(ExperimentSerializer):
    """With the receipt: `./run manage replay <id>` recomputes the decision from it."""

    receipt = serializers.DictField()

    class Meta(ExperimentSerializer.Meta):
        fields = (*ExperimentSerializer.Meta.fields, "receipt")


class StepSerializer(serializers.ModelSerializer[RunStep]):
    inputs = serializers.DictField()
    outputs = serializers.DictField()

    class Meta:
        model = RunStep
        fields = (
            "position",
            "name",
            "state",
            "inputs",
            "outputs",
            "count_in",
            "count_out",
            "started_at",
            "duration_ms",
            "error",
        )


class RunSerializer(serializers.ModelSerializer[PipelineRun]):
    """`experiment_id` is the decision, once there is one."""

    instance = InstanceNameSerializer(allow_null=True)  # type: ignore[assignment]  # DRF takes fields off the class
    requested_by = serializers.CharField(source="requested_by.username", default=None, allow_null=True)
    experiment_id = serializers.UUIDField(source="experiment.pk", default=None, allow_null=True)
    steps = StepSerializer(many=True)

    class Meta:
        model = PipelineRun
        fields = (
            "id",
            "instance",
            "pipeline",
            "trigger",
            "requested_by",
            "state",
            "created_at",
            "started_at",
            "ended_at",
            "error",
            "experiment_id",
            "steps",
        )
