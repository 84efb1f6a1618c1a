"""The page that asks for a second factor: to enrol one, to prove it in this session, to renew or remove it."""

from __future__ import annotations

from typing import Any

import redis
from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import audit, second_factor, sessions
from accounts.authentication import person, to_sign_in
from accounts.domain import Role
from accounts.models import RecoveryCode, User
from accounts.throttling import wait_for

PAGE = "accounts/second_factor.html"
WRONG = "This code is not valid. Codes change every 30 seconds and work once; is the clock of your device right?"


class CodeForm(forms.Form):
    """A code, counted by person before it is looked at."""

    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None, *, who: User) -> None:
        super().__init__(data)
        self._who = who

    def clean_code(self) -> str:
        try:
            wait = wait_for("second-factor", f"person:{self._who.pk}")
        except redis.RedisError as error:  # uncounted tries would be a way around the limit
            raise ValidationError("Codes cannot be taken now: Redis is down.", code="redis") from error
        if wait:
            raise ValidationError(f"Too many tries. Wait {round(wait) or 1} seconds.", code="throttled")
        code: str = self.cleaned_data["code"].replace(" ", "")
        return code


@never_cache
@require_http_methods(["GET", "POST"])
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Whoever has none enrols; whoever has one proves it; whoever has proved it may renew or remove it."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return to_sign_in(request)
    form = CodeForm(request.POST if request.method == "POST" else None, who=user)
    if second_factor.device_of(user) is None:
        return _enrol(request, user, form)
    if not second_factor.is_proved(user, request.session):
        return _prove(request, user, form)
    return _change(request, user, form)


def _enrol(request: HttpRequest, user: User, form: CodeForm) -> HttpResponse:
    if form.is_bound and form.is_valid():
        codes = second_factor.enrol(user, form.cleaned_data["code"], now=timezone.now())
        if codes is not None:
            second_factor.remember(request, user)
            _record(request, user, "second_factor.enrolled")
            return _show(request, user, state="codes", codes=codes)
        form.add_error("code", WRONG)
    device = second_factor.offered(user)
    side, path = second_factor.picture_of(device.config_url)
    shown = {"side": side, "path": path, "secret": second_factor.secret_of(device)}
    return _show(request, user, form, state="enrol", **shown)


def _prove(request: HttpRequest, user: User, form: CodeForm) -> HttpResponse:
    if form.is_bound and form.is_valid():
        code = form.cleaned_data["code"]
        if second_factor.proves(user, code, now=timezone.now()):
            second_factor.remember(request, user)
            deed = "second_factor.proved" if code.isdecimal() else "second_factor.recovery_code_used"
            _record(request, user, deed)
            return HttpResponseRedirect(_next(request))
        form.add_error("code", WRONG)
    return _show(request, user, form, state="prove")


def _change(request: HttpRequest, user: User, form: CodeForm) -> HttpResponse:
    if form.is_bound and form.is_valid():
        if second_factor.proves(user, form.cleaned_data["code"], now=timezone.now()):
            if request.POST.get("deed") == "remove":
                second_factor.remove(user, now=timezone.now())
                _record(request, user, "second_factor.removed")
                messages.success(request, "The authenticator is removed.")
                return redirect("accounts:second-factor")
            codes = second_factor.renew_codes(user)
            _record(request, user, "second_factor.codes_renewed")
            return _show(request, user, state="codes", codes=codes)
        form.add_error("code", WRONG)
    left = RecoveryCode.objects.filter(user=user, used_at=None).count()
    return _show(request, user, form, state="on", codes_left=left)


def _record(request: HttpRequest, user: User, deed: str) -> None:
    audit.record(person(request) or user.get_username(), deed, user)


def _show(request: HttpRequest, user: User, form: CodeForm | None = None, **shown: Any) -> HttpResponse:
    roles = [Role(membership.role) for membership in sessions.memberships(request)]
    codes = {error.code for errors in form.errors.as_data().values() for error in errors} if form else set()
    status = 503 if "redis" in codes else 429 if "throttled" in codes else 200
    must = second_factor.must_have(user, roles)
    context = {"section": "second-factor", "form": form, "next": _next(request), "must_have": must, **shown}
    return render(request, PAGE, context, status=status)


def _next(request: HttpRequest) -> str:
    """Where they wanted to go; the first page unless that is one of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else "/"
