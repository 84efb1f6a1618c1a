"""What of the market is kept in Redis, under which keys, for how long?

Market data is the same for every tenant, so no organization is in a key. Keys and lifetimes are known here alone. A
cache that is down costs time and nothing else: writing does nothing, reading finds nothing, and the log says so once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

Document = dict[str, Any]
PATIENCE_SECONDS = 0.5  # for an answer; the database would have answered by then
BATCH = 500  # commands in one pipeline

_is_down = False  # so that an outage is logged once, not once a request


def risk_key(region: str, instance_type: str) -> str:
    return f"spot_risk:{region}:{instance_type}"


def history_key(region: str, family: str) -> str:
    return f"spot_price_history:{region}:{family}"


def metadata_key(region: str) -> str:
    return f"spot_metadata:{region}"


def publish_risks(region: str, by_type: Mapping[str, Document]) -> None:
    """Keep what is known of each type's risk and price for CACHE_TTL_SECONDS."""
    _write({risk_key(region, name): document for name, document in by_type.items()}, settings.CACHE_TTL_SECONDS)


def risks(region: str, instance_types: Collection[str]) -> dict[str, Document]:
    """What is kept of these types; those not kept are absent."""
    return _read({risk_key(region, name): name for name in instance_types})


def publish_histories(region: str, by_family: Mapping[str, Document]) -> None:
    """Keep each family's price changes for CACHE_TTL_SECONDS."""
    _write({history_key(region, name): document for name, document in by_family.items()}, settings.CACHE_TTL_SECONDS)


def histories(region: str, families: Collection[str]) -> dict[str, Document]:
    """What is kept of these families; those not kept are absent."""
    return _read({history_key(region, name): name for name in families})


def publish_metadata(region: str, document: Document) -> None:
    """Keep what the region has to offer for CACHE_METADATA_TTL_SECONDS."""
    _write({metadata_key(region): document}, settings.CACHE_METADATA_TTL_SECONDS)


def metadata(region: str) -> Document | None:
    return _read({metadata_key(region): region}).get(region)


def _write(documents: Mapping[str, Document], ttl_seconds: int) -> None:
    items = list(documents.items())
    try:
        for first in range(0, len(items), BATCH):
            pipeline = _client(settings.REDIS_CACHE_URL).pipeline(transaction=False)
            for key, document in items[first : first + BATCH]:
                pipeline.set(key, json.dumps(document, separators=(",", ":")), ex=ttl_seconds)
            pipeline.execute()
    except redis.RedisError as error:
        _note_down(error)
    else:
        _note_up()


def _read(names: Mapping[str, str]) -> dict[str, Document]:
    if not names:
        return {}
    try:
        answers = _client(settings.REDIS_CACHE_URL).mget(list(names))
    except redis.RedisError as error:
        _note_down(error)
        return {}
    _note_up()
    found = {name: _document(answer) for name, answer in zip(names.values(), answers, strict=True)}
    return {name: document for name, document in found.items() if document is not None}


def _document(answer: bytes | None) -> Document | None:
    """None also for what is no document of ours: it counts as not kept."""
    try:
        document = json.loads(answer) if answer is not None else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS)


def _note_down(error: redis.RedisError) -> None:
    global _is_down
    if not _is_down:
        logger.warning("the market's cache is down; the database answers instead", extra={"error": str(error)})
    _is_down = True


def _note_up() -> None:
    global _is_down
    if _is_down:
        logger.info("the market's cache is back")
    _is_down = False
