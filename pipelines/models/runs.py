"""What was decided, from what, step by step?"""

from __future__ import annotations

import uuid
from enum import StrEnum

from django.db import models
from django.db.models import Q

from accounts.models import ApiKey, AwsAccount, Organization, User
from instances.models import Instance
from mlregistry.models import ModelVersion


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class PipelineRun(models.Model):
    """One evaluation of a target, from discovery to decision. The picture on the console is drawn from its steps."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    account = models.ForeignKey(AwsAccount, on_delete=models.CASCADE)
    instance = models.ForeignKey(Instance, null=True, on_delete=models.SET_NULL, related_name="runs")
    pipeline = models.CharField(max_length=12)  # LINEAR
    trigger = models.CharField(max_length=16)  # beat | person | key | command
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    state = models.CharField(max_length=8, choices={s.value: s.value for s in RunState}, default=RunState.QUEUED.value)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="runs_by_organization"),
            models.Index(fields=["organization", "-created_at"], condition=Q(state="failed"), name="runs_that_failed"),
        ]
        constraints = [
            # two people pressing at once join one run
            models.UniqueConstraint(
                fields=["instance"], condition=Q(state__in=["queued", "running"]), name="one_open_run_per_instance"
            ),
        ]


class RunStep(models.Model):
    """One step of a run with what went in and what came out."""

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="steps")
    position = models.SmallIntegerField()
    name = models.CharField(max_length=24)  # target candidates features inference gates savings decision log act
    state = models.CharField(max_length=8)  # done | failed | skipped
    inputs = models.JSONField(default=dict)
    outputs = models.JSONField(default=dict)
    count_in = models.IntegerField(null=True)
    count_out = models.IntegerField(null=True)
    started_at = models.DateTimeField()
    duration_ms = models.FloatField()
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="run_step_once")]


class ExperimentLog(models.Model):
    """A decision on one instance, with its receipt: enough to recompute it from nothing else."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    run = models.OneToOneField(PipelineRun, on_delete=models.CASCADE, related_name="experiment")
    instance = models.ForeignKey(Instance, null=True, on_delete=models.SET_NULL, related_name="experiments")
    model = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL)
    decision = models.CharField(max_length=8)  # SWITCH | STAY
    reason = models.TextField()
    instance_type = models.CharField(max_length=32)
    target_instance_type = models.CharField(max_length=32, blank=True)
    target_zone_id = models.CharField(max_length=24, blank=True)
    interruption_probability = models.FloatField(null=True)
    safety_score = models.FloatField(null=True)
    evidence = models.CharField(max_length=8, blank=True)
    current_usd_per_month = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    expected_savings_usd_per_month = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    is_shadow = models.BooleanField(default=True)
    receipt = models.JSONField()
    receipt_sha256 = models.CharField(max_length=64)
    decided_at = models.DateTimeField()
    is_latest = models.BooleanField(default=False)  # of its instance; lists join on it

    class Meta:
        ordering = ["-decided_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance"], condition=Q(is_latest=True), name="one_latest_decision_per_instance"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-decided_at"], name="experiments_by_organization"),
            models.Index(fields=["instance", "-decided_at"], name="experiments_by_instance"),
            models.Index(fields=["-decided_at"], name="experiments_by_time"),
            models.Index(fields=["model", "instance", "-decided_at"], name="experiments_by_model"),
            models.Index(fields=["organization"], condition=Q(is_latest=True), name="latest_by_organization"),
        ]


class ShadowDecision(models.Model):
    """What a shadow model would have decided on the same question; nothing followed from it."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    experiment = models.OneToOneField(ExperimentLog, on_delete=models.CASCADE, related_name="beside")
    model = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL)
    decision = models.CharField(max_length=8)  # SWITCH | STAY
    reason = models.TextField()
    target_instance_type = models.CharField(max_length=32, blank=True)
    target_zone_id = models.CharField(max_length=24, blank=True)
    interruption_probability = models.FloatField(null=True)
    safety_score = models.FloatField(null=True)
    evidence = models.CharField(max_length=8, blank=True)
    expected_savings_usd_per_month = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    latency_ms = models.FloatField()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["organization", "model", "-id"], name="beside_by_model")]


class EngineDecision(models.Model):
    """An answer of a decision engine to the API, as it was given."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)  # execution_id
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL)
    request_id = models.CharField(max_length=80)
    decision_type = models.CharField(max_length=32)
    engine_name = models.CharField(max_length=40)
    engine_version = models.CharField(max_length=20)
    cluster_id = models.CharField(max_length=120, blank=True)
    request = models.JSONField()
    response = models.JSONField()
    estimated_savings_usd_per_month = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    confidence_score = models.FloatField(null=True)
    executed_at = models.DateTimeField()

    class Meta:
        ordering = ["-executed_at"]
        indexes = [
            models.Index(fields=["organization", "-executed_at"], name="decisions_by_organization"),
            models.Index(fields=["-executed_at"], name="decisions_by_time"),
        ]


class SavingsDaily(models.Model):
    """What an organization's instances cost on a day, and could save, as it was when last looked at on that day.

    Kept because the decisions of a month are too many to be summed for a drawing.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    day = models.DateField()  # in UTC
    noted_at = models.DateTimeField()
    instances = models.IntegerField()  # that ran
    unpriced = models.IntegerField()  # of them, without a known price: they are in no sum
    usd_per_month = models.DecimalField(max_digits=16, decimal_places=2)
    switches = models.IntegerField()
    savings_usd_per_month = models.DecimalField(max_digits=16, decimal_places=2)

    class Meta:
        ordering = ["-day"]
        verbose_name_plural = "savings by day"
        constraints = [models.UniqueConstraint(fields=["organization", "day"], name="savings_once_a_day")]

    def __str__(self) -> str:
        return f"{self.day}: ${self.savings_usd_per_month} of ${self.usd_per_month} a month"
