"""Where does a socket's address lead? All of them; what a page asks for by frames is in PARTS."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from accounts.consumers import Pages
from governance.consumers import Audit, Logs, audit_part, log_part
from mlregistry.consumers import Predictions
from pipelines.consumers import PredictionsAndDecisions, run_part

PARTS = {"audit": audit_part, "log": log_part, "run": run_part}


async def nowhere(scope: Any, receive: Any, send: Any) -> None:
    """An address that is none is refused as a stranger is."""
    await receive()
    await send({"type": "websocket.close"})


routes = [
    path("ws/pages/", Pages.as_asgi(parts=PARTS)),
    path("ws/audit/", Audit.as_asgi()),
    path("ws/logs/", Logs.as_asgi()),
    path("api/v1/ml/stream", PredictionsAndDecisions.as_asgi()),
    path("api/v1/ml/predictions/live", Predictions.as_asgi()),
]
sockets = URLRouter([*routes, re_path("", nowhere)])  # type: ignore[arg-type]  # Django's stubs know no ASGI
