"""What can go wrong at a changing call, as deeds on a stage."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

from pipelines.actuator import journal
from pipelines.domain.lifecycle import StepState
from spotopt.local.faults import FaultKind
from tests.pipelines.actuator.switches import Killed, Stage, kill

CALLS = {
    "image": "ec2:CreateImage",
    "launch": "ec2:RunInstances",
    "register": "elasticloadbalancing:RegisterTargets",
    "deregister": "elasticloadbalancing:DeregisterTargets",
    "release_address": "ec2:DisassociateAddress",
    "move_address": "ec2:AssociateAddress",
    "terminate": "ec2:TerminateInstances",
}

Arrange = Callable[[Stage, Any, str], AbstractContextManager[Any] | None]


@dataclass(frozen=True)
class FaultCase:
    """A fault's name, and how it is laid at the first call of a kind of step."""

    name: str
    arrange: Arrange

    def __str__(self) -> str:
        return self.name


def at_the_call(kind: FaultKind, **words: Any) -> Arrange:
    return lambda stage, operation, step: stage.cloud.fault(CALLS[step], kind, **words) and None


def doing(kind: FaultKind, deed: Callable[[Stage, Any, str], Any]) -> Arrange:
    def arrange(stage: Stage, operation: Any, step: str) -> None:
        stage.cloud.fault(CALLS[step], kind, deed=lambda: deed(stage, operation, step))

    return arrange


def killed_after_the_journal(stage: Stage, operation: Any, step: str) -> AbstractContextManager[Any]:
    written = journal.end_step

    def end_step(held: Any, row: Any, state: StepState, **fields: Any) -> None:
        written(held, row, state, **fields)
        if row.kind == step and state is StepState.DONE:
            raise Killed

    return mock.patch.object(journal, "end_step", end_step)


def protect(stage: Stage, *_: Any) -> None:
    stage.ec2.modify_instance_attribute(InstanceId=stage.target_id, DisableApiTermination={"Value": True})


def retag(stage: Stage, *_: Any) -> None:
    stage.ec2.create_tags(Resources=[stage.target_id], Tags=[{"Key": "team", "Value": "another"}])


def interrupt_new(stage: Stage, *_: Any) -> None:
    for instance_id in stage.ours():
        stage.cloud.control("interrupt", instance_id=instance_id, now=True)


def deliver_again(stage: Stage, operation: Any, step: str) -> None:
    assert not stage.turn(operation, "delivered twice"), "a second worker got the lease"


def overtake(stage: Stage, operation: Any, step: str) -> None:
    """The worker sleeps in the middle of its call; another takes the Operation over, and only then does it go on."""
    stage.advance(journal.LEASE.total_seconds() + 1)
    stage.turn(operation, "overtaking")


FAULTS = (
    FaultCase("killed before the call", doing(FaultKind.DO, lambda *_: kill())),
    FaultCase("killed after the call", doing(FaultKind.DO_AFTER, lambda *_: kill())),
    FaultCase("killed after the journal", killed_after_the_journal),
    FaultCase("answer lost, no effect", at_the_call(FaultKind.LOSE_BEFORE)),
    FaultCase("answer lost, with effect", at_the_call(FaultKind.LOSE_AFTER)),
    FaultCase("no answer, with effect", at_the_call(FaultKind.HANG_AFTER)),
    FaultCase("throttled", at_the_call(FaultKind.REFUSE, count=3)),
    FaultCase("capacity", at_the_call(FaultKind.REFUSE, code="InsufficientInstanceCapacity")),
    FaultCase("busy", at_the_call(FaultKind.REFUSE, code="ResourceInUse", count=2)),
    FaultCase("denied", at_the_call(FaultKind.REFUSE, code="UnauthorizedOperation", count=1)),
    FaultCase("expired", at_the_call(FaultKind.REFUSE, code="ExpiredToken")),
    FaultCase("protected meanwhile", doing(FaultKind.DO, protect)),
    FaultCase("tagged meanwhile", doing(FaultKind.DO, retag)),
    FaultCase("replacement interrupted before", doing(FaultKind.DO, interrupt_new)),
    FaultCase("replacement interrupted after", doing(FaultKind.DO_AFTER, interrupt_new)),
    FaultCase("delivered twice", doing(FaultKind.DO, deliver_again)),
    FaultCase("overtaken before the call", doing(FaultKind.DO, overtake)),
    FaultCase("overtaken after the call", doing(FaultKind.DO_AFTER, overtake)),
)


def laid(fault: FaultCase, stage: Stage, operation: Any, step: str) -> AbstractContextManager[Any]:
    return fault.arrange(stage, operation, step) or nullcontext()
