"""Plans and hands for tests of the journal and the runner alone: one step, on a world that counts."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pipelines.actuator import clock, journal
from pipelines.actuator.steps.contract import StepKind
from pipelines.domain.plan import Plan, PlannedStep
from pipelines.models import Operation
from tests.factories import a_pool, an_account

ACT_ROLE = "arn:aws:iam::111122223333:role/spotopt-act"
HOURS = timedelta(hours=1)


def an_acting_account(**fields: Any):
    return an_account(**{"act_role_arn": ACT_ROLE} | fields)


def a_plan(*steps: PlannedStep, target: str = "instance/i-0old", kind: str = "linear_switch", **fields: Any) -> Plan:
    return Plan(
        kind=kind, region="us-east-1", target=target, subject={}, steps=steps or (PlannedStep("make"),), **fields
    )


def a_launch_plan(zone_id: str = "use1-az1", **fields: Any) -> Plan:
    a_pool("m5.large", zone_id)
    return a_plan(PlannedStep("make", pool=("m5.large", zone_id)), **fields)


def an_operation(account=None, plan: Plan | None = None, *, begun: bool = True, **fields: Any) -> Operation:
    options: dict[str, Any] = {"by": "a test", "is_shadow": False} | fields
    operation = journal.open_operation(account or an_acting_account(), plan or a_plan(), **options)
    if begun:
        journal.begin(operation, by="a test")
    return operation


@contextmanager
def later(by: timedelta):
    """The same instant, so much later, for whoever asks the clock."""
    before = clock._offset
    clock._offset = before + by
    try:
        yield
    finally:
        clock._offset = before


@dataclass
class World:
    """What a call that takes no token does: each one has its effect."""

    made: list[str] = field(default_factory=list)

    def make(self, token: str) -> None:
        self.made.append(token)


@dataclass
class CountingHands:
    """Stands where CloudHands do; `before_call` first, as they do."""

    world: World
    before_call: Any

    def made_by(self, operation_id: str) -> list[Any]:
        return []  # it makes no instances

    def spot_requests_of(self, operation_id: str) -> list[Any]:
        return []

    def make(self, token: str) -> None:
        self.before_call()
        self.world.make(token)


def making(world: World, **fields: Any) -> StepKind:
    usual: dict[str, Any] = {
        "name": "make",
        "title": "Make one",
        "deadline": 10 * HOURS,
        "observe": lambda eyes, at: {"made": world.made[0]} if world.made else None,
        "act": lambda hands, at: hands.make(at.token) or {"made": at.token},
    }
    return StepKind(**usual | fields)
