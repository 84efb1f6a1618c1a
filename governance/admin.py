"""What may a platform admin look at, and change, of policies, quarantines and job runs?"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.staff_site import ReadOnly, Recorded, staff
from governance import risk_manager
from governance.domain.limits import faults
from governance.domain.policy import Policy
from governance.domain.quarantine import Cause
from governance.models import ComponentRun, OptimizationPolicy, Quarantine


class PolicyForm(forms.ModelForm):
    class Meta:
        model = OptimizationPolicy
        fields = ("organization", "account", "overrides")

    def clean_overrides(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data["overrides"]
        if not isinstance(given, dict):
            raise forms.ValidationError('Give an object, such as {"min_zones": 2}.')
        wrong = faults(given)
        if wrong:
            raise forms.ValidationError(list(wrong.values()))
        return given

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        account, organization = cleaned.get("account"), cleaned.get("organization")
        if account and organization and account.organization_id != organization.pk:
            raise forms.ValidationError({"account": f"{account} is not an account of {organization}."})
        return cleaned


@admin.register(OptimizationPolicy)
class OptimizationPolicyAdmin(Recorded):
    form = PolicyForm
    list_display = ("organization", "account", "overrides", "changed_at", "changed_by")
    list_filter = ("organization",)
    search_fields = ("organization__name", "account__name", "account__account_id")
    autocomplete_fields = ("organization", "account")
    list_select_related = ("organization", "account", "changed_by")

    def save_model(self, request: HttpRequest, obj: OptimizationPolicy, form: Any, change: bool) -> None:
        before = OptimizationPolicy.objects.filter(pk=obj.pk).values_list("overrides", flat=True).first()
        obj.changed_by = request.user  # type: ignore[assignment]
        obj.version += 1 if change else 0
        obj.save()
        self.record(request, "policy.changed", obj, obj.overrides, before=before)


class QuarantineForm(forms.ModelForm):
    class Meta:
        model = Quarantine
        fields = ("instance_type", "zone_id", "reason")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        try:
            risk_manager.check_place(cleaned.get("instance_type", ""), cleaned.get("zone_id", ""))
        except ValueError as wrong:
            raise forms.ValidationError(str(wrong)) from wrong
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """A pool that is closed already is no error: it is extended."""
        return {*super()._get_validation_exclusions(), "instance_type"}  # type: ignore[misc]


@admin.register(Quarantine)
class QuarantineAdmin(admin.ModelAdmin):
    """Closed by hand for as long as an interruption closes a pool; opened early by the action. Never edited."""

    form = QuarantineForm
    list_display = ("instance_type", "zone_id", "began_at", "expires_at", "reason")
    list_filter = ("expires_at",)
    search_fields = ("instance_type", "zone_id", "reason")
    actions = ("release",)

    def has_change_permission(self, request: HttpRequest, obj: Quarantine | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Quarantine | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Quarantine, form: Any, change: bool) -> None:
        row = risk_manager.quarantine(
            obj.instance_type,
            obj.zone_id,
            cause=Cause.PERSON,
            event_at=timezone.now(),
            policy=Policy(),
            by=staff(request),
            reason=obj.reason,
        )
        obj.pk, obj.expires_at = row.pk, row.expires_at

    @admin.action(description="Release the selected pools now", permissions=["add"])
    def release(self, request: HttpRequest, queryset: QuerySet[Quarantine]) -> None:
        for row in queryset:
            risk_manager.release(row, by=staff(request), now=timezone.now(), reason="released in the admin")
        self.message_user(request, "The selected pools are open again.", messages.SUCCESS)


@admin.register(ComponentRun)
class ComponentRunAdmin(ReadOnly):
    list_display = ("component", "task", "subject", "started_at", "ended_at", "is_success")
    list_filter = ("component", "is_success", "started_at")
    search_fields = ("task", "subject", "detail")
