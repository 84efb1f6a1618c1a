"""What has somebody at the control page told the cloud to do wrong?"""

from __future__ import annotations

import threading
from collections import Counter
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
    REFUSE = "refuse"
    LOSE_BEFORE = "lose-before"  # the connection breaks, nothing was done
    LOSE_AFTER = "lose-after"  # the connection breaks, it was done


@dataclass(slots=True)
class Fault:
    """Hits the next `left` calls whose action matches `pattern` (`DescribeInstances`, `ec2:*` …)."""

    kind: FaultKind
    pattern: str
    left: int
    code: str = ""

    def matches(self, call: Call) -> bool:
        return self.left > 0 and (fnmatchcase(call.action, self.pattern) or fnmatchcase(call.name, self.pattern))


@dataclass
class Switches:
    """The state of the control page. Kept in memory: a restart heals everything."""

    latency_ms: int = 0
    advisor: AdvisorMode = AdvisorMode.GOOD
    prices: PricesMode = PricesMode.GOOD
    disabled_regions: set[str] = field(default_factory=set)
    dry_pools: set[tuple[str, str]] = field(default_factory=set)  # (instance type, zone name or id)
    faults: list[Fault] = field(default_factory=list)
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # account, service:action, outcome
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        with self.lock:
            self.faults.append(fault)

    def next_fault(self, call: Call) -> Fault | None:
        """The first fault that matches; it is used up by one."""
        with self.lock:
            for fault in self.faults:
                if fault.matches(call):
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
            self.faults.clear()
            self.calls.clear()


def throttling_code(call: Call) -> str:
    """EC2 API throttling guide; "Common errors" of the others."""
    if call.service == "ec2":
        return "RequestLimitExceeded"
    return "ThrottlingException" if "json" in call.content_type else "Throttling"
