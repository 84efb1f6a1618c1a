"""Is this process alive, and can it serve?"""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

PATIENCE = 2  # s


def alive(request: HttpRequest) -> JsonResponse:
    """Liveness: asks nobody, so that a dead database does not get healthy processes restarted."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Readiness: 503 with what is down while the database or Redis does not answer."""
    found = {"database": database_answers(), "redis": redis_answers()}
    status = "ok" if all(found.values()) else "down"
    words = {name: "ok" if is_up else "down" for name, is_up in found.items()}
    return JsonResponse({"status": status, **words}, status=200 if status == "ok" else 503)


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def redis_answers() -> bool:
    """Whether the cache answers; the queue is judged by its workers, not here."""
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
