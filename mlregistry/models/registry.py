"""Which models are there, which one counts, and what are its bytes?"""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from django.db.models import Q

from accounts.models import AwsAccount, Organization, User
from instances.models import Instance


class ModelType(StrEnum):
    SPOT_PREDICTOR = "spot_predictor"


class ModelStatus(StrEnum):
    TESTING = "testing"  # LAB and shadow only
    GRADUATED = "graduated"  # may be active, or assigned in PROD
    REJECTED = "rejected"  # never used


class AssignmentKind(StrEnum):
    SERVING = "serving"  # its predictions are the ones that are decided by
    SHADOW = "shadow"  # asked beside on every decision, and only logged


class ModelFile(models.Model):
    """The bytes of a model, once per digest."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    content = models.BinaryField()
    size = models.IntegerField()
    stored_at = models.DateTimeField(auto_now_add=True)


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def present(self) -> ModelVersionQuerySet:
        """Those that were not deleted."""
        return self.filter(deleted_at=None)

    def before(self, active: ModelVersion) -> ModelVersion | None:
        """The one that was active last before it and may be again; None without one."""
        once = self.present().filter(model_type=active.model_type, status=ModelStatus.GRADUATED.value)
        return once.exclude(pk=active.pk).filter(activated_at__isnull=False).order_by("-activated_at").first()


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
    deleted_at = models.DateTimeField(null=True, blank=True)  # in no list any more; its decisions can still be replayed

    objects = ModelVersionQuerySet.as_manager()

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
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(deleted_at=None), name="active_model_is_not_deleted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Assignment(models.Model):
    """A model that an organization put before the active one, or in shadow beside it.

    For one instance, or for a share of the account's instances that is drawn by hash. The instance's own wins.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="assignments")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="assignments")
    account = models.ForeignKey(AwsAccount, on_delete=models.CASCADE, related_name="assignments")
    instance = models.ForeignKey(Instance, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    share = models.FloatField(null=True, blank=True)  # of the account's instances, in (0, 1]; None: the one instance
    kind = models.CharField(max_length=8, choices={k.value: k.value for k in AssignmentKind})
    assigned_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)  # None: a key
    assigned_at = models.DateTimeField()

    class Meta:
        ordering = ["-assigned_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "kind"], condition=Q(instance__isnull=False), name="one_model_per_instance_and_kind"
            ),
            models.UniqueConstraint(
                fields=["account", "kind"], condition=Q(instance=None), name="one_share_per_account_and_kind"
            ),
            models.CheckConstraint(
                condition=Q(instance__isnull=False, share=None) | Q(instance=None, share__gt=0, share__lte=1),
                name="assigned_to_an_instance_or_a_share",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[k.value for k in AssignmentKind]), name="assignment_kind_known"
            ),
        ]

    def __str__(self) -> str:
        to = self.instance or f"{self.share:.0%} of {self.account}"
        return f"{self.model} ({self.kind}) for {to}"


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
