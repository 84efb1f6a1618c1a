"""Who may open a socket, for which organization, and may they still? As on pages: looked up, not believed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from accounts import second_factor, sessions, tickets, tokens
from accounts.authentication import Caller, member, person, program
from accounts.domain import Role, Scope
from accounts.models import ApiKey, Membership, Organization, TokenFamily, User
from accounts.tickets import Claim

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Guest:
    """Who is at a socket, and by what they came in: it is tried again and again while the socket is open."""

    caller: Caller
    claim: Claim
    password: str = ""  # an HMAC of its hash: a new one ends what was opened with the old

    @property
    def rights(self) -> tuple[Any, ...]:
        """What a socket was opened with; when it changes, the socket has to be opened anew."""
        caller = self.caller
        organization = caller.organization.pk if caller.organization else None
        is_staff = caller.user is not None and caller.user.is_staff
        return caller.kind, organization, caller.role, caller.scopes, is_staff, self.password


def headers_of(scope: Mapping[str, Any]) -> Headers:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def is_ours(headers: Headers, *, needs_origin: bool) -> bool:
    """Whether the page that opens the socket is one of ours. Programs name none; a browser always does."""
    host = headers.get("host", "")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    origin = headers.get("origin")
    if origin is None:
        return not needs_origin
    ours = f"{'https' if settings.IS_HTTPS else 'http'}://{host}"
    return origin.lower() == ours.lower() or origin in settings.CSRF_TRUSTED_ORIGINS


def enter(headers: Headers, ticket: str | None) -> Guest | None:
    """By a ticket where there is one, else by the session's cookie; None = not let in, and nobody learns why.

    Raises redis.RedisError when tickets cannot be read.
    """
    if ticket is not None:
        claim = tickets.redeem(ticket)
        return _guest(claim) if claim and is_ours(headers, needs_origin=False) else None
    if not is_ours(headers, needs_origin=True):
        return None
    key = _cookie(headers)
    request = _asked_with(key)
    caller = person(request) if key else None
    if caller is None or caller.user is None or caller.organization is None:
        return None
    return _guest(Claim(str(caller.organization.pk), user=caller.user.pk, session=key))


def again(guest: Guest) -> Guest | None:
    """The same guest as of now; None when they may no longer be here, or with other rights than they came with."""
    found = _guest(guest.claim)
    return found if found and found.rights == guest.rights else None


def claim_of(request: HttpRequest, caller: Caller, token: str | None) -> Claim:
    """What a ticket for this caller stands for. `token` is the access token, where they came with one."""
    organization = str(caller.organization.pk) if caller.organization else None
    if caller.api_key is not None:
        return Claim(organization, api_key=caller.api_key.pk)
    assert caller.user is not None
    if token is not None:
        family, _ = tokens.family_of(token, now=timezone.now())
        return Claim(organization, user=caller.user.pk, family=str(family.pk))
    return Claim(organization, user=caller.user.pk, session=request.session.session_key)


def _guest(claim: Claim) -> Guest | None:
    if claim.api_key is not None:
        return _program(claim)
    if claim.session is not None:
        return _by_session(claim)
    return _by_family(claim) if claim.family is not None else None


def _program(claim: Claim) -> Guest | None:
    if claim.api_key is None:
        return None
    usable = ApiKey.objects.usable(at=timezone.now()).select_related("organization")
    key = usable.filter(pk=claim.api_key).first()
    if key is None or Scope.READ.value not in key.scopes:
        return None
    caller = program(key)
    if claim.organization is None or str(key.organization_id) == claim.organization:
        return Guest(caller, claim) if key.is_platform or claim.organization else None
    if not key.is_platform:
        return None
    named = Organization.objects.filter(pk=uuid.UUID(claim.organization)).first()
    return Guest(replace(caller, organization=named), claim) if named else None


def _by_session(claim: Claim) -> Guest | None:
    request = _asked_with(claim.session or "")
    user = request.user
    if not isinstance(user, User) or user.pk != claim.user or not user.is_active or second_factor.is_owed(request):
        return None
    return _in_organization(user, sessions.memberships(request), claim)


def _by_family(claim: Claim) -> Guest | None:
    alive = TokenFamily.objects.filter(revoked_at=None, expires_at__gt=timezone.now(), user__is_active=True)
    family = alive.select_related("user").filter(pk=uuid.UUID(str(claim.family)), user=claim.user).first()
    if family is None:
        return None
    own = list(family.user.memberships.select_related("organization"))
    if not family.has_second_factor and second_factor.must_have(family.user, [Role(each.role) for each in own]):
        return None
    return _in_organization(family.user, own, claim)


def _in_organization(user: User, own: Iterable[Membership], claim: Claim) -> Guest | None:
    membership = next((each for each in own if str(each.organization_id) == claim.organization), None)
    if membership is None:
        return None
    return Guest(member(user, membership), claim, user.get_session_auth_hash())


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return found.value if found else ""


def _asked_with(session_key: str) -> HttpRequest:
    """A request as the middleware would hand it on, for the rules that ask one who is signed in."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key or None)
    request.user = auth.get_user(request)
    return request
