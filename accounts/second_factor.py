"""Has a person proved a second factor, must they, and how do they get one? Codes of an authenticator, or of a list."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import django_otp
import qrcode
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import sessions, tokens
from accounts.domain import Role, needs_second_factor
from accounts.models import RecoveryCode, User

CODES = 10
CODE_BYTES = 10  # 80 bits: nobody tries them all
OPEN = frozenset({"accounts:second-factor", "accounts:sign-in", "accounts:sign-out", "healthz", "readyz"})
API = "/api/"


# --- Must they? ---------------------------------------------------------------------------------------------------
def must_have(user: User, roles: Iterable[Role]) -> bool:
    """Whether this installation lets somebody with these roles, in any organization, do nothing without a factor."""
    return settings.SECOND_FACTOR == "required" and needs_second_factor(roles, is_staff=user.is_staff)


def owes(user: User, session: Mapping[str, Any], roles: Iterable[Role]) -> bool:
    """Whether they have to enrol, or to prove their factor in this session, before anything else; pages and sockets."""
    device = device_of(user)
    return must_have(user, roles) if device is None else not _is_of(session, device)


def is_owed(request: HttpRequest) -> bool:
    """The same of whoever is signed in; False for anybody else."""
    if not isinstance(request.user, User):
        return False
    return owes(request.user, request.session, [Role(each.role) for each in sessions.memberships(request)])


def _is_of(session: Mapping[str, Any], device: TOTPDevice) -> bool:
    return session.get(django_otp.DEVICE_ID_SESSION_KEY) == device.persistent_id


class SecondFactorFirst:
    """Middleware: whoever owes a second factor reaches the page that asks for it and no other, the admin included.

    The API asks in its own way (accounts/authentication.py), as its callers may have no session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if request.path.startswith(API) or (match and match.view_name in OPEN) or not is_owed(request):
            return None
        page = reverse("accounts:second-factor")
        if getattr(request, "htmx", False):
            wanted = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
            return HttpResponseClientRedirect(f"{page}?{urlencode({'next': wanted})}")
        wanted = request.get_full_path() if request.method == "GET" else "/"
        return HttpResponseRedirect(f"{page}?{urlencode({'next': wanted})}")


# --- Have they, and is this code theirs? --------------------------------------------------------------------------
def device_of(user: User) -> TOTPDevice | None:
    """The authenticator that counts; None before they enrolled."""
    found: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=True).first()
    return found


def is_proved(user: User, session: Mapping[str, Any]) -> bool:
    """Whether this session has proved the authenticator that counts now."""
    device = device_of(user)
    return device is not None and _is_of(session, device)


def proves(user: User, code: str, *, now: datetime) -> bool:
    """Whether the code is one of theirs: of the authenticator, each once, or of the list, each once."""
    device = device_of(user)
    if device is None:
        return False
    if code.isdecimal():
        return django_otp.verify_token(user, device.persistent_id, code) is not None
    unused = RecoveryCode.objects.filter(user=user, digest=_digest(code), used_at=None)
    return bool(unused.update(used_at=now))


def remember(request: HttpRequest, user: User) -> None:
    """This session has proved it, until it ends; its key changes, as at every step up."""
    request.session.cycle_key()
    django_otp.login(request, device_of(user))


# --- Getting one --------------------------------------------------------------------------------------------------
def offered(user: User) -> TOTPDevice:
    """The authenticator they are about to enrol: the same until it is confirmed."""
    waiting: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return waiting or TOTPDevice.objects.create(user=user, name="authenticator", confirmed=False)


def enrol(user: User, code: str, *, now: datetime) -> list[str] | None:
    """Let the offered authenticator count, once a code shows that they have it; ten recovery codes, shown this once.

    Tokens that were had without it end. None, and nothing changes, when the code is wrong or there is an
    authenticator already.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two browsers at once: one enrols
        if device_of(user) is not None:
            return None
        device = offered(user)
        if django_otp.verify_token(user, device.persistent_id, code) is None:
            return None
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
        tokens.end_all(user, now=now)
        return renew_codes(user)


@transaction.atomic
def renew_codes(user: User) -> list[str]:
    """New recovery codes; those before are worth nothing."""
    RecoveryCode.objects.filter(user=user).delete()
    codes = [_spaced(secrets.token_bytes(CODE_BYTES)) for _ in range(CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(code)) for code in codes)
    return codes


@transaction.atomic
def remove(user: User, *, now: datetime) -> None:
    """Forget authenticator and codes, and end the tokens had by them; whoever must have one enrols anew."""
    tokens.end_all(user, now=now)
    TOTPDevice.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()


def secret_of(device: TOTPDevice) -> str:
    """As people type it into an authenticator that has no camera."""
    text = base64.b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def picture_of(address: str) -> tuple[int, str]:
    """A QR code: modules a side, quiet zone included, and the SVG path of the dark ones."""
    code = qrcode.QRCode(border=4)
    code.add_data(address)
    code.make()
    rows = code.get_matrix()
    dark = [(x, y) for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark]
    return len(rows), "".join(f"M{x} {y}h1v1h-1z" for x, y in dark)


def _spaced(raw: bytes) -> str:
    text = "r" + base64.b32encode(raw).decode().lower()  # never digits alone: that is how it is told from a TOTP code
    return "-".join((text[:5], text[5:9], text[9:13], text[13:]))


def _digest(code: str) -> str:
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
