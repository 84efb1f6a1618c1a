"""Can predictions be had? Each part is asked itself, with little patience; nothing is assumed well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from celery import current_app
from kombu.exceptions import OperationalError as QueueDown

from accounts.answering import cache_answers, database_answers
from mlregistry import loading
from mlregistry.adapters.metadata import ModelRefused

PATIENCE = 1.0  # s for each part


@dataclass(frozen=True, slots=True)
class Health:
    """`workers`: how many answered; None = the queue cannot be reached. `models`: None = the active one is refused."""

    has_database: bool
    has_redis: bool
    workers: int | None
    models: int | None
    problems: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        return self.has_database and self.has_redis and bool(self.workers) and self.models is not None

    def as_json(self) -> dict[str, Any]:
        return {
            "status": "ok" if self.is_well else "down",
            "database": "ok" if self.has_database else "down",
            "redis": "ok" if self.has_redis else "down",
            "workers": self.workers,
            "models_loaded": self.models,
            "problems": list(self.problems),
        }


def check() -> Health:
    problems: list[str] = []
    has_database = _database(problems)
    return Health(
        has_database=has_database,
        has_redis=_redis(problems),
        workers=_workers(problems),
        models=_models(problems) if has_database else None,
        problems=tuple(problems),
    )


def _database(problems: list[str]) -> bool:
    is_up = database_answers()
    if not is_up:
        problems.append("PostgreSQL does not answer")
    return is_up


def _redis(problems: list[str]) -> bool:
    is_up = cache_answers(patience=PATIENCE)
    if not is_up:
        problems.append("Redis does not answer; scores come from PostgreSQL meanwhile")
    return is_up


def _workers(problems: list[str]) -> int | None:
    try:
        with current_app.connection_for_read() as queue:  # of its own: a pool would remember a queue that is back
            answers = current_app.control.inspect(timeout=PATIENCE, connection=queue).ping() or {}
    except (QueueDown, redis.RedisError, OSError):
        problems.append("the queue does not answer, so no worker can")
        return None
    if not answers:
        problems.append(f"no worker answered within {PATIENCE:g} s")
    return len(answers)


def _models(problems: list[str]) -> int | None:
    """1 with an active model in memory, 0 on day zero."""
    try:
        return 0 if loading.active_model().is_baseline else 1
    except ModelRefused as refused:
        problems.append(f"the active model is not loaded: {refused}")
        return None
