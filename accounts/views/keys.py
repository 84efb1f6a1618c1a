"""The page of an organization's API keys: which are there, making one, revoking one."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, keys, listing, lists
from accounts.authentication import Caller, caller_of, signed_in
from accounts.domain import GRANTED, Role, Scope
from accounts.listing import KeysForm
from accounts.models import ApiKey
from accounts.ownership import owned, owned_or_404

MEANINGS = {
    Scope.READ: "see what people with the role viewer see",
    Scope.PREDICT: "ask the model",
    Scope.DECIDE: "evaluate instances, ask for decisions",
    Scope.FEEDBACK: "report interruptions and outcomes",
    Scope.EXECUTE: "carry out what was decided",
}
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "Until it is revoked")]


class KeyForm(forms.Form):
    name = forms.CharField(label="What it is for", max_length=120)
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope.value, f"{scope.value}: {MEANINGS[scope]}") for scope in GRANTED],
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.ChoiceField(label="Expires after", choices=LIFETIMES, initial="90", required=False)


@never_cache
@require_http_methods(["GET", "POST"])
@signed_in(Role.ADMIN)
def keys_page(request: HttpRequest) -> HttpResponseBase:
    """All keys of the organization, the newest first; a POST makes one and shows it, this once."""
    caller, now, wanted = caller_of(request), timezone.now(), KeysForm(request.GET)
    form = KeyForm(request.POST if request.method == "POST" else None)
    made, text = _made(caller, form, now=now) if form.is_bound and form.is_valid() else (None, "")
    rows = listing.keys(owned(ApiKey, caller), wanted.wanted, now=now)
    if lists.wants_sheet(request):
        row = functools.partial(listing.key_row, now=now)
        return lists.sheet(request, rows, wanted, name="keys", columns=listing.KEY_COLUMNS, row=row)
    context = {
        **lists.context(wanted, lists.by_number(rows, wanted, "keys")),
        "section": "keys",
        "list": wanted,
        "form": KeyForm() if made else form,
        "made": made,
        "text": text,
        "now": now,
    }
    return render(request, "accounts/keys.html" + ("#rows" if lists.wants_part(request) else ""), context)


@require_POST
@signed_in(Role.ADMIN)
def revoke_key(request: HttpRequest, pk: int) -> HttpResponse:
    """From now on the key is worth nothing; a second press changes nothing."""
    caller = caller_of(request)
    key = owned_or_404(ApiKey, caller, pk=pk)
    with transaction.atomic():
        if keys.revoke(key, now=timezone.now()):
            audit.record(caller, "key.revoked", key)
    messages.success(request, f"The key {key.name} is revoked.")
    return redirect("accounts:keys")


def _made(caller: Caller, form: KeyForm, *, now: datetime) -> tuple[ApiKey, str]:
    wanted: dict[str, Any] = form.cleaned_data
    expires_at = now + timedelta(days=int(wanted["days"])) if wanted["days"] else None
    scopes = [Scope(scope) for scope in wanted["scopes"]]
    with transaction.atomic():
        key, text = keys.issue(caller.organization, wanted["name"], scopes, by=caller.user, expires_at=expires_at)
        after = {"name": key.name, "scopes": key.scopes, "expires_at": key.expires_at}
        audit.record(caller, "key.created", key, after=after)
    return key, text
