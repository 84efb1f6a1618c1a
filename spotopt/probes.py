"""Is this process alive, and can it serve?"""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from accounts.answering import cache_answers, database_answers

PATIENCE = 2  # s


def alive(request: HttpRequest) -> JsonResponse:
    """Liveness: asks nobody, so that a dead database does not get healthy processes restarted."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Readiness: 503 with what is down while the database or Redis does not answer."""
    found = {"database": database_answers(), "redis": cache_answers(patience=PATIENCE)}
    status = "ok" if all(found.values()) else "down"
    words = {name: "ok" if is_up else "down" for name, is_up in found.items()}
    return JsonResponse({"status": status, **words}, status=200 if status == "ok" else 503)
