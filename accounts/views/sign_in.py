"""How does a person come in, leave, and move between their organizations?"""

from __future__ import annotations

from typing import Any

import redis
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts import audit, reach, sessions
from accounts.authentication import person
from accounts.models import User
from accounts.staff_site import is_from_here
from accounts.throttling import wait_to_sign_in


class SignInForm(auth_forms.AuthenticationForm):
    """Name and password. Tries are counted by name and by address before the password is looked at."""

    def clean(self) -> dict[str, Any]:
        assert self.request is not None
        try:
            wait = wait_to_sign_in(self.request, str(self.cleaned_data.get("username", "")))
        except redis.RedisError as error:  # uncounted tries would be a way around the limit
            raise ValidationError("Signing in is not possible now: Redis is down.", code="redis") from error
        if wait:
            raise ValidationError(f"Too many tries. Wait {round(wait) or 1} seconds.", code="throttled")
        return super().clean()


class SignIn(auth_views.LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        """Staff who belong to no organization have no page but the admin."""
        belongs = sessions.active(self.request) is not None
        return (
            reverse("admin:index") if self.request.user.is_staff and not belongs else super().get_default_redirect_url()
        )

    def form_valid(self, form: auth_forms.AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        caller = person(self.request)
        if caller:
            audit.record(caller, "person.signed_in", form.get_user())
        return response

    def form_invalid(self, form: auth_forms.AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        codes = {error.code for error in form.non_field_errors().as_data()}
        response.status_code = 503 if "redis" in codes else 429 if "throttled" in codes else 200
        return response


class SignOut(auth_views.LogoutView):
    """POST only, so that no picture on another site signs anybody out. Pages left open hear nothing more."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        response = super().post(request, *args, **kwargs)
        if isinstance(user, User):
            reach.look_again(user)
        return response


@require_POST
@login_required
def work_in(request: HttpRequest) -> HttpResponse:
    """Choose the organization of this session among one's own."""
    if sessions.work_in(request, request.POST.get("organization", "")) is None:
        raise Http404
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back if is_ours else "/")


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's own sign-in is ours; for somebody who is in, and may not, the admin is not there."""
    if request.user.is_authenticated or not is_from_here(request):
        raise Http404
    query = request.META.get("QUERY_STRING", "")
    return redirect(reverse("accounts:sign-in") + (f"?{query}" if query else ""))
