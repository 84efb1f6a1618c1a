"""What is a node, a pod, a budget to us? Frozen values, read once, with what the server calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    effect: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """`instance_id` and `zone` come from spec.providerID alone: names are reused, ids are not. None = not EC2's."""

    name: str
    uid: str
    version: str
    instance_id: str | None
    zone: str | None
    is_ready: bool
    ready_since: datetime | None
    is_cordoned: bool
    taints: tuple[Taint, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    cpu: float  # allocatable, cores
    memory_bytes: float
    pods: float


@dataclass(frozen=True, slots=True)
class PodSeen:
    """`owner_kind` is its controller's; None = nobody would bring it back. Requests are sums over its containers."""

    namespace: str
    name: str
    uid: str
    node: str | None
    phase: str
    is_ready: bool
    is_leaving: bool
    leaves_by: datetime | None
    owner_kind: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    has_local_data: bool
    claims: tuple[str, ...]  # persistent volume claims
    cpu: float
    memory_bytes: float
    grace_seconds: int

    @property
    def is_mirror(self) -> bool:
        """Made by a kubelet from a file: it cannot be evicted, and is back at once."""
        return "kubernetes.io/config.mirror" in self.annotations

    @property
    def is_daemon(self) -> bool:
        return self.owner_kind == "DaemonSet"

    @property
    def has_ended(self) -> bool:
        return self.phase in {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class BudgetSeen:
    """A disruption budget as its controller last saw it; `is_seen` is False while it has not yet."""

    namespace: str
    name: str
    allowed: int
    healthy: int
    desired: int
    expected: int
    is_seen: bool
