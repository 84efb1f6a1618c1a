"""Who asks, for which organization, and what may they do? A session, a token or an Api-Key becomes one Caller."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied as PageDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts import keys, second_factor, sessions, tokens, tracing
from accounts.domain import Role, Scope
from accounts.models import ApiKey, Membership, Organization, User

if TYPE_CHECKING:  # it reads DRF's settings, which name this module
    from rest_framework.views import APIView

KEYWORD = "Api-Key"
BEARER = "Bearer"
NOWHERE = "You belong to no organization; ask an owner of yours to add you."
FACTOR_OWED = "A second factor is needed first; the page /second-factor/ asks for it."


class CallerKind(StrEnum):
    PERSON = "person"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Caller:
    """One person in one organization, or one key: all that a view may know about who asks.

    A person has a role, a key has scopes. `organization` is None for a person who belongs nowhere, and for a key of
    the platform that has named no customer.
    """

    kind: CallerKind
    actor: str
    organization: Organization | None
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()
    user: User | None = None
    api_key: ApiKey | None = None

    @property
    def is_platform(self) -> bool:
        """A key of the installation itself: it may name any customer."""
        return self.api_key is not None and self.api_key.is_platform

    @property
    def is_staff(self) -> bool:
        """A person of the platform: models, engines and the market are theirs to write."""
        return self.user is not None and self.user.is_staff

    def may(self, scope: Scope, role: Role) -> bool:
        if self.kind is CallerKind.KEY:
            return scope in self.scopes
        return self.role is not None and self.role.includes(role)

    def for_customer(self, customer_id: str | uuid.UUID) -> Caller:
        """The same caller, working for that organization. Http404 when it is not theirs to name, or is none."""
        if self.organization is not None and str(self.organization.pk) == str(customer_id).lower():
            return self
        if not self.is_platform:
            raise Http404
        try:
            organization = Organization.objects.get(pk=uuid.UUID(str(customer_id)))
        except (Organization.DoesNotExist, ValueError) as error:
            raise Http404 from error
        tracing.organization.set(str(organization.pk))
        return replace(self, organization=organization)


def caller_of(request: Request | HttpRequest) -> Caller:
    """Who asks, in an API view or a page opened by `signed_in`. NotAuthenticated when nobody is known."""
    caller = request.auth if isinstance(request, Request) else getattr(request, "caller", None)
    if not isinstance(caller, Caller):
        raise exceptions.NotAuthenticated
    return caller


def person(request: HttpRequest) -> Caller | None:
    """The signed-in person in the organization they work in; None without a session."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return None
    return member(user, sessions.active(request))


def member(user: User, membership: Membership | None) -> Caller:
    """That person in that organization; in none where there is no membership."""
    organization = membership.organization if membership else None
    tracing.organization.set(str(organization.pk) if organization else "")
    role = Role(membership.role) if membership else None
    return Caller(CallerKind.PERSON, user.get_username(), organization, role=role, user=user)


def program(key: ApiKey) -> Caller:
    """Whoever calls with that key; in no organization where it is the platform's."""
    tracing.organization.set(str(key.organization_id or ""))
    scopes = frozenset(Scope(scope) for scope in key.scopes)
    return Caller(CallerKind.KEY, f"key {key.name}", key.organization, scopes=scopes, api_key=key)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key …`. A key that is malformed, unknown, expired or revoked gets one and the same 401."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != KEYWORD.lower().encode():
            return None
        now = timezone.now()
        key = keys.find(words[1].decode("latin-1"), now=now) if len(words) == 2 else None
        if key is None:
            raise exceptions.AuthenticationFailed("This API key is not valid.")
        keys.used(key, now=now)
        caller = program(key)
        named = request.query_params.get("customer_id")
        return AnonymousUser(), caller.for_customer(named) if named else caller

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD  # what makes "nobody" a 401 and not a 403


class JwtAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`, a person's token, for the organization it names or another of theirs.

    Nothing is believed of it but who it is for: the family may have ended, the role changed, the membership gone.
    """

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != BEARER.lower().encode():
            return None
        try:
            text = words[1].decode("latin-1") if len(words) == 2 else ""
            family, claims = tokens.family_of(text, now=timezone.now())
        except tokens.Refused as error:
            raise exceptions.AuthenticationFailed(str(error)) from error
        own = list(family.user.memberships.select_related("organization").order_by("organization__name"))
        roles = [Role(membership.role) for membership in own]
        if not family.has_second_factor and second_factor.must_have(family.user, roles):
            raise exceptions.AuthenticationFailed(FACTOR_OWED)
        named = request.query_params.get("customer_id")
        wanted = (named or str(claims.get(tokens.ORGANIZATION) or "")).lower()
        membership = next((each for each in own if str(each.organization_id) == wanted), None)
        if named and membership is None:
            raise Http404
        return family.user, member(family.user, membership)

    def authenticate_header(self, request: Request) -> str:
        return BEARER


class PersonAuthentication(SessionAuthentication):
    """The dashboard's session; whatever changes something needs the CSRF token too."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        caller = person(request._request)
        if caller is None:
            return None
        self.enforce_csrf(request)
        if second_factor.is_owed(request._request):
            raise exceptions.PermissionDenied(FACTOR_OWED)
        named = request.query_params.get("customer_id")
        return caller.user, caller.for_customer(named) if named else caller


class HasCaller(BasePermission):
    """The default: whoever belongs to an organization may read. What changes something must say who may: `requires`."""

    scope = Scope.READ
    role = Role.VIEWER
    methods: tuple[str, ...] = tuple(SAFE_METHODS)

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller = caller_of(request)
        if request.method not in view.allowed_methods:
            return True  # nothing will be done: the framework answers 405
        if caller.kind is CallerKind.PERSON and caller.organization is None:
            raise exceptions.PermissionDenied(NOWHERE)
        if not caller.may(self.scope, self.role):
            needed = f"scope {self.scope}" if caller.kind is CallerKind.KEY else f"role {self.role}"
            raise exceptions.PermissionDenied(f"This needs the {needed}.")
        return request.method in self.methods


def requires(*, scope: Scope, role: Role) -> type[HasCaller]:
    """The permission of a view: keys need `scope`, people at least `role`."""
    every = (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")
    return type("Requires", (HasCaller,), {"scope": scope, "role": role, "methods": every})


class OfThePlatform(HasCaller):
    """A key with `manage`, or a person of the platform: what is written here, every organization uses."""

    scope = Scope.MANAGE
    methods = (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller = caller_of(request)
        if request.method in view.allowed_methods and caller.kind is CallerKind.PERSON:
            if not caller.is_staff:
                raise exceptions.PermissionDenied("This needs an admin of the platform.")
            return True
        return super().has_permission(request, view)


def signed_in(
    role: Role = Role.VIEWER, *, staff: bool = False
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Opens a page to people with at least `role` in the organization they work in, who is then `request.caller`.

    Anybody else is sent to sign in, a partial's whole page included; too low a role, or no organization, is a 403.
    `staff`: whoever runs the installation needs no organization for it, and then sees the platform's.
    """

    def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            caller = person(request)
            if caller is None:
                return to_sign_in(request)
            is_platforms = staff and caller.organization is None and request.user.is_staff
            if caller.organization is None and not is_platforms:
                raise PageDenied(NOWHERE)
            if not is_platforms and not caller.may(Scope.READ, role):
                raise PageDenied(f"This needs the role {role}; an owner of your organization gives it.")
            request.caller = caller  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        return opened

    return guarded


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Where a page sends whoever is not signed in; a partial sends the whole page there."""
    if getattr(request, "htmx", False):
        page = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(redirect_to_login(page).url)
    return redirect_to_login(request.get_full_path())
