"""Which request, and whose, does a log line, an error or an audit entry belong to? And how was each answered?"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.tracing import organization, request_id

logger = logging.getLogger(__name__)

PLAIN = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
PROBES = frozenset({"healthz", "readyz"})


class RequestIdMiddleware:
    """Names each request and logs one line for it. An X-Request-Id counts when a proxy of ours wrote or passed it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        given = request.headers.get("X-Request-Id", "") if settings.PROXIES else ""
        name = given if PLAIN.match(given) else uuid.uuid4().hex
        token, owner = request_id.set(name), organization.set("")
        request.id = name  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
            _log(request, response.status_code, 1000 * (time.monotonic() - began))
        finally:
            request_id.reset(token)
            organization.reset(owner)
        response["X-Request-Id"] = name
        return response


def _log(request: HttpRequest, status: int, milliseconds: float) -> None:
    """The route and its ids. Never the address itself: a text in it, or a query, may be a secret."""
    match = request.resolver_match
    ids = {name: value for name, value in match.kwargs.items() if isinstance(value, int | uuid.UUID)} if match else {}
    facts = {"method": request.method, "route": match.route if match else None, "ids": ids}
    level = logging.DEBUG if match and match.view_name in PROBES else logging.INFO
    logger.log(level, "answered", extra={**facts, "status": status, "ms": round(milliseconds, 1)})


class RequestFilter(logging.Filter):
    """Puts the request and the organization on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        record.organization = organization.get()
        return True
