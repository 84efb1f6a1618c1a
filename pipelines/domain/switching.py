"""In which order is one instance replaced by a Spot copy? Old capacity goes last; what comes before can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.domain.plan import Plan, PlannedStep

KIND = "linear_switch"
MOST_DESTINATIONS = 5  # safety.md 2: up to five candidates, then STAY


@dataclass(frozen=True, slots=True)
class Destination:
    """A pool with the subnet to launch in."""

    instance_type: str
    zone_id: str
    subnet_id: str
    is_burstable: bool

    @property
    def pool(self) -> tuple[str, str]:
        return self.instance_type, self.zone_id


@dataclass(frozen=True, slots=True)
class Registration:
    """The old instance's place in a target group."""

    group_arn: str
    group_name: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Switch:
    """All that the order of the steps depends on. `addresses` are allocations of Elastic IPs."""

    target_id: str
    region: str
    subject: Mapping[str, Any]
    destinations: Sequence[Destination]
    registrations: Sequence[Registration] = ()
    addresses: Sequence[str] = ()
    needs_image: bool = True  # False: its own image and user data rebuild it
    probes: int = 5
    probe_seconds: float = 60.0
    breaker_failures: int = 3


def linear_switch(switch: Switch) -> Plan:
    """The plan. ValueError for no destination, or for too many."""
    if not 0 < len(switch.destinations) <= MOST_DESTINATIONS:
        raise ValueError(f"{len(switch.destinations)} destinations; 1 to {MOST_DESTINATIONS} are tried")
    return Plan(
        kind=KIND,
        region=switch.region,
        target=f"instance/{switch.target_id}",
        subject=switch.subject,
        steps=tuple(_steps(switch)),
        breaker_failures=switch.breaker_failures,
    )


def _steps(switch: Switch) -> list[PlannedStep]:
    groups = [asdict(each) for each in switch.registrations]
    health = {"probes": switch.probes, "probe_seconds": switch.probe_seconds}
    addresses = [{"allocation_id": each} for each in switch.addresses]
    return [
        *([PlannedStep("image"), PlannedStep("image_ready")] if switch.needs_image else []),
        *(PlannedStep("launch", _where(each), each.pool) for each in switch.destinations),
        PlannedStep("checks"),
        *(PlannedStep("register", group) for group in groups),
        *(PlannedStep("healthy", {**group, **health}) for group in groups),
        *(PlannedStep("deregister", group) for group in groups),
        *(PlannedStep("drained", group) for group in groups),
        *(PlannedStep(kind, each) for each in addresses for kind in ("release_address", "move_address")),
        PlannedStep("terminate", {"groups": groups, "addresses": list(switch.addresses)}),
        PlannedStep("ended"),
    ]


def _where(destination: Destination) -> dict[str, Any]:
    return {
        "instance_type": destination.instance_type,
        "subnet_id": destination.subnet_id,
        "is_burstable": destination.is_burstable,
    }
