"""One instance is replaced by a Spot copy: how it goes when nothing goes wrong, and what a person sees when it does."""

from __future__ import annotations

from pipelines.domain.lifecycle import OperationState
from pipelines.domain.plan import OPERATION_TAG, REPLACES_TAG


def test_a_switch_ends_with_one_spot_copy_and_the_old_instance_gone(stage):
    operation = stage.drive(stage.open())
    assert operation.state == OperationState.DONE, operation.reason
    (new,) = stage.ours().values()
    old = stage.cloud.census().instances[stage.target_id]
    assert (old.state, new.is_spot, new.is_up) == ("terminated", True, True)
    assert new.tags["Name"] == stage.name
    assert new.tags[REPLACES_TAG] == stage.target_id
    assert new.tags[OPERATION_TAG] == str(operation.pk)
    assert stage.violations == []
    assert stage.cloud.census().instances[stage.target_id].reboots == 0


def test_traffic_and_address_go_over_before_the_old_instance_ends(busy_stage):
    stage = busy_stage
    operation = stage.drive(stage.open())
    assert operation.state == OperationState.DONE, operation.reason
    assert stage.violations == []
    (new,) = stage.ours()
    now = stage.cloud.census()
    assert {key[0] for key in now.registrations if key[1] == new} == {"nw-api"}
    assert not [key for key in now.registrations if key[1] == stage.target_id]
    assert now.addresses[stage.ec2.describe_addresses()["Addresses"][0]["PublicIp"]] == new
    calls = [change.name.partition(":")[2] for change in stage.cloud.changes if "SpotOptimizerAct" in change.who]
    assert calls == [
        "CreateImage",
        "RunInstances",
        "RegisterTargets",
        "DeregisterTargets",
        "DisassociateAddress",
        "AssociateAddress",
        "TerminateInstances",
    ]
