"""How does every process learn at once that another model counts? By a word through Redis; the table is the truth.

Each use asks the table which model is active (mlregistry/loading.py), so a word that is lost loses only time: the
process that hears it has the model in memory before the first request needs it.
"""

from __future__ import annotations

import logging
import os
import threading

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from mlregistry import loading
from mlregistry.adapters.metadata import ModelRefused

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.5  # for telling; whoever activates does not wait for Redis
LOOKS_AFTER_SECONDS = 30  # of silence, whether the connection still is one
AGAIN_AFTER_SECONDS = 5.0  # Redis is away


def announce() -> None:
    """Tell every process, once the transaction stands. Redis away: they find out at their next use."""
    transaction.on_commit(_publish)


def channel_name() -> str:
    """Of this installation: Redis knows no databases where channels are concerned, and others may use it too."""
    return f"spotopt:models:{settings.DATABASES['default']['NAME']}"


def listen() -> None:
    """From now on this process loads what becomes active, in a thread of its own; again in each child it forks."""
    _start()
    os.register_at_fork(after_in_child=_start)


def _start() -> None:
    threading.Thread(target=_hear, name="news of models", daemon=True).start()


def _publish() -> None:
    patience = PATIENCE_SECONDS
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL, socket_timeout=patience, socket_connect_timeout=patience)
    try:
        client.publish(channel_name(), "activated")
    except redis.RedisError as error:
        logger.warning("an activation was not announced; processes find it at their next use", exc_info=error)
    finally:
        client.close()


def _hear() -> None:
    pause = threading.Event()
    while True:
        try:
            _follow()
        except redis.RedisError as error:
            logger.info("news of models are not heard", extra={"why": str(error)})
            pause.wait(AGAIN_AFTER_SECONDS)


def _follow() -> None:
    """Load now, for a word may have been missed, and at every word. Raises redis.RedisError when Redis goes away."""
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL, health_check_interval=LOOKS_AFTER_SECONDS)
    try:
        with client.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(channel_name())
            _load()
            while True:
                if channel.get_message(timeout=LOOKS_AFTER_SECONDS) is not None:
                    _load()
    finally:
        client.close()


def _load() -> None:
    """What fails here fails again at the next use, where somebody is told."""
    try:
        model = loading.active_model()
        logger.info("model in memory", extra={"model": f"{model.name} {model.version}"})
    except (ModelRefused, DatabaseError) as error:
        logger.warning("the active model is not loaded", exc_info=error)
    finally:
        connection.close()  # this thread's own; none is held while nothing happens
