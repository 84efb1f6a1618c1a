"""Pages of AWS accounts: the list, taking one on step by step, and what its role's validation found."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import lists, onboarding, proof, walk
from accounts.authentication import Caller, caller_of, signed_in
from accounts.aws.errors import NoIdentity
from accounts.cloud_forms import AccountsForm, EnrolForm, RoleForm, SettingsForm, listed
from accounts.domain import Environment, Role
from accounts.models import AwsAccount
from accounts.ownership import owned, owned_or_404
from accounts.role_template import NoInstallation, TemplateFormat, expected_role_arn, role_template

VALIDATION_SECONDS = 25  # below the 30 after which servers in front of us give up
COLUMNS = (
    *("name", "account_id", "environment", "regions", "read_role_arn"),
    *("is_active", "is_valid", "validated_at", "synced_at"),
)


@require_GET
@signed_in()
def accounts(request: HttpRequest) -> HttpResponseBase:
    """All accounts of the organization; filters, order and page stand in the address."""
    form = AccountsForm(request.GET)
    rows = listed(owned(AwsAccount, caller_of(request)), form.wanted)
    if lists.wants_sheet(request):
        return lists.sheet(request, rows, form, name="accounts", columns=COLUMNS, row=_row)
    page = lists.by_number(rows.defer("validation"), form, "accounts")
    context = {"section": "accounts", "may_manage": _may_manage(caller_of(request)), **lists.context(form, page)}
    return render(request, "accounts/accounts.html" + ("#rows" if lists.wants_part(request) else ""), context)


@require_http_methods(["GET", "POST"])
@signed_in(Role.ADMIN)
def enrol(request: HttpRequest) -> HttpResponse:
    """Step one: name the account and the access; its row is made, so that the walk can be left from here on."""
    caller = caller_of(request)
    form = EnrolForm(request.POST or None, role=caller.role)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            account = onboarding.enrol(
                caller,
                account_id=said["account_id"],
                name=said["name"],
                regions=said["regions"],
                environment=Environment(said["environment"]),
            )
        except onboarding.AlreadyThere as there:
            messages.info(request, f"{there} Here it is.")
            return redirect("accounts:account", pk=there.account.pk)
        return redirect("accounts:role", pk=account.pk)
    return render(request, "accounts/enrol.html", {"section": "accounts", "form": form})


@require_GET
@signed_in()
def account(request: HttpRequest, pk: int) -> HttpResponse:
    """How far the account is, what its validation found, what it is, and its inventory."""
    caller = caller_of(request)
    return _account_page(request, _own(caller, pk), caller)


@require_http_methods(["GET", "POST"])
@signed_in(Role.ADMIN)
def role(request: HttpRequest, pk: int) -> HttpResponse:
    """Step two: the template to deploy, and the ARN of the role that came of it."""
    caller = caller_of(request)
    found = _own(caller, pk)
    form = RoleForm(
        request.POST or None,
        account=found,
        initial={"read_role_arn": found.read_role_arn or expected_role_arn(found)},
    )
    if request.method == "POST" and form.is_valid():
        onboarding.change(found, form.cleaned_data, by=caller)
        return redirect("accounts:account", pk=found.pk)
    try:
        templates = [(kind.value, role_template(found, kind)) for kind in TemplateFormat]
        refusal = ""
    except NoInstallation as error:
        templates, refusal = [], str(error)
    context = {
        "section": "accounts",
        "account": found,
        "steps": walk.steps(found),
        "form": form,
        "templates": templates,
        "refusal": refusal,
    }
    return render(request, "accounts/role.html", context)


@require_GET
@signed_in(Role.ADMIN)
def template(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """The template as a file."""
    found = _own(caller_of(request), pk)
    try:
        wanted = TemplateFormat(form)
        text = role_template(found, wanted)
    except (ValueError, NoInstallation) as error:
        raise Http404 from error
    named = {"Content-Disposition": f'attachment; filename="{wanted.file_name}"'}
    return HttpResponse(text, content_type=f"{wanted.media_type}; charset=utf-8", headers=named)


@require_POST
@signed_in(Role.ADMIN)
def validate(request: HttpRequest, pk: int) -> HttpResponse:
    """Step three: try the role, which takes some seconds; answer with what was found."""
    caller = caller_of(request)
    found = _own(caller, pk)
    refusal = "" if found.is_active else "The account is out of use: bring it back first."
    try:
        if not refusal:
            onboarding.validate(found, by=caller, now=timezone.now(), seconds=VALIDATION_SECONDS)
    except (NoIdentity, onboarding.TookTooLong, onboarding.ChangedMeanwhile) as error:
        refusal = str(error)
    if lists.wants_part(request) or refusal:
        return _account_page(request, found, caller, refusal)
    return redirect("accounts:account", pk=found.pk)


@require_http_methods(["GET", "POST"])
@signed_in(Role.ADMIN)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Name and regions; other regions are to be validated again."""
    caller = caller_of(request)
    found = _own(caller, pk)
    form = SettingsForm(request.POST or None, initial={"name": found.name, "regions": found.regions})
    if request.method == "POST" and form.is_valid():
        onboarding.change(found, form.cleaned_data, by=caller)
        return redirect("accounts:account", pk=found.pk)
    return render(request, "accounts/change.html", {"section": "accounts", "account": found, "form": form})


@require_POST
@signed_in(Role.OWNER)
def environment(request: HttpRequest, pk: int) -> HttpResponse:
    """PROD or LAB, for owners to say."""
    found = _own(caller_of(request), pk)
    try:
        wanted = Environment(request.POST.get("environment", ""))
    except ValueError as error:
        raise Http404 from error
    onboarding.change(found, {"environment": wanted.value}, by=caller_of(request))
    return redirect("accounts:account", pk=found.pk)


@require_POST
@signed_in(Role.ADMIN)
def use(request: HttpRequest, pk: int) -> HttpResponse:
    """Take it out of use, or bring it back; nothing of it is removed."""
    found = _own(caller_of(request), pk)
    onboarding.change(found, {"is_active": request.POST.get("is_active") == "true"}, by=caller_of(request))
    return redirect("accounts:account", pk=found.pk)


def _account_page(request: HttpRequest, found: AwsAccount, caller: Caller, refusal: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "section": "accounts",
        "account": found,
        "steps": walk.steps(found),
        "is_over": walk.is_over(found),
        "checks": proof.checks(found.validation),
        "refusal": refusal,
        "unpriced": [region for region in found.regions if region not in settings.MARKET_REGIONS],
        "may_manage": _may_manage(caller),
        "is_owner": caller.role is Role.OWNER,
        "other_environment": next(e.value for e in Environment if e.value != found.environment),
    }
    return render(request, "accounts/account.html" + ("#account" if lists.wants_part(request) else ""), context)


def _own(caller: Caller, pk: int) -> AwsAccount:
    return owned_or_404(AwsAccount.objects.select_related("organization"), caller, pk=pk)


def _may_manage(caller: Caller) -> bool:
    return caller.role is not None and caller.role.includes(Role.ADMIN)


def _row(account: AwsAccount) -> dict[str, Any]:
    return {**{name: getattr(account, name) for name in COLUMNS}, "regions": " ".join(account.regions)}
