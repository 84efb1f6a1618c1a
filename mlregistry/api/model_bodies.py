"""What do the models' endpoints take and give?"""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.wire import Strict
from mlregistry.api.serializers import ModelVersionSerializer
from mlregistry.models import Assignment, AssignmentKind, ModelStatus, ModelType, ModelVersion, Prediction
from mlregistry.uploads import METADATA_LIMIT_MIB

TYPES = [(kind.value, kind.value) for kind in ModelType]
STATUSES = [(status.value, status.value) for status in ModelStatus]
KINDS = [(kind.value, kind.value) for kind in AssignmentKind]
MOST_INSTANCES = 1000
LARGEST_ID = 2**63 - 1


@extend_schema_field(OpenApiTypes.STR)
class JsonText(serializers.Field[Any, Any, Any, Any]):
    """JSON in a field of a form, as text or as a file; one that is no object, or holds NaN, is refused."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, UploadedFile):
            if (data.size or 0) > METADATA_LIMIT_MIB * 2**20:
                raise serializers.ValidationError(f"At most {METADATA_LIMIT_MIB} MiB.")
            data = data.read()
        try:
            found = json.loads(data, parse_constant=_no_number)
        except (ValueError, TypeError, RecursionError) as wrong:
            raise serializers.ValidationError(f"This is no JSON: {wrong}") from wrong
        if not isinstance(found, dict):
            raise serializers.ValidationError("This is no JSON object.")
        return found

    def to_representation(self, value: Any) -> Any:
        return json.dumps(value)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


class UploadRequest(Strict):
    """A form: the file, what it is, and its metadata as `train_model` writes them."""

    file = serializers.FileField(help_text="LightGBM's text form", allow_empty_file=True)
    model_name = serializers.CharField(max_length=80)
    model_version = serializers.CharField(max_length=40)
    model_type = serializers.ChoiceField(TYPES)
    trained_until_date = serializers.DateField()
    metadata = JsonText(help_text="A JSON object: features, horizon, calibration, a sample with its answers")


class UploadedSerializer(serializers.Serializer[ModelVersion]):
    """`file_sha256` is of the file that is kept: what the sandboxed reader wrote of the one that was sent."""

    model_id = serializers.IntegerField(source="pk")
    status = serializers.CharField()
    upload_path = serializers.CharField(help_text="Where the stored file can be had")
    file_sha256 = serializers.CharField(source="file_id")


class ActivateRequest(Strict):
    model_id = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    version = serializers.CharField(max_length=40, help_text="Its version, lest a wrong number activate another model")


class ActivatedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="active")
    activated_at = serializers.DateTimeField()
    previous_active = serializers.IntegerField(allow_null=True, help_text="Activate it to go back")


class DeletedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="deleted")
    deleted_at = serializers.DateTimeField()


class CountSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    is_more = serializers.BooleanField(help_text="There are more than were counted")


class LatencySerializer(serializers.Serializer[Any]):
    p50 = serializers.FloatField()
    p95 = serializers.FloatField()
    p99 = serializers.FloatField()
    predictions = serializers.IntegerField(help_text="The newest so many")


class UsageSerializer(serializers.Serializer[Any]):
    """By your organization; a key of the platform that names no customer reads everybody's."""

    predictions_24h = CountSerializer()
    predictions_30d = CountSerializer()
    shadow_30d = CountSerializer()
    last_used_at = serializers.DateTimeField(allow_null=True)
    latency_ms = LatencySerializer(allow_null=True)


class BinSerializer(serializers.Serializer[Any]):
    predicted = serializers.FloatField()
    observed = serializers.FloatField()
    count = serializers.IntegerField()


class PerformanceSerializer(serializers.Serializer[Any]):
    """From predictions whose outcome is known, and from nothing else; null where none is known yet."""

    accuracy = serializers.FloatField(allow_null=True)
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)
    f1_score = serializers.FloatField(allow_null=True)
    roc_auc = serializers.FloatField(allow_null=True)
    brier = serializers.FloatField(allow_null=True)
    calibration = BinSerializer(many=True)
    threshold = serializers.FloatField(help_text="Above it a prediction counts as `interrupted`")
    predictions_count = serializers.IntegerField(help_text="At most 100000 are counted")
    labelled_count = serializers.IntegerField(source="labelled")


class DetailsSerializer(serializers.Serializer[Any]):
    model_id = serializers.IntegerField()
    metadata = serializers.JSONField()
    performance_metrics = PerformanceSerializer()
    usage_stats = UsageSerializer()


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    prediction_id = serializers.IntegerField(source="pk")
    model_id = serializers.IntegerField(allow_null=True, help_text="Null: the baseline of day zero")
    output = serializers.JSONField()

    class Meta:
        model = Prediction
        fields = (
            "prediction_id",
            "prediction_type",
            "model_id",
            "probability",
            "confidence",
            "evidence",
            "output",
            "is_shadow",
            "outcome",
            "latency_ms",
            "created_at",
        )


class LabModelSerializer(ModelVersionSerializer):
    """With what your organization has assigned it to."""

    serving_instances = serializers.IntegerField(help_text="Instances it is assigned to by name")
    shadow_instances = serializers.IntegerField()
    shares = serializers.IntegerField(help_text="Accounts of which a share is assigned to it")

    class Meta:
        model = ModelVersion
        fields = (*ModelVersionSerializer.Meta.fields, "serving_instances", "shadow_instances", "shares")


class StatusRequest(Strict):
    status = serializers.ChoiceField(STATUSES)
    reason = serializers.CharField(max_length=500, required=False, default="")


class JudgedSerializer(serializers.Serializer[Any]):
    model_id = serializers.IntegerField()
    status = serializers.ChoiceField(STATUSES)


class AssignRequest(Strict):
    """Instances by our ids, or an account with a share of its instances."""

    kind = serializers.ChoiceField(KINDS, default=AssignmentKind.SERVING.value)
    instances = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID), required=False, max_length=MOST_INSTANCES
    )
    account = serializers.IntegerField(min_value=1, max_value=LARGEST_ID, required=False, help_text="Our id of it")
    share = serializers.FloatField(required=False, help_text="Above 0, at most 1, of the account's instances")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if bool(given.get("instances")) == ("account" in given):
            raise serializers.ValidationError("Give instances, or account and share.")
        if ("account" in given) != ("share" in given):
            raise serializers.ValidationError("A share is of an account: give both.")
        if "share" in given and not 0 < given["share"] <= 1:
            raise serializers.ValidationError({"share": "Above 0, at most 1."})
        return given


class UnassignRequest(Strict):
    assignments = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID), min_length=1, max_length=MOST_INSTANCES
    )


class AssignmentSerializer(serializers.ModelSerializer[Assignment]):
    assignment_id = serializers.IntegerField(source="pk")
    model_id = serializers.IntegerField()
    account = serializers.IntegerField(source="account_id")
    account_id = serializers.CharField(source="account.account_id")
    instance = serializers.IntegerField(source="instance_id", allow_null=True)  # type: ignore[assignment]
    instance_id = serializers.CharField(source="instance.instance_id", default=None, allow_null=True)

    class Meta:
        model = Assignment
        fields = (
            "assignment_id",
            "model_id",
            "kind",
            "account",
            "account_id",
            "instance",
            "instance_id",
            "share",
            "assigned_at",
        )


class AssignmentsSerializer(serializers.Serializer[Any]):
    assignments = AssignmentSerializer(many=True)


class UnassignedSerializer(serializers.Serializer[Any]):
    ended = serializers.IntegerField()
