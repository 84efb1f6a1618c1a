"""How does a person's program get in without a session? Short access tokens, and a refresh token that works once.

A family is all that descends from one sign-in. Its row names the refresh token that counts; when an older one comes
back it had been copied, and nobody can tell by whom: the whole family ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts import reach
from accounts.models import Organization, TokenFamily, User

FAMILY = "family"
ORGANIZATION = "organization"
PASSWORD = "password"  # noqa: S105 -- a claim's name: an HMAC of the password's hash, so that a new one ends all tokens
METHODS = "amr"  # RFC 8176: how they proved who they are
FAMILY_LIFETIME = timedelta(days=30)

T = TypeVar("T", bound=Token)


class Refused(Exception):
    """The token is malformed, expired, revoked, of another kind, or came back: whoever sent it learns no more.

    `reused` is the family that was ended because of it.
    """

    def __init__(self, reused: TokenFamily | None = None) -> None:
        super().__init__("This token is not valid.")
        self.reused = reused


@dataclass(frozen=True, slots=True)
class Pair:
    access: str
    refresh: str
    expires_in: int  # seconds, of the access token


def issue(user: User, organization: Organization | None, *, has_second_factor: bool, now: datetime) -> Pair:
    """The first two tokens of a new family, for a person who has just proved who they are."""
    family = TokenFamily(
        user=user, organization=organization, has_second_factor=has_second_factor, expires_at=now + FAMILY_LIFETIME
    )
    pair, family.jti = _cut(family)
    family.save(force_insert=True)
    return pair


def refresh(text: str, *, now: datetime) -> Pair:
    """Two new tokens for a refresh token, which is worth nothing from now on. Raises Refused."""
    token = _read(RefreshToken, text)
    family = _family_of(token, now=now)
    pair, following = _cut(family)
    # compare and swap: of two who send the same token at once, one is a copy
    moved = TokenFamily.objects.filter(pk=family.pk, jti=token["jti"], revoked_at=None)
    if moved.update(jti=following, refreshed_at=now):
        return pair
    ended = TokenFamily.objects.filter(pk=family.pk, revoked_at=None)
    is_ended = ended.update(revoked_at=now, was_reused=True)
    reach.look_again(family.user)
    raise Refused(family if is_ended else None)


def revoke(text: str, *, now: datetime) -> TokenFamily | None:
    """End the family of this refresh token, an old one's too; None when it had ended, or is no token of ours."""
    try:
        family = _family_of(_read(RefreshToken, text), now=now)
    except Refused:
        return None
    is_ended = TokenFamily.objects.filter(pk=family.pk, revoked_at=None).update(revoked_at=now)
    reach.look_again(family.user)
    return family if is_ended else None


def end_all(user: User, *, now: datetime) -> None:
    """End every family of that person."""
    TokenFamily.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
    reach.look_again(user)


def family_of(text: str, *, now: datetime) -> tuple[TokenFamily, dict[str, Any]]:
    """The family of an access token and what the token claims. Raises Refused, also for a family that ended."""
    token = _read(AccessToken, text)
    return _family_of(token, now=now), token.payload


def _family_of(token: Token, *, now: datetime) -> TokenFamily:
    alive = TokenFamily.objects.filter(revoked_at=None, expires_at__gt=now, user__is_active=True)
    try:
        family = alive.select_related("user", "organization").filter(pk=UUID(str(token.get(FAMILY)))).first()
    except ValueError as error:
        raise Refused from error
    if family is None or token.get(PASSWORD) != family.user.get_session_auth_hash():
        raise Refused
    return family


def _read(kind: type[T], text: str) -> T:
    try:
        return kind(text)  # type: ignore[arg-type]  # it takes the text and says Token
    except TokenError as error:
        raise Refused from error


def _cut(family: TokenFamily) -> tuple[Pair, str]:
    token = RefreshToken()
    token["user_id"] = str(family.user_id)
    token[PASSWORD] = family.user.get_session_auth_hash()
    token[FAMILY] = str(family.pk)
    token[ORGANIZATION] = str(family.organization_id) if family.organization_id else None
    token[METHODS] = ["pwd", "otp"] if family.has_second_factor else ["pwd"]
    access = token.access_token
    lifetime = int(AccessToken.lifetime.total_seconds()) if AccessToken.lifetime else 0
    return Pair(str(access), str(token), lifetime), str(token["jti"])
