"""Does each refusal of gate zero answer for itself, with the value that offends?"""

from dataclasses import fields

import pytest

from pipelines.domain.refusals import refusals
from pipelines.domain.target import Disk, Target
from pipelines.domain.verdict import Outcome
from tests.pipelines.domain.cases import NOW, some_facts

FURTHER = (Disk("vol-1", "/dev/xvda", True, False), Disk("vol-2", "/dev/sdf", True, False))


def answers(**fields_):
    return {verdict.gate: verdict for verdict in refusals(some_facts(**fields_))}


def test_a_plain_stateless_machine_is_refused_by_nothing():
    outcomes = {gate: verdict.outcome for gate, verdict in answers(policy={"are_commitments_declared": True}).items()}
    assert set(outcomes.values()) == {Outcome.PASS, Outcome.NOT_APPLICABLE}
    assert {gate for gate, outcome in outcomes.items() if outcome is Outcome.NOT_APPLICABLE} == {
        "health_url",
        "write_rate",
    }


@pytest.mark.parametrize(
    "changed, gate, value",
    [
        ({"state": "stopped"}, "running", "stopped"),
        ({"is_spot": True}, "on_demand", "Spot"),
        ({"group_name": "web"}, "group_member", "web"),
        ({"tags": {"aws:autoscaling:groupName": "web"}}, "group_member", "web"),
        ({"cluster_name": "shop"}, "cluster_node", "shop"),
        ({"tags": {"kubernetes.io/cluster/shop": "owned"}}, "cluster_node", "kubernetes.io/cluster/shop"),
        ({"tags": {"karpenter.sh/nodepool": "default"}}, "cluster_node", "karpenter.sh/nodepool"),
        ({"operator": "ecs.amazonaws.com"}, "service_run", "ecs.amazonaws.com"),
        ({"tags": {"aws:ec2:fleet-id": "fleet-1"}}, "service_run", "aws:ec2:fleet-id"),
        ({"tags": {"aws:elasticmapreduce:job-flow-id": "j-1"}}, "service_run", "aws:elasticmapreduce:job-flow-id"),
        ({"tags": {"aws:someday:new": "x"}}, "service_run", "aws:someday:new"),
        ({"tags": {"AWSBatchServiceTag": "batch"}}, "service_run", "AWSBatchServiceTag"),
        ({"tags": {"CreatedBy": "EC2 Image Builder"}}, "service_run", "CreatedBy: EC2 Image Builder"),
        ({"tags": {"aws:cloudformation:stack-name": "s"}}, "infrastructure_code", "aws:cloudformation:stack-name"),
        ({"tags": {f"t{n}": "" for n in range(48)}}, "tags", 48),
        ({"root_device_type": "instance-store"}, "root_volume", "instance-store"),
        ({"has_local_disk_in_use": True}, "local_disk", True),
        ({"disks": FURTHER}, "data_volumes", "vol-2 at /dev/sdf"),
        ({"disks": (Disk("vol-1", "/dev/xvda", False, False),)}, "kept_volumes", "vol-1 at /dev/xvda"),
        ({"disks": (Disk("vol-1", "/dev/xvda", True, True),)}, "shared_volumes", "vol-1 at /dev/xvda"),
        ({"n_interfaces": 2}, "interfaces", 2),
        ({"n_private_ips": 3}, "private_addresses", 3),
        ({"is_source_dest_check": False}, "forwarding", True),
        ({"is_route_target": True}, "route_target", True),
        ({"has_efa": True}, "efa", True),
        ({"is_termination_protected": True}, "termination_protection", True),
        ({"is_stop_protected": True}, "stop_protection", True),
        ({"is_scale_in_protected": True}, "scale_in_protection", True),
        ({"is_hibernation_configured": True}, "hibernation", True),
        ({"tags": {"spotopt:ignore": ""}}, "ignore_tag", "spotopt:ignore"),
        ({"tenancy": "dedicated"}, "tenancy", "dedicated"),
        ({"host_id": "h-1"}, "host", "h-1"),
        ({"is_capacity_reservation_targeted": True}, "capacity_reservation", True),
        ({"capacity_block_id": "cb-1"}, "capacity_block", "cb-1"),
        ({"placement_group": "near", "placement_strategy": "cluster"}, "placement_group", "near"),
        ({"outpost_arn": "arn:aws:outposts:1"}, "outpost", "arn:aws:outposts:1"),
        ({"zone_id": "use1-bos1-az1"}, "local_zone", "use1-bos1-az1"),
        ({"is_enclave": True}, "enclave", True),
        ({"license_arns": ("arn:1",)}, "license", "arn:1"),
        ({"platform_details": "Windows with SQL Server Standard"}, "windows", True),
        ({"product_codes": ("abc",)}, "product_codes", "abc"),
        ({"usage_operation": "RunInstances:0004"}, "usage_operation", "RunInstances:0004"),
        ({"reservations": ("ri-1", "ri-2")}, "reserved_instances", "ri-1, ri-2"),
    ],
)
def test_each_reason_refuses_alone_and_names_what_offends(changed, gate, value):
    found = answers(target=changed)
    assert (found[gate].outcome, found[gate].value) == (Outcome.FAIL, value)
    assert [other for other, verdict in found.items() if verdict.outcome is Outcome.FAIL] == [gate]


@pytest.mark.parametrize(
    "changed, gate",
    [
        ({"product": ""}, "product"),
        ({"zone_id": ""}, "zone"),
        ({"root_device_type": None}, "root_volume"),
        ({"disks": ()}, "root_volume"),
        ({"has_local_disk_in_use": None}, "local_disk"),
        ({"disks": (Disk("vol-1", "/dev/xvda", None, False),)}, "kept_volumes"),
        ({"disks": (Disk("vol-1", "/dev/xvda", True, None),)}, "shared_volumes"),
        ({"n_interfaces": None}, "interfaces"),
        ({"n_private_ips": None}, "private_addresses"),
        ({"is_source_dest_check": None}, "forwarding"),
        ({"is_route_target": None}, "route_target"),
        ({"has_efa": None}, "efa"),
        ({"is_termination_protected": None}, "termination_protection"),
        ({"is_stop_protected": None}, "stop_protection"),
        ({"is_scale_in_protected": None}, "scale_in_protection"),
        ({"is_hibernation_configured": None}, "hibernation"),
        ({"tenancy": None}, "tenancy"),
        ({"is_capacity_reservation_targeted": None}, "capacity_reservation"),
        ({"placement_group": "near"}, "placement_group"),
        ({"is_enclave": None}, "enclave"),
        ({"platform_details": None}, "windows"),
        ({"usage_operation": None}, "usage_operation"),
        ({"reservations": None}, "reserved_instances"),
    ],
)
def test_a_fact_nobody_knows_refuses(changed, gate):
    verdict = answers(target=changed)[gate]
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.is_blocking(is_shadow=True)


def test_every_fact_of_a_target_that_can_be_unknown_is_looked_at():
    looked_at = {each.name for each in fields(Target) if "None" in str(each.type)}
    refused = {
        name
        for name in looked_at
        if any(verdict.outcome is Outcome.UNKNOWN for verdict in answers(target={name: None}).values())
    }
    # what the word of people leaves open is no fact of the machine; a strategy is asked where there is a group
    assert looked_at - refused == {"placement_strategy", "stateless_said_at", "last_switched_at"}


def test_all_refusals_answer_whatever_the_others_say():
    unlike = answers(target={"is_spot": True, "state": "stopped", "tenancy": "host", "product": ""})
    assert list(unlike) == list(answers())


def test_a_tag_of_a_launch_template_says_nothing():
    assert answers(target={"tags": {"aws:ec2launchtemplate:id": "lt-1"}})["service_run"].outcome is Outcome.PASS


def test_a_tag_the_organization_named_marks_infrastructure_code():
    found = answers(target={"tags": {"terraform": "yes"}}, policy={"infrastructure_tags": ["terraform"]})
    assert (found["infrastructure_code"].outcome, found["infrastructure_code"].value) == (Outcome.FAIL, "terraform")


def test_a_partition_placement_group_moves_along():
    found = answers(target={"placement_group": "wide", "placement_strategy": "partition"})
    assert found["placement_group"].outcome is Outcome.PASS


def test_declared_commitments_speak_for_reservations_and_savings_plans():
    found = answers(target={"reservations": ("ri-1",)}, policy={"are_commitments_declared": True})
    assert found["reserved_instances"].outcome is found["savings_plans"].outcome is Outcome.PASS


@pytest.mark.parametrize("gate", ["stateless", "savings_plans"])
def test_a_word_that_is_missing_blocks_acting_but_not_shadow(gate):
    verdict = answers(target={"stateless_said_by": "", "stateless_said_at": None})[gate]
    assert verdict.outcome is Outcome.NEEDED
    assert verdict.is_blocking(is_shadow=False)
    assert not verdict.is_blocking(is_shadow=True)


def test_a_statement_without_its_time_is_none():
    assert (
        answers(target={"stateless_said_by": "alice", "stateless_said_at": None})["stateless"].outcome is Outcome.NEEDED
    )
    assert answers(target={"stateless_said_by": "alice", "stateless_said_at": NOW})["stateless"].outcome is Outcome.PASS


@pytest.mark.parametrize("gate", ["health_url", "write_rate"])
def test_what_is_measured_right_before_acting_blocks_only_who_acts(gate):
    assert answers()[gate].outcome is Outcome.NOT_APPLICABLE
    acting = answers(is_shadow_instance=False, policy={"acting": "auto"})[gate]
    assert acting.outcome is Outcome.UNKNOWN
