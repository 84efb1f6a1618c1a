"""What is being done to a cloud, by which worker, and how far is it? The journal that survives every crash."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import AwsAccount, Organization, User
from pipelines.domain.lifecycle import CLOSED, OperationState, StepState
from pipelines.models.runs import PipelineRun

CLOSED_VALUES = sorted(state.value for state in CLOSED)  # plain words, or the migration would import the enum


class Operation(models.Model):
    """The journaled doing of one plan on one target. Rows are moved by pipelines.actuator.journal alone.

    `plan` is frozen when it is opened. A worker owns the row while `lease_until` lies ahead and its `fence` is still
    the one it was given; each lease raises the fence, so that a worker that woke too late is told so by its number.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT)
    account = models.ForeignKey(AwsAccount, on_delete=models.PROTECT, related_name="operations")
    region = models.CharField(max_length=24)
    kind = models.CharField(max_length=32)  # linear_switch | sweep_instance | sweep_image
    target = models.CharField(max_length=80)  # "instance/i-0abc", "image/ami-0abc"
    run = models.ForeignKey(PipelineRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="operations")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="followers")
    plan = models.JSONField()
    is_shadow = models.BooleanField(default=True)
    state = models.CharField(
        max_length=20,
        choices={s.value: s.value.replace("_", " ") for s in OperationState},
        default=OperationState.PLANNED.value,
    )
    resumes_to = models.CharField(max_length=20, blank=True)  # running | undoing, while paused or stuck
    failure = models.CharField(max_length=24, blank=True)  # why it is undone: capacity, denied, changed …
    reason = models.TextField(blank=True)
    opened_by = models.CharField(max_length=160)
    approved_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    lease_holder = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)  # the next look; null = nobody is waiting for one
    opened_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            # one hand at a time: a second Operation on the target waits for the end of the first, stuck ones too
            models.UniqueConstraint(
                fields=["account", "target"],
                condition=~Q(state__in=CLOSED_VALUES),
                name="one_open_operation_per_target",
            ),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in OperationState]), name="operation_state"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) ^ Q(state__in=CLOSED_VALUES), name="operation_ends_when_closed"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=~Q(state__in=CLOSED_VALUES), name="operations_due"),
            models.Index(fields=["organization", "-opened_at"], name="operations_by_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.target} ({self.state})"


class Step(models.Model):
    """One call that changes a cloud, or one thing waited for. `request` and `token` are written before the call."""

    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="steps")
    position = models.SmallIntegerField()
    kind = models.CharField(max_length=32)
    args = models.JSONField(default=dict)
    state = models.CharField(
        max_length=8, choices={s.value: s.value for s in StepState}, default=StepState.WAITING.value
    )
    request = models.JSONField(null=True, blank=True)  # frozen: a repeat sends the same
    token = models.CharField(max_length=64)
    result = models.JSONField(null=True, blank=True)
    memory = models.JSONField(default=dict)  # what earlier looks of this step saw
    attempts = models.IntegerField(default=0)
    is_outcome_unknown = models.BooleanField(default=False)  # a call was made and its answer never came
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    undo_started_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["operation", "position"]
        constraints = [
            models.UniqueConstraint(fields=["operation", "position"], name="operation_step_once"),
            models.UniqueConstraint(fields=["token"], name="step_token_once"),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in StepState]), name="step_state"),
            # the intention is committed before anything is called
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "skipped"])
                | (Q(request__isnull=False) & Q(started_at__isnull=False)),
                name="step_has_its_intention",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.kind} ({self.state})"


class Breaker(models.Model):
    """May anything be changed in this account, or (no account) anywhere? No row = nobody has said stop."""

    account = models.ForeignKey(AwsAccount, null=True, blank=True, on_delete=models.CASCADE, related_name="breakers")
    failures = models.IntegerField(default=0)  # in a row
    tripped_at = models.DateTimeField(null=True, blank=True)  # until a person resets it
    tripped_because = models.TextField(blank=True)
    is_killed = models.BooleanField(default=False)  # a person's kill switch
    killed_because = models.TextField(blank=True)
    changed_by = models.CharField(max_length=160, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account"], name="one_breaker_per_account", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return f"breaker of {self.account or 'everything'}"
