"""Which models are there, which one counts, and what are its bytes?"""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from django.db.models import Q

from accounts.models import User


class ModelType(StrEnum):
    SPOT_PREDICTOR = "spot_predictor"


class ModelStatus(StrEnum):
    TESTING = "testing"  # LAB and shadow only
    GRADUATED = "graduated"  # may be active, or assigned in PROD
    REJECTED = "rejected"  # never used


class ModelFile(models.Model):
    """The bytes of a model, once per digest."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    content = models.BinaryField()
    size = models.IntegerField()
    stored_at = models.DateTimeField(auto_now_add=True)


class ModelVersion(models.Model):
    """One version of a model. At most one is active per type."""

    name = models.CharField(max_length=80)
    version = models.CharField(max_length=40)
    model_type = models.CharField(max_length=24, choices={t.value: t.value for t in ModelType})
    format = models.CharField(max_length=16)  # the adapter's name: "lightgbm-text"
    file = models.ForeignKey(ModelFile, on_delete=models.PROTECT, related_name="versions")
    metadata = models.JSONField()  # the card: features, calibration, evidence, data by digest, figures
    metadata_sha256 = models.CharField(max_length=64)  # of the canonical JSON: calibration is part of the model
    feature_version = models.CharField(max_length=40)
    feature_hash = models.CharField(max_length=64)
    horizon_seconds = models.IntegerField()
    trained_until = models.DateField()
    status = models.CharField(
        max_length=12, choices={s.value: s.value for s in ModelStatus}, default=ModelStatus.TESTING.value
    )
    is_experimental = models.BooleanField(default=False)
    is_active = models.BooleanField(default=False)
    uploaded_at = models.DateTimeField(auto_now_add=True)
    uploaded_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    activated_at = models.DateTimeField(null=True, blank=True)
    trial = models.JSONField(default=dict, blank=True)  # what the last activation trial saw

    class Meta:
        ordering = ["-uploaded_at"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="model_version_once"),
            models.UniqueConstraint(
                fields=["model_type"], condition=Q(is_active=True), name="one_active_model_per_type"
            ),
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(status=ModelStatus.GRADUATED.value), name="active_model_is_graduated"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class FeatureStatistics(models.Model):
    """Mean and spread of each feature in a region at one scoring. Never changed: scores name them by digest."""

    sha256 = models.CharField(max_length=64, unique=True)  # of feature_hash, region, mean and std
    feature_hash = models.CharField(max_length=64)
    region = models.CharField(max_length=24)
    mean = models.JSONField()  # list, in the order of FEATURES; null = too few pools
    std = models.JSONField()
    pools = models.IntegerField()
    computed_at = models.DateTimeField()
    source = models.CharField(max_length=80)  # "412 pools of eu-west-3"

    class Meta:
        indexes = [models.Index(fields=["region", "-computed_at"], name="statistics_latest")]
        verbose_name_plural = "feature statistics"
