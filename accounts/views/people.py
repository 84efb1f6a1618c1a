"""The page of an organization's people: who belongs to it, with which role; inviting, changing, removing; accepting."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import BaseUserCreationForm
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import listing, lists, people, sessions
from accounts.authentication import caller_of, signed_in
from accounts.domain import Role
from accounts.listing import PeopleForm
from accounts.models import Invitation, Membership, User
from accounts.ownership import owned, owned_or_404

ROLES = [
    (Role.VIEWER.value, "viewer: may read"),
    (Role.OPERATOR.value, "operator: may evaluate and act"),
    (Role.ADMIN.value, "admin: accounts, policies, keys"),
    (Role.OWNER.value, "owner: people too"),
]
LAST_OWNER = "An organization keeps at least one owner. Make somebody else an owner first."
MOST_INVITATIONS = 100  # open at once and shown, the newest first
BACKEND = "django.contrib.auth.backends.ModelBackend"


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField(label="Role", choices=ROLES)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLES)


class NewPersonForm(BaseUserCreationForm):
    class Meta:
        model = User
        fields = ("username", "email")


@never_cache
@require_http_methods(["GET", "POST"])
@signed_in(Role.OWNER)
def people_page(request: HttpRequest) -> HttpResponseBase:
    """Members and open invitations; a POST invites, and shows the link, this once."""
    caller = caller_of(request)
    form = InvitationForm(request.POST if request.method == "POST" else None)
    made, link = None, ""
    if form.is_bound and form.is_valid():
        assert caller.organization is not None
        role = Role(form.cleaned_data["role"])
        made, text = people.invite(caller.organization, form.cleaned_data["email"], role, by=caller, now=timezone.now())
        link = request.build_absolute_uri(reverse("accounts:invitation", args=[text]))
    wanted = PeopleForm(request.GET)
    rows = listing.people(owned(Membership, caller), wanted.wanted)
    if lists.wants_sheet(request):
        columns, row = listing.PEOPLE_COLUMNS, listing.person_row
        return lists.sheet(request, rows, wanted, name="people", columns=columns, row=row)
    invitations = owned(Invitation.objects.open(at=timezone.now()), caller).select_related("invited_by")
    context = {
        **lists.context(wanted, lists.by_number(rows, wanted, "members")),
        "section": "people",
        "list": wanted,
        "form": InvitationForm() if made else form,
        "made": made,
        "link": link,
        "invitations": invitations[:MOST_INVITATIONS],
        "roles": ROLES,
    }
    return render(request, "accounts/people.html" + ("#rows" if lists.wants_part(request) else ""), context)


@require_POST
@signed_in(Role.OWNER)
def change_role(request: HttpRequest, pk: int) -> HttpResponse:
    caller = caller_of(request)
    membership = owned_or_404(Membership, caller, pk=pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such role.")
        return redirect("accounts:people")
    try:
        people.change_role(membership, Role(form.cleaned_data["role"]), by=caller)
        messages.success(request, f"{membership.user.get_username()} is {form.cleaned_data['role']} now.")
    except people.LastOwner:
        messages.error(request, LAST_OWNER)
    except Membership.DoesNotExist as error:
        raise Http404 from error
    # whoever has just stopped being an owner may not see that page
    is_own = membership.user_id == (caller.user.pk if caller.user else None)
    return redirect("/" if is_own else "accounts:people")


@require_POST
@signed_in(Role.OWNER)
def remove_person(request: HttpRequest, pk: int) -> HttpResponse:
    caller = caller_of(request)
    membership = owned_or_404(Membership, caller, pk=pk)
    try:
        people.remove(membership, by=caller)
        messages.success(request, f"{membership.user.get_username()} no longer belongs to {caller.organization}.")
    except people.LastOwner:
        messages.error(request, LAST_OWNER)
    except Membership.DoesNotExist as error:
        raise Http404 from error
    is_own = membership.user_id == (caller.user.pk if caller.user else None)
    return redirect("/" if is_own else "accounts:people")


@require_POST
@signed_in(Role.OWNER)
def withdraw_invitation(request: HttpRequest, pk: int) -> HttpResponse:
    caller = caller_of(request)
    invitation = owned_or_404(Invitation, caller, pk=pk)
    try:
        people.withdraw(invitation, by=caller, now=timezone.now())
        messages.success(request, f"The invitation of {invitation.email} is withdrawn.")
    except people.NotOpen:
        messages.error(request, "That invitation was accepted or withdrawn before.")
    return redirect("accounts:people")


@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, text: str) -> HttpResponse:
    """Accept an invitation: as the person who is signed in, or as a new one. A link that is worth nothing says so."""
    found = people.invitation_of(text, now=timezone.now())
    if found is None:
        return render(request, "accounts/invitation.html", {"invitation": None}, status=404)
    user = request.user if isinstance(request.user, User) else None
    form = None if user else NewPersonForm(request.POST or None, initial={"email": found.email})
    if request.method == "POST" and (form is None or form.is_valid()):
        return _accepted(request, found, user, form)
    return render(request, "accounts/invitation.html", {"invitation": found, "form": form})


def _accepted(request: HttpRequest, found: Invitation, user: User | None, form: Any) -> HttpResponse:
    try:
        with transaction.atomic():
            member = user or form.save()
            people.accept(found, member, now=timezone.now())
    except people.NotOpen:
        return render(request, "accounts/invitation.html", {"invitation": None}, status=404)
    if user is None:
        login(request, member, backend=BACKEND)
    request.session[sessions.CHOSEN] = str(found.organization_id)
    messages.success(request, f"You belong to {found.organization} now.")
    return redirect("/")
