"""What must never stand in a log line? Whatever a call put there, the finished line is read once more and blackened.

Nothing of ours writes a secret (tests/spotopt/test_secrets_stay_out.py pushes one through every edge). This is the
second wall: for libraries, for exceptions that quote their input, and for the call that somebody writes tomorrow.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

BLACK = "[kept out]"
SHORTEST = 6  # characters; a database password of "app" would blacken every line that says app
SHAPES = re.compile(
    r"spotopt_[0-9a-f]{8}_[\w-]{20,}"  # API keys
    r"|spotopt-[\w-]{20,}"  # ExternalIds
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"  # JWT
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|(?<=/invitations/)[\w-]{16,}"
    r"|(?<=://)[^\s/@\"']*:[^\s/@\"']+(?=@)"  # user and password of an address
)
NAMED = re.compile(  # name and value, in a query, a header, JSON or Python's own form
    r"(?i)((?:password\w*|passwd|secret\w*|authorization|cookie|sessionid|csrf\w*|external_?id|ticket|session_?token)"
    r"[\"'\\]*\s*[:=]\s*(?:(?:Bearer|Api-Key|Basic)\s+)?)"
    r"(\\\"(?:[^\"\\]|\\(?!\"))*\\?\"|\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,;&\"'}\\]+)"
)


def redacted(text: str) -> str:
    """The line without this installation's own secrets, and without what is shaped or named like one."""
    for secret in _own_secrets():
        text = text.replace(secret, BLACK)
    return NAMED.sub(rf"\1{BLACK}", SHAPES.sub(BLACK, text))


@functools.cache
def _own_secrets() -> tuple[str, ...]:
    """Those the settings hold, longest first; each as it is, as JSON and as Python writes it."""
    urls = (settings.REDIS_BROKER_URL, settings.REDIS_CACHE_URL)
    known = [
        settings.SECRET_KEY,
        settings.AUDIT_KEY,
        settings.SIMPLE_JWT["SIGNING_KEY"],
        *(unquote(urlsplit(url).password or "") for url in urls),
        *(database["PASSWORD"] for database in settings.DATABASES.values()),
    ]
    long = [secret for secret in known if len(secret) >= SHORTEST]
    forms = {form for secret in long for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])}
    return tuple(sorted(forms | {json.dumps(form)[1:-1] for form in forms}, key=len, reverse=True))


class JsonLine(structlog.stdlib.ProcessorFormatter):
    """One JSON object a line, with whatever `extra` the call gave."""

    def __init__(self) -> None:
        super().__init__(
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

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class PlainLine(logging.Formatter):
    """For people who watch a console: the same facts, behind the words."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        given = {name: value for name, value in vars(record).items() if name not in STANDARD and value not in ("", {})}
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in given.items())])

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class ReportFilter(SafeExceptionReporterFilter):
    """Django's report of an exception, a page in DEBUG: no form, and no variable that holds what a log may not."""

    hidden_settings = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|URL|EXTERNAL|CODE", re.IGNORECASE)

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, str]:
        return {} if request is None else dict.fromkeys(request.POST, BLACK)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> Any:
        shown = []
        for name, value in super().get_traceback_frame_variables(request, tb_frame):
            try:
                shown.append((name, BLACK if self.hidden_settings.search(name) else redacted(repr(value))))
            except Exception as error:
                shown.append((name, f"{type(error).__name__} of its repr"))
        return shown
