"""What may a platform admin look at of runs and decisions? Nothing here can be changed."""

from __future__ import annotations

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.staff_site import History, ReadOnly
from pipelines.models import (
    Breaker,
    EngineDecision,
    ExperimentLog,
    Operation,
    PipelineRun,
    RunStep,
    SavingsDaily,
    ShadowDecision,
    Step,
)


class RunStepInline(History, admin.TabularInline):
    model = RunStep
    fields = ("position", "name", "state", "count_in", "count_out", "duration_ms", "outputs", "error")


@admin.register(PipelineRun)
class PipelineRunAdmin(ReadOnly):
    list_display = ("id", "organization", "instance", "pipeline", "trigger", "state", "created_at", "ended_at")
    list_filter = ("state", "pipeline", "trigger", "organization", "created_at")
    search_fields = ("id", "instance__instance_id", "instance__name", "error")
    list_select_related = ("organization", "instance")
    inlines = (RunStepInline,)


@admin.register(ExperimentLog)
class ExperimentLogAdmin(ReadOnly):
    list_display = ("decided_at", "organization", "instance", "decision", "reason", "evidence", "is_latest")
    list_filter = ("decision", "is_latest", "evidence", "organization", "decided_at")
    search_fields = ("id", "instance__instance_id", "instance__name", "reason")
    list_select_related = ("organization", "instance")
    exclude = ("receipt",)
    readonly_fields = ("pretty_receipt",)

    @admin.display(description="receipt")
    def pretty_receipt(self, row: ExperimentLog) -> str:
        return json.dumps(row.receipt, indent=2, sort_keys=True)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExperimentLog]:
        """A receipt is read where it is shown, on the page of one decision."""
        found = super().get_queryset(request)
        is_one = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return found if is_one else found.defer("receipt")


@admin.register(EngineDecision)
class EngineDecisionAdmin(ReadOnly):
    list_display = ("executed_at", "organization", "engine_name", "engine_version", "request_id", "confidence_score")
    list_filter = ("engine_name", "organization", "executed_at")
    search_fields = ("id", "request_id", "cluster_id")
    list_select_related = ("organization",)


@admin.register(ShadowDecision)
class ShadowDecisionAdmin(ReadOnly):
    list_display = ("experiment", "organization", "model", "decision", "interruption_probability", "latency_ms")
    list_filter = ("decision", "organization", "model")
    search_fields = ("experiment__id", "reason")
    list_select_related = ("experiment", "organization", "model")


@admin.register(SavingsDaily)
class SavingsDailyAdmin(ReadOnly):
    list_display = ("day", "organization", "instances", "usd_per_month", "switches", "savings_usd_per_month")
    list_filter = ("organization", "day")
    search_fields = ("organization__name",)
    list_select_related = ("organization",)


class StepInline(History, admin.TabularInline):
    model = Step
    fields = ("position", "kind", "state", "attempts", "is_outcome_unknown", "result", "error", "ended_at")


@admin.register(Operation)
class OperationAdmin(ReadOnly):
    list_display = (
        "opened_at",
        "organization",
        "kind",
        "target",
        "state",
        "is_shadow",
        "failure",
        "due_at",
        "ended_at",
    )
    list_filter = ("state", "kind", "is_shadow", "failure", "organization", "opened_at")
    search_fields = ("id", "target", "reason")
    list_select_related = ("organization",)
    inlines = (StepInline,)


@admin.register(Breaker)
class BreakerAdmin(ReadOnly):
    list_display = ("account", "failures", "tripped_at", "is_killed", "changed_by", "changed_at")
    list_filter = ("is_killed", "tripped_at")
    search_fields = ("tripped_because", "killed_because")
    list_select_related = ("account",)
