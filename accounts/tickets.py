"""How does a program, or a page elsewhere, open a socket without a session and without a secret in the address?

A ticket is worth one handshake within 30 seconds. It names who asked for it; what they may is looked up when it is
used.
"""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass

import redis
from django.conf import settings

LIFETIME_SECONDS = 30
PATIENCE = 0.5  # s
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Claim:
    """Whom a ticket stands for: a person in an organization by session or token family, or a key; ids as text."""

    organization: str | None
    user: int | None = None
    session: str | None = None
    family: str | None = None
    api_key: int | None = None


def issue(claim: Claim) -> str:
    """The ticket's text; only its SHA-256 is kept. Raises redis.RedisError."""
    text = secrets.token_urlsafe(SECRET_BYTES)
    _client(settings.REDIS_LIVE_URL).set(_key(text), json.dumps(asdict(claim)), ex=LIFETIME_SECONDS)
    return text


def redeem(text: str) -> Claim | None:
    """Whom it stands for; None when it is unknown, used, or older than 30 seconds. Raises redis.RedisError."""
    found = _client(settings.REDIS_LIVE_URL).getdel(_key(text))
    return Claim(**json.loads(found)) if isinstance(found, bytes) else None


def _key(text: str) -> str:
    return "ws-ticket:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@functools.cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
