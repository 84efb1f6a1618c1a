"""What has somebody at the control page told the cloud to do wrong?"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from spotopt.local.wire import Call


class AdvisorMode(StrEnum):
    GOOD = "good"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    DIFFERENT = "different"
    GONE = "gone"


class PricesMode(StrEnum):
    GOOD = "good"
    EMPTY = "empty"
    DUPLICATES = "duplicates"
    ABSURD = "absurd"
    HUGE = "huge"


class FaultKind(StrEnum):
    """Before: nothing was done. After: it was done all the same, and the caller does not learn of it."""

    REFUSE = "refuse"
    REFUSE_AFTER = "refuse-after"
    LOSE_BEFORE = "lose-before"  # the connection breaks
    LOSE_AFTER = "lose-after"
    HANG_BEFORE = "hang-before"  # no answer until the caller gives up
    HANG_AFTER = "hang-after"
    KILL_BEFORE = "kill-before"  # the caller's process ends by SIGKILL
    KILL_AFTER = "kill-after"
    DO = "do"  # something else happens just before: the world moves between look and act
    DO_AFTER = "do-after"

    @property
    def is_after(self) -> bool:
        return self.value.endswith("-after")


@dataclass(slots=True)
class Fault:
    """Hits `left` calls whose action matches `pattern` (`DescribeInstances`, `ec2:*` …), after letting `skip` pass.

    A dry run is a call of its own: `ec2:RunInstances:dry-run`. `deed` is what happens with DO and KILL.
    """

    kind: FaultKind
    pattern: str
    left: int = 1
    code: str = ""
    skip: int = 0
    deed: Callable[[], None] | None = None

    def matches(self, call: Call) -> bool:
        names = (f"{call.name}:dry-run",) if call.is_dry_run else (call.action, call.name)
        return self.left > 0 and any(fnmatchcase(name, self.pattern) for name in names)


@dataclass
class Switches:
    """The state of the control page. Kept in memory: a restart heals everything."""

    latency_ms: int = 0
    hang_seconds: float = 90  # longer than any client of ours waits
    advisor: AdvisorMode = AdvisorMode.GOOD
    prices: PricesMode = PricesMode.GOOD
    disabled_regions: set[str] = field(default_factory=set)
    dry_pools: set[tuple[str, str, str]] = field(default_factory=set)  # (type, zone name or id, market); "" = any
    quotas: dict[tuple[str, str], int] = field(default_factory=dict)  # (account, spot or on-demand) → vCPUs
    free_addresses: dict[str, int] = field(default_factory=dict)  # subnet → how many it still has
    sick: int = 0  # so many of the next instances never answer on their own pages
    faults: list[Fault] = field(default_factory=list)
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # account, service:action, outcome
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_dry(self, instance_type: str, zones: tuple[str, str], market: str) -> bool:
        """Is there no capacity of this type in the zone of that name and id?"""
        return any(
            kind in ("", instance_type) and zone in ("", *zones) and sold in ("", market)
            for kind, zone, sold in self.dry_pools
        )

    def take_sick(self) -> bool:
        """Is the instance that starts now one of the sick?"""
        if self.sick == 0:
            return False
        self.sick -= 1
        return True

    def add(self, fault: Fault) -> None:
        with self.lock:
            self.faults.append(fault)

    def next_fault(self, call: Call) -> Fault | None:
        """The first fault that matches and has let enough pass; it is used up by one."""
        with self.lock:
            for fault in self.faults:
                if not fault.matches(call):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.left -= 1
                return fault
        return None

    def count(self, account_id: str, call: Call, outcome: str) -> None:
        with self.lock:
            self.calls[(account_id, call.name, outcome)] += 1

    def heal(self) -> None:
        """Back to a cloud that works; the counts start anew."""
        with self.lock:
            self.latency_ms = 0
            self.advisor, self.prices = AdvisorMode.GOOD, PricesMode.GOOD
            self.disabled_regions.clear()
            self.dry_pools.clear()
            self.quotas.clear()
            self.free_addresses.clear()
            self.sick = 0
            self.faults.clear()
            self.calls.clear()


def throttling_code(call: Call) -> str:
    """EC2 API throttling guide; "Common errors" of the others."""
    if call.service == "ec2":
        return "RequestLimitExceeded"
    return "ThrottlingException" if "json" in call.content_type else "Throttling"
