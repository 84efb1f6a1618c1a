"""What may a platform admin look at of models and what they expect, and which model may they make count?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.staff_site import ReadOnly, staff
from mlregistry import registry
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.models import (
    Assignment,
    FeatureStatistics,
    ModelFile,
    ModelStatus,
    ModelVersion,
    PoolScore,
    Prediction,
    RegionScoring,
)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    """Models come by upload or command; here one is graduated, rejected, or made the one that counts."""

    list_display = (
        "name",
        "version",
        "model_type",
        "status",
        "is_active",
        "trained_until",
        "uploaded_at",
        "deleted_at",
    )
    list_filter = ("model_type", "status", "is_active", "is_experimental", ("deleted_at", EmptyFieldListFilter))
    search_fields = ("name", "version", "file__sha256", "metadata_sha256")
    list_select_related = ("uploaded_by",)
    actions = ("activate", "graduate", "reject")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mlregistry.change_modelversion")

    @admin.action(description="Activate, after a trial against the stored sample", permissions=["decide"])
    def activate(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        if queryset.count() != 1:
            self.message_user(request, "Select the one model that is to count.", messages.ERROR)
            return
        self._each(request, queryset, lambda row: registry.activate(row, by=staff(request), now=timezone.now()))

    @admin.action(description="Graduate: it may then be active", permissions=["decide"])
    def graduate(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        self._each(request, queryset, lambda row: registry.judge(row, ModelStatus.GRADUATED, by=staff(request)))

    @admin.action(description="Reject: it is never used", permissions=["decide"])
    def reject(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        self._each(request, queryset, lambda row: registry.judge(row, ModelStatus.REJECTED, by=staff(request)))

    def _each(
        self, request: HttpRequest, queryset: QuerySet[ModelVersion], deed: Callable[[ModelVersion], Any]
    ) -> None:
        for row in queryset:
            try:
                deed(row)
            except (ModelRefused, ModelVersion.DoesNotExist, *registry.REFUSALS) as refused:
                self.message_user(request, f"{row}: {refused}", messages.ERROR)
            else:
                self.message_user(request, f"{row}: done.", messages.SUCCESS)


@admin.register(Assignment)
class AssignmentAdmin(ReadOnly):
    """Organizations assign; here one sees who uses what."""

    list_display = ("organization", "model", "kind", "account", "instance", "share", "assigned_at")
    list_filter = ("kind", "organization")
    search_fields = ("model__name", "account__account_id", "instance__instance_id")
    list_select_related = ("organization", "model", "account", "instance")


@admin.register(ModelFile)
class ModelFileAdmin(ReadOnly):
    list_display = ("sha256", "size", "stored_at")
    search_fields = ("sha256",)
    list_filter = ("stored_at",)
    exclude = ("content",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelFile]:
        return super().get_queryset(request).defer("content")


@admin.register(FeatureStatistics)
class FeatureStatisticsAdmin(ReadOnly):
    list_display = ("region", "computed_at", "pools", "sha256")
    list_filter = ("region",)
    search_fields = ("sha256", "feature_hash")


@admin.register(PoolScore)
class PoolScoreAdmin(ReadOnly):
    list_display = ("pool", "interruption_probability", "safety_score", "evidence", "unknown", "scored_at")
    list_filter = ("evidence", "pool__region", "scored_at")
    search_fields = ("pool__instance_type", "pool__zone_id")
    list_select_related = ("pool",)
    readonly_fields = ("inputs", "features", "components")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PoolScore]:
        """What a score was made from is read on its own page only."""
        found = super().get_queryset(request)
        is_one = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return found if is_one else found.defer("numbers")


@admin.register(RegionScoring)
class RegionScoringAdmin(ReadOnly):
    list_display = ("region", "product", "model", "scored_at", "pools", "unknown", "took_seconds", "prices_as_of")
    list_filter = ("product",)
    search_fields = ("region",)
    list_select_related = ("model",)


@admin.register(Prediction)
class PredictionAdmin(ReadOnly):
    list_display = ("created_at", "organization", "pool", "probability", "confidence", "evidence", "latency_ms")
    list_filter = ("prediction_type", "evidence", "organization", "created_at")
    search_fields = ("pool__instance_type", "pool__zone_id")
    list_select_related = ("organization", "pool")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        found = super().get_queryset(request)
        is_one = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return found if is_one else found.defer("inputs", "output")
