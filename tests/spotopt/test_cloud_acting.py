"""Is every change judged, recorded, and broken exactly as told?"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from tests.fakes.cloud import NORTHWIND
from tests.spotopt.cloud_things import code_of, look, named, started

OURS = {"StringEquals": {"aws:ResourceTag/ManagedBy": "SpotOptimizer"}}


def allow(*actions: str, **more) -> dict:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"} | more


@pytest.fixture
def ec2(inner_cloud):
    return inner_cloud.root(NORTHWIND, "ec2")


def acting(cloud, *statements, service="ec2", **more):
    """A client of a session of the role with these statements."""
    arn = cloud.deploy_policy(NORTHWIND, "agreed", allow("ec2:Describe*"), *statements)
    return cloud.assumed(arn, "agreed", service, **more)


def test_only_what_carries_our_tag_can_be_ended(inner_cloud, ec2):
    """IAM user guide, "Controlling access to AWS resources using tags"; Service Authorization Reference, EC2."""
    session = acting(inner_cloud, allow("ec2:TerminateInstances", Condition=OURS))
    instance_id = named(ec2, "api-1")["InstanceId"]
    assert code_of(session.terminate_instances, InstanceIds=[instance_id]) == "UnauthorizedOperation"
    assert code_of(session.terminate_instances, InstanceIds=[instance_id], DryRun=True) == "UnauthorizedOperation"
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "ManagedBy", "Value": "SpotOptimizer"}])
    assert code_of(session.terminate_instances, InstanceIds=[instance_id], DryRun=True) == "DryRunOperation"
    assert session.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"]


def test_tags_in_the_launch_call_need_their_own_permission(inner_cloud):
    """EC2 guide, "Grant permission to tag Amazon EC2 resources during creation": ec2:CreateTags, ec2:CreateAction."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "ManagedBy", "Value": "SpotOptimizer"}]}]
    session = acting(inner_cloud, allow("ec2:RunInstances"))
    assert code_of(started, session, TagSpecifications=tags) == "UnauthorizedOperation"
    assert started(session)["InstanceId"]
    during = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    session = acting(inner_cloud, allow("ec2:RunInstances"), allow("ec2:CreateTags", Condition=during))
    launched = started(session, TagSpecifications=tags)
    later = {"Resources": [launched["InstanceId"]], "Tags": [{"Key": "a", "Value": "b"}]}
    assert code_of(session.create_tags, **later) == "UnauthorizedOperation"


def test_a_role_can_be_given_to_a_machine_only_by_who_may_pass_it(inner_cloud):
    """IAM user guide, "Grant a user permissions to pass a role to an AWS service"."""
    iam = inner_cloud.root(NORTHWIND, "iam", "us-east-1")
    trust = {
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    }
    role = iam.create_role(RoleName="shop", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    profile = iam.create_instance_profile(InstanceProfileName="shop")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="shop", RoleName="shop")
    session = acting(inner_cloud, allow("ec2:RunInstances"))
    assert code_of(started, session, IamInstanceProfile={"Arn": profile}) == "UnauthorizedOperation"
    session = acting(inner_cloud, allow("ec2:RunInstances"), allow("iam:PassRole", Resource=role))
    launched = started(session, IamInstanceProfile={"Arn": profile})
    assert look(session, launched["InstanceId"])["IamInstanceProfile"]["Arn"] == profile


def test_a_session_policy_takes_away_what_the_role_may_change(inner_cloud):
    """STS reference, AssumeRole, Policy: the intersection."""
    reading = {"Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
    session = acting(inner_cloud, allow("ec2:*"), Policy=json.dumps(reading))
    assert code_of(started, session) == "UnauthorizedOperation"
    assert code_of(session.run_instances, MinCount=1, MaxCount=1, DryRun=True) == "UnauthorizedOperation"


def test_a_group_is_named_by_its_arn_and_its_tags(inner_cloud):
    """Service Authorization Reference, EC2 Auto Scaling: autoScalingGroup, aws:ResourceTag."""
    tagged = {"StringEquals": {"autoscaling:ResourceTag/Name": "nw-web"}}
    session = acting(inner_cloud, allow("autoscaling:Suspend*", Condition=tagged), service="autoscaling")
    session.suspend_processes(AutoScalingGroupName="nw-web", ScalingProcesses=["AZRebalance"])
    other = {"AutoScalingGroupName": "eks-nw-prod-workers", "ScalingProcesses": ["AZRebalance"]}
    assert code_of(session.suspend_processes, **other) == "AccessDenied"


def test_alarms_are_cloudwatchs_to_permissions(inner_cloud):
    """Service Authorization Reference, CloudWatch: the prefix is `cloudwatch`, the signature's name `monitoring`."""
    session = acting(inner_cloud, allow("cloudwatch:DescribeAlarms"), service="cloudwatch")
    assert session.describe_alarms()["MetricAlarms"]
    assert code_of(session.delete_alarms, AlarmNames=["api-1-status-check"]) in (
        "AccessDenied",
        "AccessDeniedException",
    )
    assert inner_cloud.changes[-1].name == "cloudwatch:DeleteAlarms"


def test_what_a_role_may_do_can_be_asked_in_advance(inner_cloud):
    """IAM reference, SimulatePrincipalPolicy."""
    arn = inner_cloud.deploy_policy(
        NORTHWIND,
        "agreed",
        allow("iam:SimulatePrincipalPolicy", "autoscaling:Attach*"),
        allow("ec2:Stop*", Effect="Deny"),
    )
    iam = inner_cloud.assumed(arn, "agreed", "iam", "us-east-1")
    actions = ["autoscaling:AttachInstances", "autoscaling:DetachInstances", "ec2:StopInstances"]
    results = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)["EvaluationResults"]
    assert [one["EvalDecision"] for one in results] == ["allowed", "implicitDeny", "explicitDeny"]


def test_every_change_is_recorded_with_who_made_it_and_what_it_did(inner_cloud, ec2):
    """CloudTrail user guide, "Record contents": the session's name tells whose call it was."""
    session = acting(inner_cloud, allow("ec2:RunInstances"))
    session.describe_instances()
    count = len(inner_cloud.changes)
    launched = started(session, ClientToken="mine")
    (change,) = inner_cloud.changes[count:]
    assert (change.name, change.session_name, change.outcome) == ("ec2:RunInstances", "test", "done")
    assert change.token == "mine"
    assert f"instance/{launched['InstanceId']}" in change.effect.created
    assert code_of(session.terminate_instances, InstanceIds=[launched["InstanceId"]]) == "UnauthorizedOperation"
    assert (inner_cloud.changes[-1].outcome, bool(inner_cloud.changes[-1].effect)) == ("UnauthorizedOperation", False)


def test_a_watcher_sees_the_cloud_after_every_change_and_what_happens_by_itself(inner_cloud, ec2):
    seen = []
    inner_cloud.watch(lambda change, census: seen.append((change and change.name, census.serving()["api-1"])))
    ec2.describe_instances()
    assert seen == []
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "api-1"}]}]
    started(ec2, TagSpecifications=tags)
    assert seen == [("ec2:RunInstances", 1)]
    inner_cloud.advance(60)
    assert seen[1:]
    assert {name for name, _ in seen[1:]} == {None}
    ec2.terminate_instances(InstanceIds=[named(ec2, "api-2")["InstanceId"]])
    assert seen[-1] == ("ec2:TerminateInstances", 2)


@pytest.mark.parametrize(
    ("kind", "made"), [("lose-before", 0), ("lose-after", 1), ("hang-before", 0), ("hang-after", 1)]
)
def test_an_answer_is_lost_before_or_after_the_effect(inner_cloud, ec2, kind, made):
    """EC2 guide, "Ensuring idempotency": without an answer nobody knows whether it was done."""
    before = len(inner_cloud.census().instances)
    fault = inner_cloud.fault("RunInstances", kind)
    with pytest.raises(ConnectionClosedError if kind.startswith("lose") else ReadTimeoutError):
        started(ec2, ClientToken="t")
    assert fault.left == 0
    assert len(inner_cloud.census().instances) == before + made
    started(ec2, ClientToken="t")
    assert len(inner_cloud.census().instances) == before + 1


def test_a_refusal_can_come_after_the_effect_and_only_at_the_second_call(inner_cloud, ec2):
    """EC2 "Error codes", server errors: InternalError says nothing about what was done."""
    before = len(inner_cloud.census().instances)
    inner_cloud.fault("ec2:RunInstances", "refuse-after", skip=1, code="InternalError")
    started(ec2)
    assert code_of(started, ec2) == "InternalError"
    assert len(inner_cloud.census().instances) == before + 2


def test_a_dry_run_is_not_hit_by_what_is_meant_for_the_call(inner_cloud, ec2):
    fault = inner_cloud.fault("RunInstances", "refuse", code="InsufficientInstanceCapacity")
    assert code_of(ec2.run_instances, MinCount=1, MaxCount=1, DryRun=True) == "DryRunOperation"
    assert fault.left == 1
    assert code_of(started, ec2) == "InsufficientInstanceCapacity"


def test_the_world_can_move_between_look_and_act(inner_cloud, ec2):
    instance_id = named(ec2, "api-1")["InstanceId"]
    inner_cloud.control("when", action="TerminateInstances", do="protect", instance_id=instance_id)
    assert look(ec2, instance_id)["State"]["Name"] == "running"
    assert code_of(ec2.terminate_instances, InstanceIds=[instance_id]) == "OperationNotPermitted"
    told = []
    inner_cloud.fault("DescribeInstances", "do-after", deed=lambda: told.append("after"))
    assert look(ec2, instance_id)["State"]["Name"] == "running"
    assert told == ["after"]


def test_a_session_can_expire_in_the_middle(inner_cloud):
    """EC2 "Error codes": RequestExpired; on a clock that tests move."""
    session = acting(inner_cloud, allow("ec2:RunInstances"))
    inner_cloud.advance(3599)
    assert started(session)["InstanceId"]
    inner_cloud.advance(2)
    assert code_of(started, session) == "RequestExpired"


def test_a_change_that_fails_halfway_is_recorded_with_its_effect(inner_cloud, ec2):
    """EC2 guide, "Terminate multiple instances with termination protection across Availability Zones"."""
    protected = named(ec2, "ledger-db-1")
    far = next(
        one
        for one in (named(ec2, "api-2"), named(ec2, "api-3"))
        if one["Placement"]["AvailabilityZone"] != protected["Placement"]["AvailabilityZone"]
    )
    ids = [protected["InstanceId"], far["InstanceId"]]
    assert code_of(ec2.terminate_instances, InstanceIds=ids) == "OperationNotPermitted"
    assert inner_cloud.changes[-1].outcome == "OperationNotPermitted"
    assert f"instance/{far['InstanceId']}" in inner_cloud.changes[-1].effect.changed
