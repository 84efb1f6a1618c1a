"""Does what every process stands on answer? Asked anew each time, with the caller's own patience."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import DatabaseError, connection


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def cache_answers(*, patience: float) -> bool:
    """Whether the cache answers within `patience` seconds; the queue is judged by its workers, not here."""
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL, socket_timeout=patience, socket_connect_timeout=patience)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
