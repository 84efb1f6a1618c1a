"""May this account be asked again now, or must the caller wait?

AWS throttles by account, region and API, and the customer's own tools spend the same tokens. We take a tenth of the
published rate (EC2 guide, "Request throttling for the Amazon EC2 API"), and half of that for five minutes after
AWS has said RequestLimitExceeded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from accounts.aws.errors import Throttled

TENANT_SHARE = 0.1
INSTALLATION_SHARE = 0.5  # our own account: nobody else's tools depend on it
SLOW_SECONDS = 300.0
LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """A published bucket: `burst` requests at once, `per_second` refilled."""

    burst: float
    per_second: float


# EC2 guide, table "Request token bucket sizes and refill rates". We always paginate or filter, so the smaller bucket
# of unfiltered and unpaginated calls is never ours.
EC2_READ = Rate(100, 20)
EC2_CHANGE = Rate(50, 5)
EC2_OWN: Mapping[str, Rate] = {
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "TerminateInstances": Rate(100, 5),
    "CreateTags": Rate(100, 10),
    "CreateSnapshot": Rate(100, 5),
    "DeleteSnapshot": Rate(100, 5),
    "DeregisterImage": Rate(100, 5),
}
STS_ANY = Rate(600, 600)  # IAM guide, "IAM and AWS STS quotas": 600 a second per account and region
UNPUBLISHED_READ = Rate(100, 10)  # Auto Scaling and Price List publish nothing: the console's EC2 rate
UNPUBLISHED_CHANGE = Rate(50, 5)
READS = ("Describe", "Get", "List", "Search")


def published_rate(service: str, operation: str) -> Rate:
    """What AWS grants an account in a region for one API; `service` as in an endpoint: ec2, autoscaling, sts."""
    is_read = operation.startswith(READS)
    if service == "sts":
        return STS_ANY
    if service == "ec2":
        return EC2_OWN.get(operation) or (EC2_READ if is_read else EC2_CHANGE)
    return UNPUBLISHED_READ if is_read else UNPUBLISHED_CHANGE


@dataclass(slots=True)
class Bucket:
    """Tokens of one account, region and API. A negative level is a queue: callers who already wait."""

    rate: Rate
    level: float
    settled_at: float
    slow_until: float = float("-inf")

    def settle(self, now: float) -> None:
        """Add what was refilled since the last look; time in the slow period counts half."""
        slow = max(0.0, min(now, self.slow_until) - self.settled_at)
        plain = max(0.0, now - self.settled_at - slow)
        self.level = min(self.rate.burst, self.level + self.rate.per_second * (plain + slow / 2))
        self.settled_at = max(now, self.settled_at)

    def wait_for_one(self, now: float) -> float:
        """Seconds until a token would be there for the next caller, after all who wait already."""
        missing = 1 - self.level
        if missing <= 0:
            return 0.0
        slow_left = max(0.0, self.slow_until - now)
        in_slow = slow_left * self.rate.per_second / 2
        if missing <= in_slow:
            return missing * 2 / self.rate.per_second
        return slow_left + (missing - in_slow) / self.rate.per_second


@dataclass(slots=True)
class Limiter:
    """One process's share of everybody's limits. Thread-safe; `clock` is monotonic."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    longest_wait: float = LONGEST_WAIT_SECONDS
    _buckets: dict[tuple[str, str, str, str], Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(
        self,
        account_id: str,
        region: str,
        service: str,
        operation: str,
        *,
        share: float,
        longest_wait: float | None = None,
    ) -> float:
        """Take one token, sleeping until it is there; returns the seconds slept.

        Raises Throttled, taking nothing, when that would be longer than `longest_wait` (None: the limiter's own).
        """
        longest_wait = self.longest_wait if longest_wait is None else longest_wait
        with self._lock:
            bucket = self._bucket(account_id, region, service, operation, share)
            wait = bucket.wait_for_one(self.clock())
            if wait > longest_wait:
                raise Throttled("LocalLimit", f"{account_id} {region}: the next call is due in {wait:.0f} s", operation)
            bucket.level -= 1
        if wait:
            self.sleep(wait)
        return wait

    def slow_down(self, account_id: str, region: str, service: str, operation: str, *, share: float) -> None:
        """AWS said RequestLimitExceeded: half the rate for the next five minutes, and no burst left."""
        with self._lock:
            bucket = self._bucket(account_id, region, service, operation, share)
            bucket.slow_until = self.clock() + SLOW_SECONDS
            bucket.level = min(bucket.level, 0.0)

    def _bucket(self, account_id: str, region: str, service: str, operation: str, share: float) -> Bucket:
        key = (account_id, region, service, operation)
        now = self.clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            published = published_rate(service, operation)
            rate = Rate(max(1.0, published.burst * share), published.per_second * share)
            bucket = self._buckets[key] = Bucket(rate, rate.burst, now)
        bucket.settle(now)
        return bucket
