"""What a crash left is found by its tag and ended; what only looks like ours is left alone."""

from __future__ import annotations

import pytest

from accounts.aws.session import Access
from pipelines.actuator import clock, journal, reconciler
from pipelines.actuator.hands import eyes_for
from pipelines.models import Operation
from spotopt.local.faults import FaultKind
from tests.pipelines.actuator.switches import PARIS


def sweep(stage):
    return reconciler.sweep(stage.account, PARIS, eyes_for(stage.account, PARIS, door=stage.door))


def an_orphan(stage, operation):
    """An instance with that operation's tags, by its act role: as if a lost call had come to pass late."""
    session = stage.door.session_for(stage.account, PARIS, Access.ACT, run=str(operation.pk))
    request = operation.steps.filter(kind="launch").exclude(request=None).first().request
    made = session.client("ec2").run_instances(**request)
    return made["Instances"][0]["InstanceId"]


@pytest.fixture
def undone(stage):
    stage.cloud.fault("ec2:TerminateInstances", FaultKind.REFUSE, code="OperationNotPermitted")
    operation = stage.drive(stage.open(needs_image=False))  # from its own image, which outlives the operation
    assert operation.state == "undone", operation.reason
    return operation


def test_an_orphan_of_an_operation_that_has_ended_is_ended_through_the_journal(stage, undone):
    orphan = an_orphan(stage, undone)
    stage.advance(60)
    assert sweep(stage).orphans == [f"instance/{orphan}"]
    sweeping = Operation.objects.get(kind="sweep_instance")
    assert (sweeping.target, sweeping.parent) == (f"instance/{orphan}", undone)
    stage.drive(sweeping)
    assert sweeping.state == "done", sweeping.reason
    assert stage.cloud.census().instances[orphan].state in {"shutting-down", "terminated"}
    assert stage.cloud.census().instances[stage.target_id].state == "running"


def test_without_the_sweeper_it_would_run_for_ever(stage, undone):
    orphan = an_orphan(stage, undone)
    stage.advance(3600)
    assert stage.cloud.census().instances[orphan].state == "running"
    assert stage.leftovers() != []


def test_what_is_younger_than_half_a_minute_may_still_be_on_its_way_into_the_journal(stage, undone):
    an_orphan(stage, undone)
    stage.advance(20)
    assert sweep(stage).orphans == []


def test_the_same_orphan_is_swept_once(stage, undone):
    an_orphan(stage, undone)
    stage.advance(60)
    sweep(stage)
    assert sweep(stage).orphans == []


def test_what_names_no_operation_of_ours_is_left_alone_whoever_tagged_it(stage):
    for value in ("not an id", "6f0b9a50-0f35-4b5c-9a0c-6f6d3c1d2e3f"):
        tags = [{"Key": "ManagedBy", "Value": "SpotOptimizer"}, {"Key": "spotopt:operation", "Value": value}]
        stage.ec2.create_tags(Resources=[stage.target_id], Tags=tags)
        stage.advance(60)
        found = sweep(stage)
        assert found.orphans == []
        assert found.strangers == [f"instance/{stage.target_id}"]


def test_a_replacement_that_is_in_place_is_no_orphan_and_its_image_has_its_operation(stage):
    assert stage.drive(stage.open()).state == "done"
    stage.advance(3600)
    found = sweep(stage)
    assert (found.orphans, found.strangers) == ([], [])


def test_what_an_open_operation_made_is_its_own_business(stage):
    operation = stage.open()
    stage.drive(operation, until=lambda: operation.steps.get(kind="checks").state == "started")
    stage.advance(120)
    assert sweep(stage).orphans == []


def test_an_image_that_nothing_answers_for_is_removed(stage):
    operation = stage.drive(stage.open())
    follower = Operation.objects.get(parent=operation)
    Operation.objects.filter(pk=follower.pk).update(state="undone", ended_at=clock.now())
    stage.advance(60)
    assert sweep(stage).orphans == [follower.target]
    again = Operation.objects.get(parent=operation, state="running")
    stage.drive(again)
    assert again.state == "done", again.reason
    assert not [each for each in stage.leftovers() if each.startswith("image/")]


def test_an_operation_whose_due_time_was_lost_is_woken(stage):
    operation = stage.open()
    Operation.objects.filter(pk=operation.pk).update(due_at=None)
    assert journal.due(most=9) == []
    assert reconciler.wake_lost() == 1
    assert journal.due(most=9) == [operation.pk]
