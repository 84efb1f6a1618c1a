"""What may the installation's staff see and change of accounts? It crosses tenants, so every change is recorded."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import Field, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import keys, onboarding
from accounts.aws.errors import AwsError
from accounts.domain import Scope
from accounts.models import (
    ApiKey,
    AuditEntry,
    AuditSeal,
    AwsAccount,
    FeedHead,
    FeedItem,
    IdempotencyKey,
    Invitation,
    Membership,
    Organization,
    RecoveryCode,
    TokenFamily,
    User,
)
from accounts.staff_site import History, Kept, ReadOnly, Recorded, staff


class MembershipInline(History, admin.TabularInline):
    """To look at: memberships are changed on their own page, where each change is recorded."""

    model = Membership
    extra = 0
    fields = ("user", "role")


@admin.register(Organization)
class OrganizationAdmin(Kept, Recorded):
    list_display = ("name", "id", "created_at")
    search_fields = ("name", "id")
    readonly_fields = ("id", "created_at")
    inlines = (MembershipInline,)


@admin.register(User)
class PersonAdmin(Kept, Recorded, UserAdmin):
    list_display = ("username", "email", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "memberships__organization")
    add_fieldsets = ((None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response = super().user_change_password(request, id, form_url)
        person = User.objects.filter(pk=id).first()
        if person and request.method == "POST" and response.status_code == 302:
            self.record(request, "person.password_set", person, None)
        return response


@admin.register(Membership)
class MembershipAdmin(Recorded):
    list_display = ("user", "organization", "role", "created_at")
    list_filter = ("role", "organization")
    search_fields = ("user__username", "user__email", "organization__name")
    autocomplete_fields = ("user", "organization")
    list_select_related = ("user", "organization")


@admin.register(ApiKey)
class ApiKeyAdmin(Kept, Recorded):
    """The digest is shown nowhere; the key itself once, when it is made."""

    list_display = ("name", "prefix", "organization", "scopes", "expires_at", "revoked_at", "last_used_at")
    list_filter = ("organization",)
    search_fields = ("name", "prefix")
    fields = ("organization", "name", "scopes", "expires_at", "prefix", "created_by", "last_used_at", "revoked_at")
    readonly_fields = ("prefix", "created_by", "last_used_at", "revoked_at")
    autocomplete_fields = ("organization",)
    list_select_related = ("organization",)
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "organization", "scopes") if obj else tuple(self.readonly_fields)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "scopes":
            choices = [(scope.value, scope.value) for scope in Scope]
            return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool) -> None:
        if not change:
            text = keys.cut(obj)
            obj.created_by = staff(request).user
            self.message_user(request, f"The key, shown this once: {text}", messages.WARNING)
        super().save_model(request, obj, form, change)

    @admin.action(description="Revoke the chosen keys, for good", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.filter(revoked_at=None):
            keys.revoke(key, now=timezone.now())
            self.record(request, "key.revoked", key, None)


@admin.register(AwsAccount)
class AwsAccountAdmin(Kept, Recorded):
    list_display = ("name", "account_id", "organization", "environment", "is_active", "is_valid", "validated_at")
    list_filter = ("environment", "is_active", "is_valid", "organization")
    search_fields = ("name", "account_id")
    readonly_fields = ("external_id", "created_at", "is_valid", "validated_at", "validation", "synced_at")
    autocomplete_fields = ("organization",)
    list_select_related = ("organization",)
    actions = ("validate",)

    def get_readonly_fields(self, request: HttpRequest, obj: AwsAccount | None = None) -> tuple[str, ...]:
        # whose account it is was proven with its ExternalId; another owner or id is another row
        return (*self.readonly_fields, "organization", "account_id") if obj else tuple(self.readonly_fields)

    @admin.action(description="Validate the chosen accounts' roles", permissions=["change"])
    def validate(self, request: HttpRequest, queryset: QuerySet[AwsAccount]) -> None:
        for account in queryset:
            try:
                found = onboarding.validate(account, by=staff(request), now=timezone.now())
            except (AwsError, ValueError) as error:
                self.message_user(request, f"{account}: {error}", messages.ERROR)
                continue
            said = "valid" if found.ok else "; ".join(found.problems)
            self.message_user(request, f"{account}: {said}", messages.SUCCESS if found.ok else messages.ERROR)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "organization", "actor", "deed", "subject", "request_id")
    list_filter = ("deed", "organization")
    search_fields = ("actor", "deed", "subject", "request_id")
    date_hierarchy = "at"
    list_select_related = ("organization",)
    show_full_result_count = False


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnly):
    list_display = ("at", "organization", "sequence", "entry_id", "seal")
    list_filter = ("organization",)
    search_fields = ("seal", "entry__subject")
    list_select_related = ("organization",)
    show_full_result_count = False


@admin.register(FeedItem)
class FeedItemAdmin(ReadOnly):
    list_display = ("at", "organization", "number", "kind")
    list_filter = ("kind", "organization")
    search_fields = ("kind", "organization__name")
    list_select_related = ("organization",)
    show_full_result_count = False


@admin.register(FeedHead)
class FeedHeadAdmin(ReadOnly):
    list_display = ("organization", "last")
    list_filter = ("organization",)
    search_fields = ("organization__name",)
    list_select_related = ("organization",)


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    """Owners invite and withdraw, on their page. The digest is shown nowhere."""

    list_display = ("email", "organization", "role", "expires_at", "accepted_at", "withdrawn_at")
    list_filter = ("role", "organization")
    search_fields = ("email", "organization__name")
    list_select_related = ("organization",)
    exclude = ("digest",)


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnly):
    """Which programs are signed in for whom; `was_reused` says that a token had been copied."""

    list_display = ("user", "organization", "created_at", "refreshed_at", "expires_at", "revoked_at", "was_reused")
    list_filter = ("was_reused", "organization")
    search_fields = ("user__username", "organization__name")
    list_select_related = ("user", "organization")
    exclude = ("jti",)


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(ReadOnly):
    list_display = ("user", "created_at", "used_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    search_fields = ("user__username",)
    list_select_related = ("user",)
    exclude = ("digest",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnly):
    """Which POST was answered once for all; the answer itself is its caller's."""

    list_display = ("began_at", "organization", "key", "status", "lease_until", "ended_at", "expires_at")
    list_filter = ("status", "organization")
    search_fields = ("key", "fingerprint")
    list_select_related = ("organization",)
    exclude = ("headers", "body")


admin.site.unregister(TOTPDevice)  # django-otp's own would let staff write a secret into somebody's device


@admin.register(TOTPDevice)
class AuthenticatorAdmin(Recorded, ReadOnly):
    """Deleting one frees a person who lost both their authenticator and their codes; they enrol anew."""

    list_display = ("user", "confirmed", "created_at", "last_used_at", "throttling_failure_count")
    list_filter = ("confirmed",)
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)
    fields = ("user", "confirmed", "created_at", "last_used_at", "throttling_failure_count")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)
