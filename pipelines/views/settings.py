"""What people say about an instance, on its page: a part that is kept and shown again by itself."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.authentication import Caller, caller_of, signed_in
from accounts.domain import Role
from accounts.ownership import owned_or_404
from instances.domain.instance_settings import STATEMENT
from instances.models import Instance
from mlregistry import assigning
from mlregistry.models import ModelVersion
from pipelines import instance_settings
from pipelines.instance_settings import STAYS, ChangedMeanwhile, Invalid, NotAssignable
from pipelines.settings_form import SettingsForm

STATEMENTS_SHOWN = 10
ADMINS_ONLY = "Settings are for admins and owners of the organization to change."


@require_http_methods(["GET", "POST"])
@signed_in()
def settings(request: HttpRequest, pk: int) -> HttpResponse:
    """The part, loaded by the instance's page; what is sent is kept, or refused beside its field."""
    caller = caller_of(request)
    if request.method == "POST" and not _may_change(caller):
        raise PermissionDenied(ADMINS_ONLY)
    rows = Instance.objects.select_related("account", "group").defer("facts", "group__facts")
    found = owned_or_404(rows, caller, pk=pk)
    held = assigning.assigned_model(found)
    form = SettingsForm(request.POST or None, instance=found, held=held)
    told = ""
    if request.method == "POST":
        told = _keep(form, found, caller)
        if not told and form.is_valid():
            if not request.htmx:  # type: ignore[attr-defined]
                return redirect("pipelines:instance", pk=pk)
            found = owned_or_404(rows, caller, pk=pk)
            held = assigning.assigned_model(found)
            form = SettingsForm(None, instance=found, held=held)
            told = "kept"
    htmx = request.htmx  # type: ignore[attr-defined]
    part = "#settings" if htmx and not htmx.history_restore_request else ""
    return render(request, "pipelines/settings.html" + part, _context(found, held, form, caller, told))


def _keep(form: SettingsForm, instance: Instance, caller: Caller) -> str:
    """Do it; what stands in the way as a whole, or empty: then it is done, or the form has the faults."""
    if instance.vanished_at:
        return "The last inventory no longer saw this instance."
    if not form.is_valid():
        return ""
    wanted = dict(form.cleaned_data)
    seen = wanted.pop("settings_version")
    try:
        instance_settings.change(instance, wanted, seen=seen, by=caller, now=timezone.now())
    except Invalid as error:
        form.refuse(error.faults)
    except NotAssignable as error:
        form.refuse({"assigned_model": str(error)})
    except ChangedMeanwhile as error:
        who, at = error.state["changed_by"], error.state["changed_at"]
        return f"{who} changed these settings at {at:%Y-%m-%d %H:%M} UTC, after you had opened them: load them again."
    return ""


def _context(
    instance: Instance, held: ModelVersion | None, form: SettingsForm, caller: Caller, told: str
) -> dict[str, Any]:
    return {
        "section": "console",
        "instance": instance,
        "form": form,
        "held": held,
        "statement": STATEMENT,
        "statements": instance_settings.statements(instance)[:STATEMENTS_SHOWN],
        "why_shadow": STAYS,
        "may_change": _may_change(caller) and not instance.vanished_at,
        "is_kept": told == "kept",
        "refusal": "" if told == "kept" else told,
        "n_limits": len(instance.policy_overrides),
    }


def _may_change(caller: Caller) -> bool:
    return caller.role is not None and caller.role.includes(Role.ADMIN)
