"""How often may one caller ask? Counted in Redis for all processes together, in windows of fixed length."""

from __future__ import annotations

import functools
import logging
import math
import time
from typing import TYPE_CHECKING, Any, cast

import redis
from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.authentication import caller_of

if TYPE_CHECKING:  # it reads DRF's settings, which name this module
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PATIENCE = 0.5  # s; a slow counter must not become the slow part of every answer


def rate(name: str) -> tuple[int, int]:
    """How many in how many seconds: `6000/min` is (6000, 60). ValueError or KeyError for anything else."""
    rates: Any = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    number, _, period = rates[name].partition("/")
    return int(number), SECONDS[period[0]] if period else 1


def wait_for(name: str, who: str) -> float:
    """Count one request of `who` under the rate `name`; seconds to wait, 0 = go on. Raises redis.RedisError."""
    most, seconds = rate(name)
    now = time.time()
    window = int(now // seconds)
    key = f"throttle:{name}:{who}:{window}"
    with _client(settings.REDIS_CACHE_URL).pipeline(transaction=False) as pipe:
        count, _ = pipe.incr(key).expire(key, seconds).execute()
    return 0.0 if count <= most else (window + 1) * seconds - now


def wait_to_sign_in(request: HttpRequest, name: str) -> float:
    """Count one try of this name from this address, page or API; seconds to wait. Raises redis.RedisError."""
    address = BaseThrottle().get_ident(cast(Request, request)) or "local"
    return max(wait_for("sign-in", f"name:{name.lower()}"), wait_for("sign-in", f"address:{address}"))


class CallerThrottle(BaseThrottle):
    """Each person and each key has a rate of its own. Without Redis nobody is counted: reading goes on."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller = caller_of(request)
        who = caller.api_key or caller.user
        try:
            self.seconds = wait_for("caller", f"{caller.kind}:{who.pk if who else ''}")
        except redis.RedisError as error:
            logger.warning("requests are not counted", extra={"error": str(error)})
            self.seconds = 0.0
        return self.seconds == 0.0

    def wait(self) -> float:
        return math.ceil(self.seconds)


@functools.cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
