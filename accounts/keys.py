"""How is a program's key made, and how is it known again?"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from accounts import reach
from accounts.domain import Scope
from accounts.models import ApiKey, Organization, User

MARK = "spotopt"  # secret scanners look for a fixed beginning
PREFIX_CHARACTERS = 8
SECRET_BYTES = 32
LAST_USED_GRAIN = timedelta(minutes=1)  # one write a minute, not one a request


def issue(
    organization: Organization | None,
    name: str,
    scopes: Iterable[Scope],
    *,
    by: User | None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is shown this once and kept nowhere. `organization` None = the platform's own."""
    key = ApiKey(
        organization=organization,
        name=name,
        scopes=sorted(Scope(scope).value for scope in scopes),
        created_by=by,
        expires_at=expires_at,
    )
    text = cut(key)
    key.save()
    return key, text


def cut(key: ApiKey) -> str:
    """Give a key that is not saved yet its secret; the text is in nobody's hands but the caller's."""
    key.prefix = secrets.token_hex(PREFIX_CHARACTERS // 2)
    text = f"{MARK}_{key.prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    key.digest = digest(text)
    return text


def find(text: str, *, now: datetime) -> ApiKey | None:
    """The key of this text; None when it is malformed, unknown, expired or revoked: the caller learns no more."""
    mark, _, rest = text.partition("_")
    prefix, _, _ = rest.partition("_")
    if mark != MARK or len(prefix) != PREFIX_CHARACTERS or "\x00" in prefix:
        return None
    key = ApiKey.objects.usable(at=now).select_related("organization").filter(prefix=prefix).first()
    if key is None or not secrets.compare_digest(key.digest, digest(text)):
        return None
    return key


def used(key: ApiKey, *, now: datetime) -> None:
    """Remember that it was used, to the minute."""
    if key.last_used_at is None or now - key.last_used_at >= LAST_USED_GRAIN:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def revoke(key: ApiKey, *, now: datetime) -> bool:
    """From now on it is worth nothing; False when it was revoked before."""
    reach.look_again(key)  # its open sockets end with it
    return bool(ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
