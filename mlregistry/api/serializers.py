"""How is a registered model shown to a program?"""

from __future__ import annotations

from rest_framework import serializers

from mlregistry.models import ModelVersion


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A version without its bytes and its card."""

    model_id = serializers.IntegerField(source="pk", read_only=True)
    trained_until = serializers.DateField()
    active = serializers.BooleanField(source="is_active")

    class Meta:
        model = ModelVersion
        fields = (
            "model_id",
            "name",
            "version",
            "model_type",
            "trained_until",
            "active",
            "status",
            "is_experimental",
            "feature_version",
            "horizon_seconds",
            "file_sha256",
            "metadata_sha256",
            "uploaded_at",
            "activated_at",
        )

    file_sha256 = serializers.CharField(source="file_id", read_only=True)
