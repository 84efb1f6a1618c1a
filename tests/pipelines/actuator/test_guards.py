"""Each guard has a schedule that goes red when it is taken out, and is green while it is there.

(The fence has its own in test_interleavings.py, the refusal of empty lists in tests/accounts/test_aws_write.py.)
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import pytest

from accounts.aws.errors import Denied, translated_errors
from accounts.aws.write import ec2
from governance.models import OptimizationPolicy
from pipelines.actuator import breaker, clock, runner
from pipelines.actuator.hands import CloudHands, as_sent
from pipelines.actuator.steps.capacity import end_made_by
from pipelines.actuator.steps.registry import KINDS
from spotopt.local.faults import FaultKind
from spotopt.local.world import World
from tests.pipelines.actuator import switches
from tests.pipelines.actuator.faults import interrupt_new
from tests.pipelines.actuator.switches import kill
from tests.pipelines.actuator.test_faults import GAP, assert_nothing_is_wrong


# --- Schedules: laid before the drive; what they return holds during it ----------------------------------------------
def unseen_and_lost(stage):
    """The launch happens, its answer is lost, and for half a minute AWS shows nothing of it."""
    stage.cloud.fault("ec2:RunInstances", FaultKind.LOSE_AFTER)
    return mock.patch.object(World.pace, "unseen", 30)


def lost_then_dry(stage):
    """The first launch happens and its answer is lost; asked again for a minute, AWS has no capacity."""
    stage.cloud.fault("ec2:RunInstances", FaultKind.LOSE_AFTER)
    stage.cloud.fault("ec2:RunInstances", FaultKind.REFUSE, code="InsufficientInstanceCapacity", count=5)


def killed_after_launch(stage):
    stage.cloud.fault("ec2:RunInstances", FaultKind.DO_AFTER, deed=kill)


def sick(stage):
    """The replacement passes its status checks, and its application never answers."""
    stage.cloud.control("sick", count=1)


def interrupted_after_checks(stage, operation):
    """The replacement goes between its last good look and the end of the old one."""
    stage.drive(operation, until=lambda: operation.steps.get(kind="checks").state == "done")
    interrupt_new(stage)


def old_ended_by_its_owner(stage):
    """While the replacement is being registered, the owner ends the old one himself; then the call is refused."""
    stage.cloud.fault(
        "elasticloadbalancing:RegisterTargets",
        FaultKind.REFUSE,
        code="AccessDenied",
        deed=lambda: stage.ec2.terminate_instances(InstanceIds=[stage.target_id]),
    )


def plain(stage):
    return None


# --- Guards, taken out --------------------------------------------------------------------------------------------
def with_kinds(**changed: Any):
    """The runner's table with some kinds changed."""
    table = {**KINDS, **{name: replace(KINDS[name], **fields) for name, fields in changed.items()}}
    turn = runner.turn
    return mock.patch.object(runner, "turn", lambda *args, **kwargs: turn(*args, **{"kinds": table} | kwargs))


def launching(send: Callable[[CloudHands, Any, str], str]):
    def launch(self, request, *, token):
        self._before_call()
        return send(self, as_sent(request), token)

    return mock.patch.object(CloudHands, "launch", launch)


def with_a_new_token_each_time():
    return launching(lambda hands, request, token: ec2.launch_spot(hands._act, request, token=uuid.uuid4().hex))


def without_tags():
    def send(hands, request, token):
        request.pop("TagSpecifications")
        made = hands._act.client("ec2").run_instances(**request, ClientToken=token)
        return made["Instances"][0]["InstanceId"]

    return launching(send)


def old_one_first():
    """The old one's end before the new one's checks, and nobody looks before it."""
    planned = switches.linear_switch

    def reordered(switch):
        plan = planned(switch)
        ends = [step for step in plan.steps if step.kind in {"terminate", "ended"}]
        before = [step for step in plan.steps if step.kind in {"image", "image_ready", "launch"}]
        rest = [step for step in plan.steps if step not in ends and step not in before]
        return replace(plan, steps=(*before, *ends, *rest))

    stack = ExitStack()
    stack.enter_context(mock.patch.object(switches, "linear_switch", reordered))
    stack.enter_context(with_kinds(terminate={"last_look": None}))
    return stack


def blind_to_health():
    return with_kinds(healthy={"observe": lambda eyes, at: {}}, deregister={"last_look": None})


def undo_without_looking():
    return with_kinds(launch={"undo": lambda hands, at: end_made_by(hands, at.operation_id, keep="")})


@dataclass(frozen=True)
class Guard:
    name: str
    schedule: Callable[[Any], AbstractContextManager[Any] | None]
    taken_out: Callable[[], AbstractContextManager[Any]]
    is_busy: bool = False
    between: Callable[[Any, Any], None] | None = None
    may_stick: bool = False

    def __str__(self) -> str:
        return self.name


GUARDS = [
    Guard("token", unseen_and_lost, with_a_new_token_each_time),
    Guard("observe first", lost_then_dry, lambda: with_kinds(launch={"observe": lambda eyes, at: None})),
    Guard("tags in the launch call", killed_after_launch, without_tags),
    Guard("last look", plain, lambda: with_kinds(terminate={"last_look": None}), between=interrupted_after_checks),
    Guard("health", sick, blind_to_health, is_busy=True),
    Guard("order", plain, old_one_first),
    Guard("undo only while the old one serves", old_ended_by_its_owner, undo_without_looking, True, may_stick=True),
]


def what_is_wrong(stage, guard: Guard) -> str:
    """Empty when the operation ended well, by the judge and by the cloud's state at the end."""
    operation = stage.open()
    try:
        with guard.schedule(stage) or nullcontext():
            if guard.between:
                guard.between(stage, operation)
            stage.drive(operation)
        if guard.may_stick:  # between its owner's deed and the next step nobody serves, and that is the owner's
            stage.violations = [each for each in stage.violations if not each.endswith(GAP)]
        assert stage.violations == []
        assert_nothing_is_wrong(stage, operation, guard.may_stick)
    except AssertionError as wrong:
        return str(wrong) or "wrong"
    return ""


@pytest.fixture
def guarded(request, guard):
    return request.getfixturevalue("busy_stage" if guard.is_busy else "stage")


@pytest.mark.parametrize("guard", GUARDS, ids=str)
def test_the_schedule_is_green_with_the_guard(guarded, guard):
    assert what_is_wrong(guarded, guard) == ""


@pytest.mark.parametrize("guard", GUARDS, ids=str)
def test_the_same_schedule_is_red_without_it(guarded, guard):
    with guard.taken_out():
        assert what_is_wrong(guarded, guard) != ""


# --- Who may not act at all ---------------------------------------------------------------------------------------
def acts(stage) -> list[str]:
    """The changing calls that came from us."""
    return [change.name for change in stage.cloud.changes if "SpotOptimizer" in change.who]


def test_a_shadow_run_makes_no_changing_call_and_says_which_it_would_have_made(stage):
    operation = stage.drive(stage.open(is_shadow=True))
    assert operation.state == "undone"
    image = operation.steps.get(kind="image")
    assert image.result["withheld"] == "CreateImage"
    assert image.result["request"]["NoReboot"] is True
    assert acts(stage) == []
    assert not [change for change in stage.cloud.changes if "SpotOptimizerAct" in change.who]


def test_hands_that_are_not_in_the_shadow_would_have_made_it(stage, monkeypatch):
    operation = stage.open(is_shadow=True)
    monkeypatch.setattr(type(operation), "is_shadow", property(lambda row: False, lambda row, value: None))
    stage.drive(operation, until=lambda: bool(acts(stage)))
    assert acts(stage)[0] == "ec2:CreateImage"


def test_read_credentials_could_not_write_even_if_they_were_asked_to(stage):
    session = stage.door.session_for(stage.account, switches.PARIS)
    with pytest.raises(Denied), translated_errors("TerminateInstances"):
        session.client("ec2").terminate_instances(InstanceIds=[stage.target_id])
    assert stage.cloud.census().instances[stage.target_id].state == "running"


def test_the_kill_switch_holds_the_very_next_call_and_the_operation_goes_on_when_it_is_taken_back(stage):
    operation = stage.open()
    stage.drive(operation, until=lambda: operation.steps.get(kind="image").state == "done")
    breaker.kill(stage.account, by="alice", reason="stop", now=clock.now())
    for _ in range(5):
        stage.advance(61)
        stage.turn(operation)
    operation.refresh_from_db()
    assert (operation.state, operation.resumes_to) == ("paused", "running")
    assert "the kill switch in this account is on: stop" in operation.reason
    assert acts(stage) == ["ec2:CreateImage"]
    breaker.revive(stage.account, by="alice", reason="go on", now=clock.now())
    assert stage.drive(operation).state == "done"


def test_without_the_kill_switch_being_read_the_calls_would_go_on(stage, monkeypatch):
    operation = stage.open()
    stage.drive(operation, until=lambda: operation.steps.get(kind="image").state == "done")
    breaker.kill(stage.account, by="alice", reason="stop", now=clock.now())
    monkeypatch.setattr(breaker, "check", lambda account_id: None)
    stage.drive(operation)
    assert len(acts(stage)) > 1


def test_an_account_that_goes_back_to_shadow_pauses_what_was_begun(stage):
    operation = stage.open()
    OptimizationPolicy.objects.update(overrides={"acting": "shadow"})
    stage.turn(operation)
    operation.refresh_from_db()
    assert operation.state == "paused"
    assert "says shadow" in operation.reason
    assert acts(stage) == []


def test_three_failures_in_a_row_trip_the_breaker(stage):
    for _ in range(3):
        stage.cloud.fault("ec2:CreateImage", FaultKind.REFUSE, code="UnauthorizedOperation")
        assert stage.drive(stage.open()).state == "undone"
    with pytest.raises(breaker.Halted, match="after 3 failures in a row"):
        stage.open()


def test_no_capacity_is_no_failure_of_ours(stage):
    for _ in range(3):
        stage.cloud.control("capacity", instance_type="*", zone="*")
        operation = stage.drive(stage.open("m5.large"))
        assert (operation.state, operation.failure) == ("undone", "capacity")
    stage.open()


def test_the_next_candidate_is_tried_when_the_first_pool_is_dry(stage):
    stage.cloud.control("capacity", instance_type="m5.large", zone="*")
    operation = stage.drive(stage.open("m5.large", "c5.large"))
    assert operation.state == "done", operation.reason
    states = list(operation.steps.filter(kind="launch").values_list("state", flat=True))
    assert states == ["failed", "done"]
    (new,) = stage.ours().values()
    assert new.instance_type == "c5.large"
