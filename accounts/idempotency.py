"""Was this asked before? A POST that comes again with its `Idempotency-Key` gets its first answer, not a second deed.

The key's row is written before the deed and settled after it. Between the two lies a time in which nobody else may do
the deed, and after a crash nobody can know whether it was done: then we say so, and do it no second time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import Caller, caller_of
from accounts.models import IdempotencyKey
from accounts.refusals import Conflict

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"  # on an answer that was given before
LIFETIME = timedelta(hours=24)  # api.md
LEASE = timedelta(minutes=5)  # ten times what servers in front of us wait: later, whoever worked on it has died
FORM = re.compile(r"[!-~]{1,200}")
MOST_KEPT = 2 * 2**20  # bytes of an answer; a thousand predictions are half of it
KEPT_HEADERS = ("Content-Type", "Location", "ETag")
# they did nothing, and depend on who asks and when: the key is free again
FORGOTTEN = frozenset({401, 403, 404, 429, 503})
BATCH = 5000

BAD_KEY = f"{HEADER} is 1 to 200 visible ASCII characters without spaces, such as a UUID."
OTHER_REQUEST = f"This {HEADER} was used for another request within 24 hours: send a new one with a new request."
IN_FLIGHT = "The same request is being worked on: ask again in a moment with the same key."
UNKNOWN = (
    "The first request with this key ended without an answer, so nobody knows whether it was done. "
    "Look whether it was; if not, send it with a new key."
)
DONE = "This was done already, and its answer is not kept. {look}"
LOOK = "It was too long. Look at what was made; to do it once more, send a new key."

logger = logging.getLogger(__name__)


class Repeated(Exception):
    """The first answer, to be given again."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__()
        self.answer = answer


class Repeatable(APIView):
    """A view whose POST is safe to repeat. Right and rate are looked at first: only who may ask learns of an answer.

    Where `holds_secrets`, no answer of a deed that was done is kept, and `look` says where to find what it made.
    """

    holds_secrets = False
    look = LOOK
    _claimed: IdempotencyKey | None = None
    _is_cut_off = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get(HEADER)
        if request.method == "POST" and key is not None and "POST" in self.allowed_methods:
            caller = caller_of(request)
            self._claimed = claim(caller, key, fingerprint(request, caller), now=timezone.now(), look=self.look)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, Repeated):
            return exc.answer
        self._is_cut_off = is_cut_off(exc)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        if self._claimed is not None:
            if isinstance(final, Response) and not final.is_rendered:
                final.render()
            settle(
                self._claimed,
                final,
                is_secret=self.holds_secrets,
                is_cut_off=self._is_cut_off,
                now=timezone.now(),
            )
        return final


def claim(caller: Caller, key: str, print_: str, *, now: datetime, look: str = LOOK) -> IdempotencyKey:
    """The key's row, for us to do the deed and settle.

    Raises Repeated with the first answer; Conflict for another request, one in flight, one whose end nobody knows, and
    one that was done and whose answer is not kept; ParseError for what is no key.
    """
    if not FORM.fullmatch(key):
        raise exceptions.ParseError(BAD_KEY)
    theirs = IdempotencyKey.objects.filter(**_owner(caller), key=key)
    theirs.filter(expires_at__lte=now).delete()
    row = IdempotencyKey(
        **_owner(caller),
        key=key,
        fingerprint=print_,
        began_at=now,
        lease_until=now + LEASE,
        expires_at=now + LIFETIME,
    )
    # of two at once the table takes one; the other waits here for the first to be written, and reads it
    IdempotencyKey.objects.bulk_create([row], ignore_conflicts=True)
    there = theirs.first()
    if there is None:  # it was settled as nothing, or ran out, since
        raise Conflict(IN_FLIGHT, state="in_flight")
    if there.pk == row.pk:
        return row
    raise _answer_of(there, print_, now=now, look=look)


def settle(
    row: IdempotencyKey, answer: HttpResponseBase, *, is_secret: bool, is_cut_off: bool = False, now: datetime
) -> None:
    """Keep the answer, as far as it may be kept. The deed is done by now: a database that fails here spoils nothing."""
    mine = IdempotencyKey.objects.filter(pk=row.pk)
    try:
        if answer.status_code in FORGOTTEN and not is_cut_off:
            mine.delete()
        elif answer.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR:
            mine.update(lease_until=now)  # it broke off somewhere: nobody knows where
        else:
            headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
            body = _kept(answer, is_secret=is_secret and status.is_success(answer.status_code))
            mine.update(ended_at=now, status=answer.status_code, headers=headers, body=body)
    except DatabaseError as error:
        logger.warning("an answer was not kept for its key", extra={"error": str(error)})


def is_cut_off(error: BaseException) -> bool:
    """Whether the connection to the database broke: a commit may have been heard, and its answer lost.

    What the server itself refused (a lock that was not to be had, a statement that took too long) has an SQLSTATE.
    """
    return isinstance(error, OperationalError | InterfaceError) and getattr(error.__cause__, "sqlstate", None) is None


def forget(*, now: datetime) -> int:
    """Remove the keys that ran out, some thousands in a statement; how many."""
    total = 0
    while True:
        old = IdempotencyKey.objects.filter(expires_at__lte=now).values("pk")[:BATCH]
        removed, _ = IdempotencyKey.objects.filter(pk__in=old).delete()
        total += removed
        if removed == 0:
            return total


def fingerprint(request: Request, caller: Caller) -> str:
    """What makes two requests the same: who asks, the address with its query, and the body.

    A colleague is somebody else: what an answer shows depends on the role. The boundary of a form with files is
    different each time, so its parts are compared.
    """
    who = caller.api_key or caller.user
    media, _, _ = request.headers.get("Content-Type", "").partition(";")
    digest = hashlib.sha256()
    for word in (caller.kind.value, str(who.pk if who else ""), request.get_full_path(), media.strip().lower()):
        digest.update(word.encode("utf-8", "surrogateescape") + b"\0")
    digest.update(_form_digest(request) if media.strip().lower() == "multipart/form-data" else request._request.body)
    return digest.hexdigest()


def _form_digest(request: Request) -> bytes:
    parts: list[list[Any]] = []
    given: Any = request.data  # of a form it is a QueryDict, files among it
    for name, values in sorted(given.lists()):
        for value in values:
            if not hasattr(value, "chunks"):
                parts.append([name, str(value)])
                continue
            content = hashlib.sha256()
            for chunk in value.chunks():
                content.update(chunk)
            value.seek(0)
            parts.append([name, value.name, content.hexdigest()])
    return json.dumps(parts).encode()


def _owner(caller: Caller) -> dict[str, Any]:
    """Whose keys these are. A key of the platform has its own, whichever customer it names."""
    if caller.is_platform:
        return {"organization": None, "api_key": caller.api_key, "person": None}
    if caller.organization is not None:
        return {"organization": caller.organization, "api_key": None, "person": None}
    return {"organization": None, "api_key": None, "person": caller.user}


def _answer_of(row: IdempotencyKey, print_: str, *, now: datetime, look: str) -> Exception:
    if row.fingerprint != print_:
        return Conflict(OTHER_REQUEST, state="other_request")
    if row.status is None:
        is_open = now < row.lease_until
        return Conflict(IN_FLIGHT if is_open else UNKNOWN, state="in_flight" if is_open else "unknown")
    if row.body is None:
        done = {"status": row.status, "ended_at": row.ended_at, "location": row.headers.get("Location")}
        return Conflict(DONE.format(look=look), state={"done": done})
    return Repeated(HttpResponse(row.body, status=row.status, headers={**row.headers, REPLAYED: "true"}))


def _kept(answer: HttpResponseBase, *, is_secret: bool) -> str | None:
    if is_secret or not isinstance(answer, HttpResponse) or len(answer.content) > MOST_KEPT:
        return None
    return answer.content.decode()
