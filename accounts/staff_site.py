"""Who comes into the admin, from where and for how long, and what is written down of it? What its pages share.

The admin crosses tenants. Whoever opens it says why; each list and row of a tenant's that they then look at is an
entry in the audit log with that reason, in the organization's own chain where the row has one.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, cast

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import audit
from accounts.authentication import Caller, CallerKind
from accounts.domain import PLATFORM, SHARED
from accounts.models import Organization, User
from accounts.ownership import Undeclared, path_of

SECRET = {"password", "digest", "external_id"}  # never copied into the audit log
SEEN, REASON = "admin_seen_at", "admin_reason"  # the session's keys
SEEN_GRAIN = 60  # s
SHORTEST_REASON = 8


def staff(request: HttpRequest) -> Caller:
    """Whoever works in the admin acts for the installation, in no organization."""
    user = request.user
    assert isinstance(user, User)  # the admin lets nobody else in
    return Caller(CallerKind.PERSON, user.get_username(), None, user=user)


# --- The door -----------------------------------------------------------------------------------------------------
def is_from_here(request: HttpRequest) -> bool:
    """Whether the admin is there for this address at all (ADMIN_NETWORKS)."""
    if not settings.ADMIN_NETWORKS:
        return True
    try:
        address = ip_address(BaseThrottle().get_ident(cast(Request, request)) or "")
    except ValueError:
        return False
    return any(address in network for network in settings.ADMIN_NETWORKS)


def remember_coming_in(request: HttpRequest, **_: Any) -> None:
    """The admin's half hour begins when somebody signs in."""
    request.session[SEEN] = timezone.now().timestamp()


user_logged_in.connect(remember_coming_in, dispatch_uid="admin session")


def _idle(request: HttpRequest) -> float:
    return float(timezone.now().timestamp() - request.session.get(SEEN, 0))


def _is_over(request: HttpRequest) -> bool:
    return _idle(request) > settings.ADMIN_SESSION_MINUTES * 60


def _remember(request: HttpRequest) -> None:
    """One write a minute, not one a request."""
    if _idle(request) >= SEEN_GRAIN:
        request.session[SEEN] = timezone.now().timestamp()


class ReasonForm(forms.Form):
    reason = forms.CharField(
        min_length=SHORTEST_REASON,
        max_length=200,
        label="Why do you look?",
        help_text="A ticket, an incident, a customer's question. It is written into the audit log of whom you look at.",
        widget=forms.TextInput(attrs={"class": "vTextField", "autofocus": True}),
    )


class StaffSite(admin.AdminSite):
    """Django's admin behind a door of ours."""

    site_header = site_title = "spotopt administration"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        inner = super().admin_view(view, cacheable)

        def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not is_from_here(request):
                raise Http404
            if not self.has_permission(request):
                return inner(request, *args, **kwargs)
            if _is_over(request):
                logout(request)
                return redirect_to_login(request.get_full_path())
            _remember(request)
            model = _tenants_model(request)
            if model is None:
                return inner(request, *args, **kwargs)
            if not request.session.get(REASON):
                return redirect(reverse("admin:reason") + "?" + urlencode({"next": request.get_full_path()}))
            owners = _owners(model, kwargs.get("object_id") or kwargs.get("id"))  # before the view deletes the row
            response = inner(request, *args, **kwargs)
            if response.status_code == 200:
                _write_down(request, model, owners, kwargs.get("object_id") or kwargs.get("id"))
            return response

        return opened

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own = path("reason/", self.admin_view(self.reason), name="reason")
        return [own, *super().get_urls()]

    def reason(self, request: HttpRequest) -> HttpResponse:
        """Ask why, once a session; whoever turns to another case says so here."""
        form = ReasonForm(request.POST or None, initial={"reason": request.session.get(REASON, "")})
        back = request.GET.get("next", "")
        if request.method == "POST" and form.is_valid():
            request.session[REASON] = form.cleaned_data["reason"]
            is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
            return HttpResponseRedirect(back if is_ours else reverse("admin:index"))
        context = {**self.each_context(request), "title": "Why do you look?", "form": form}
        return TemplateResponse(request, "admin/reason.html", context)


def _tenants_model(request: HttpRequest) -> type[Model] | None:
    """The model whose rows this address shows, where they are a tenant's."""
    match = request.resolver_match
    if match is None:
        return None
    if match.url_name == "autocomplete":
        label, name = request.GET.get("app_label", ""), request.GET.get("model_name", "")
    else:
        label, name, *_ = [*match.route.removeprefix(settings.ADMIN_PATH).split("/"), "", ""]
    try:
        model = apps.get_model(label, name)
        return model if path_of(model) not in (SHARED, PLATFORM) else None
    except (LookupError, ValueError, Undeclared):
        return None


def _owners(model: type[Model], pk: Any) -> list[Organization]:
    """Whose the row is; nobody's when it is absent, or a list is asked for."""
    if pk is None:
        return []
    try:
        ids = model._base_manager.filter(pk=model._meta.pk.to_python(pk)).values_list(path_of(model), flat=True)
        return list(Organization.objects.filter(pk__in=[each for each in ids if each]))
    except (ObjectDoesNotExist, ValueError, forms.ValidationError):
        return []


def _write_down(request: HttpRequest, model: type[Model], owners: list[Organization], pk: Any) -> None:
    name = str(model._meta.verbose_name).lower().replace(" ", "-")
    subject = f"{name}/{pk}"[:160] if pk else name
    what = {"asked": request.GET.dict()} if request.GET else None
    chains: list[Organization | None] = [*owners] or [None]
    for owner in chains:
        audit.record(
            staff(request), "admin.read", subject, organization=owner, after=what, reason=request.session[REASON]
        )


# --- What its pages share -----------------------------------------------------------------------------------------
class Recorded(admin.ModelAdmin):
    """Every row saved or deleted here leaves an audit entry with what changed in it."""

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        columns = {field.name for field in obj._meta.concrete_fields} - SECRET
        changed = sorted(columns.intersection(form.changed_data))
        before = self.model._base_manager.filter(pk=obj.pk).values(*changed).first() if change and changed else None
        super().save_model(request, obj, form, change)
        after = self.model._base_manager.filter(pk=obj.pk).values(*changed).first() if changed else None
        self.record(request, "admin.changed" if change else "admin.added", obj, after, before=before)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.record(request, "admin.deleted", obj, None)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.record(request, "admin.deleted", row, None)
        super().delete_queryset(request, queryset)

    def record(self, request: HttpRequest, deed: str, row: Model, after: Any, *, before: Any = None) -> None:
        owner = row if isinstance(row, Organization) else getattr(row, "organization", None)
        reason = request.session.get(REASON, "")
        audit.record(staff(request), deed, row, organization=owner, before=before, after=after, reason=reason)


class Kept(admin.ModelAdmin):
    """Rows that audit entries name are never deleted: they are switched off."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class History(admin.options.BaseModelAdmin):
    """Written by the program alone: nobody adds, changes or deletes it by hand; for pages and for lists within one."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnly(History, admin.ModelAdmin):
    """To look at: what changes these rows is said elsewhere."""

    show_full_result_count = False  # a count of a large table for each page would be the slowest part of it
