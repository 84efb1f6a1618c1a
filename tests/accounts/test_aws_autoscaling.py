"""What Auto Scaling's answers become, with all that may forbid replacing a member."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from accounts.aws.errors import Throttled
from accounts.aws.read import autoscaling
from tests.accounts.scripted_aws import a_session

MEMBER = {
    "InstanceId": "i-1",
    "InstanceType": "m5.large",
    "AvailabilityZone": "eu-west-3a",
    "LifecycleState": "InService",
    "HealthStatus": "Healthy",
    "ProtectedFromScaleIn": True,
    "LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "web", "Version": "3"},
    "WeightedCapacity": "2",
}
GROUP = {
    "AutoScalingGroupName": "web",
    "AutoScalingGroupARN": "arn:aws:autoscaling:eu-west-3:1:autoScalingGroup:x:autoScalingGroupName/web",
    "MinSize": 1,
    "MaxSize": 4,
    "DesiredCapacity": 2,
    "DefaultCooldown": 300,
    "AvailabilityZones": ["eu-west-3a"],
    "HealthCheckType": "ELB",
    "HealthCheckGracePeriod": 60,
    "CreatedTime": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.fixture
def session():
    return a_session()


@pytest.fixture
def stub(session):
    with Stubber(session.client("autoscaling")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def add_group(stub, answer, *, token="", after=""):
    page = {"AutoScalingGroups": [answer], **({"NextToken": token} if token else {})}
    stub.add_response(
        "describe_auto_scaling_groups", page, {"MaxRecords": 100, **({"NextToken": after} if after else {})}
    )


def add_hooks(stub, *hooks):
    stub.add_response("describe_lifecycle_hooks", {"LifecycleHooks": list(hooks)}, {"AutoScalingGroupName": "web"})


def add_refreshes(stub, *statuses):
    answer = {"InstanceRefreshes": [{"Status": status} for status in statuses]}
    stub.add_response("describe_instance_refreshes", answer, {"AutoScalingGroupName": "web", "MaxRecords": 1})


def the_group(session):
    (group,) = autoscaling.groups(session)
    return group


def test_a_group_carries_every_reason_to_leave_it_alone(session, stub):
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "Version": "$Latest"},
            "Overrides": [
                {"InstanceType": "m5.large", "WeightedCapacity": "2"},
                {"InstanceRequirements": {"VCpuCount": {"Min": 2}, "MemoryMiB": {"Min": 4096}}},
            ],
        },
        "InstancesDistribution": {
            "OnDemandBaseCapacity": 1,
            "OnDemandPercentageAboveBaseCapacity": 50,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }
    add_group(
        stub,
        {
            **GROUP,
            "Instances": [MEMBER],
            "MixedInstancesPolicy": policy,
            "SuspendedProcesses": [{"ProcessName": "Terminate", "SuspensionReason": "user"}],
            "Tags": [{"Key": "spotopt:ignore", "Value": "1", "ResourceId": "web", "PropagateAtLaunch": True}],
            "VPCZoneIdentifier": "subnet-1,subnet-2",
            "TargetGroupARNs": ["arn:tg"],
            "LoadBalancerNames": ["classic"],
            "WarmPoolConfiguration": {"MinSize": 1, "PoolState": "Stopped"},
            "WarmPoolSize": 1,
            "NewInstancesProtectedFromScaleIn": True,
            "CapacityRebalance": True,
            "Status": "Delete in progress",
        },
    )
    add_hooks(
        stub,
        {"LifecycleHookName": "drain", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"},
    )
    add_refreshes(stub, "InProgress")
    group = the_group(session)
    assert (group.desired, group.min_size, group.max_size) == (2, 1, 4)
    (member,) = group.members
    assert member.is_protected_from_scale_in
    assert (member.lifecycle_state, member.health, member.zone_id) == ("InService", "Healthy", None)
    assert member.launch_template == autoscaling.LaunchTemplate("lt-1", "web", "3")
    assert group.has_weighted_capacity
    assert group.mixed_policy.launch_template.version == "$Latest"
    assert [each.is_by_requirements for each in group.mixed_policy.overrides] == [False, True]
    assert (group.mixed_policy.on_demand_base, group.mixed_policy.on_demand_percent_above_base) == (1, 50)
    assert group.suspended_processes == ("Terminate",)
    assert group.tags == {"spotopt:ignore": "1"}
    assert group.subnet_ids == ("subnet-1", "subnet-2")
    assert (group.target_group_arns, group.classic_balancers) == (("arn:tg",), ("classic",))
    assert (group.warm_pool.min_size, group.warm_pool.size, group.warm_pool.state) == (1, 1, "Stopped")
    assert [(hook.name, hook.transition) for hook in group.hooks] == [("drain", "autoscaling:EC2_INSTANCE_TERMINATING")]
    assert group.is_refresh_active is True
    assert group.is_new_instance_protected
    assert group.is_capacity_rebalance
    assert group.status == "Delete in progress"


def test_a_plain_group_has_none_of_them(session, stub):
    add_group(stub, {**GROUP, "LaunchTemplate": {"LaunchTemplateId": "lt-1"}})
    add_hooks(stub)
    add_refreshes(stub)
    group = the_group(session)
    assert (group.mixed_policy, group.warm_pool, group.is_refresh_active) == (None, None, False)
    assert (group.members, group.hooks, group.subnet_ids) == ((), (), ())
    assert group.launch_template.version is None
    assert not group.has_weighted_capacity


@pytest.mark.parametrize(
    "status, is_active",
    [("Pending", True), ("RollbackInProgress", True), ("Baking", True), ("Successful", False), ("Cancelled", False)],
)
def test_a_refresh_counts_until_it_is_over(session, stub, status, is_active):
    add_refreshes(stub, status)
    assert autoscaling.is_refresh_active(session, "web") is is_active


def test_what_the_role_may_not_ask_is_unknown_and_not_absent(session, stub):
    add_group(stub, GROUP)
    for call in ("describe_lifecycle_hooks", "describe_instance_refreshes"):
        stub.add_client_error(call, "AccessDenied", http_status_code=403)
    group = the_group(session)
    assert group.hooks is None
    assert group.is_refresh_active is None


def test_throttling_is_no_answer_to_that_question(session, stub):
    stub.add_client_error("describe_instance_refreshes", "Throttling", http_status_code=400)
    with pytest.raises(Throttled):
        autoscaling.is_refresh_active(session, "web")


def test_groups_are_read_over_all_pages(session, stub):
    for token, after in (("a", ""), ("", "a")):
        add_group(stub, GROUP, token=token, after=after)
        add_hooks(stub)
        add_refreshes(stub)
    assert len(list(autoscaling.groups(session))) == 2
