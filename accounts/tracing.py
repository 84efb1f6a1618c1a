"""Which request, and whose, does a log line, an error or an audit entry belong to?"""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")  # a job's: that of who asked for it, or its own
organization: ContextVar[str] = ContextVar("organization", default="")  # its id; empty until somebody is known
