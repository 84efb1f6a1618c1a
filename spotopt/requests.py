"""Which request does a log line, an error or an audit entry belong to?"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from accounts.tracing import organization, request_id

PLAIN = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


class RequestIdMiddleware:
    """Names each request; a caller's own X-Request-Id is kept when it is plain."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        name = given if PLAIN.match(given) else uuid.uuid4().hex
        token, owner = request_id.set(name), organization.set("")
        request.id = name  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
            organization.reset(owner)
        response["X-Request-Id"] = name
        return response


class RequestFilter(logging.Filter):
    """Puts the request and the organization on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        record.organization = organization.get()
        return True


def json_formatter() -> logging.Formatter:
    """One JSON object a line, with whatever `extra` the call gave."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ExtraAdder(),
            structlog.processors.format_exc_info,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
