"""What do groups of the local Auto Scaling do by themselves, and by their settings?"""

from __future__ import annotations

import pytest

from tests.fakes.cloud import NORTHWIND
from tests.spotopt.cloud_things import GROUP, attach, code_of, detach, group, look, named, started, states, words_of


@pytest.fixture
def ec2(inner_cloud):
    return inner_cloud.root(NORTHWIND, "ec2")


@pytest.fixture
def groups(inner_cloud):
    return inner_cloud.root(NORTHWIND, "autoscaling")


def test_a_member_that_ends_is_replaced(inner_cloud, ec2, groups):
    """Guide, "Health checks for instances in an Auto Scaling group"."""
    gone = next(iter(states(groups)))
    ec2.terminate_instances(InstanceIds=[gone])
    assert inner_cloud.census().groups[GROUP].in_service == 2
    inner_cloud.advance(60)
    assert gone not in states(groups)
    assert list(states(groups).values()) == ["InService"] * 3
    told = groups.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"]
    assert any(one["Description"].startswith("Launching a new EC2 instance") for one in told)


def test_nothing_is_launched_while_launch_is_suspended(inner_cloud, ec2, groups):
    """Guide, "Suspend and resume Amazon EC2 Auto Scaling processes"."""
    groups.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])
    assert [one["ProcessName"] for one in group(groups)["SuspendedProcesses"]] == ["Launch"]
    ec2.terminate_instances(InstanceIds=[next(iter(states(groups)))])
    inner_cloud.advance(120)
    assert len(states(groups)) == 2
    groups.resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])
    inner_cloud.advance(60)
    assert len(states(groups)) == 3
    unknown = {"AutoScalingGroupName": GROUP, "ScalingProcesses": ["Everything"]}
    assert "Unrecognized" in words_of(groups.suspend_processes, **unknown)


def test_a_launch_without_capacity_fails_and_is_tried_again(inner_cloud, ec2, groups):
    """Guide, "Troubleshoot: insufficient capacity": the activity failed, the group keeps trying."""
    inner_cloud.control("capacity", instance_type="m5.large", zone="*")
    ec2.terminate_instances(InstanceIds=[next(iter(states(groups)))])
    inner_cloud.advance(30)
    failed = groups.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"][0]
    assert (failed["StatusCode"], "InsufficientInstanceCapacity" in failed["StatusMessage"]) == ("Failed", True)
    inner_cloud.control("capacity", instance_type="off")
    inner_cloud.advance(120)
    assert list(states(groups).values()) == ["InService"] * 3


def test_uneven_zones_are_evened_out_at_the_cost_of_another_member(inner_cloud, ec2, groups):
    """Guide, "Rebalancing activities": a new one in the emptiest zone first, then one of the fullest ends."""
    members = states(groups)
    zones = {one: look(ec2, one)["Placement"]["AvailabilityZone"] for one in members}
    first, second, _ = members
    replacement = started(ec2, SubnetId=look(ec2, first)["SubnetId"])["InstanceId"]
    inner_cloud.advance(30)
    attach(groups, replacement)
    inner_cloud.advance(10)
    detach(groups, second)
    inner_cloud.advance(400)
    after = states(groups)
    assert list(after.values()) == ["InService"] * 3
    assert {look(ec2, one)["Placement"]["AvailabilityZone"] for one in after} == set(zones.values())
    assert set(after) != {first, replacement, *(set(members) - {first, second})}, "somebody else was ended"


def test_zones_stay_uneven_while_rebalancing_is_suspended(inner_cloud, ec2, groups):
    """Guide, "Suspend and resume processes", AZRebalance."""
    groups.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["AZRebalance"])
    first, second, third = states(groups)
    replacement = started(ec2, SubnetId=look(ec2, first)["SubnetId"])["InstanceId"]
    inner_cloud.advance(30)
    attach(groups, replacement)
    inner_cloud.advance(10)
    detach(groups, second)
    inner_cloud.advance(400)
    assert set(states(groups)) == {first, third, replacement}


def test_a_scaling_policy_can_act_in_between(inner_cloud, groups):
    """Guide, "Dynamic scaling": within the bounds, unless AlarmNotification is suspended."""
    inner_cloud.control("scale", group=GROUP, by=1)
    inner_cloud.advance(60)
    assert (group(groups)["DesiredCapacity"], len(states(groups))) == (4, 4)
    inner_cloud.control("scale", group=GROUP, by=-2)
    inner_cloud.advance(60)
    assert (group(groups)["DesiredCapacity"], len(states(groups))) == (3, 3)


def test_sizes_must_fit_each_other(inner_cloud, groups):
    """UpdateAutoScalingGroup and SetDesiredCapacity references."""
    update = groups.update_auto_scaling_group
    assert words_of(update, AutoScalingGroupName=GROUP, DesiredCapacity=9) == (
        "Desired capacity:9 must be between the specified min size:3 and max size:6"
    )
    assert "Max bound" in words_of(update, AutoScalingGroupName=GROUP, MinSize=7)
    told = words_of(groups.set_desired_capacity, AutoScalingGroupName=GROUP, DesiredCapacity=7)
    assert told == "New SetDesiredCapacity value 7 is above max value 6 for the AutoScalingGroup."
    assert "below min value" in words_of(groups.set_desired_capacity, AutoScalingGroupName=GROUP, DesiredCapacity=1)
    assert "name not found" in words_of(update, AutoScalingGroupName="no-such", MinSize=1)
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=7)
    found = group(groups)
    assert (found["MaxSize"], found["MinSize"], found["DesiredCapacity"]) == (7, 3, 3)
    assert found["LaunchTemplate"]["Version"] == "1"


def test_a_smaller_maximum_ends_members(inner_cloud, groups):
    """UpdateAutoScalingGroup reference, MaxSize below the size: the group shrinks."""
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=1, MaxSize=2)
    inner_cloud.advance(60)
    assert len(states(groups)) == group(groups)["DesiredCapacity"] == 2


def test_a_refresh_replaces_every_old_member_one_after_the_other(inner_cloud, groups):
    """Guide, "Use an instance refresh to update instances"."""
    before = set(states(groups))
    groups.start_instance_refresh(AutoScalingGroupName=GROUP)
    again = groups.start_instance_refresh
    assert code_of(again, AutoScalingGroupName=GROUP) == "InstanceRefreshInProgress"
    inner_cloud.advance(15)
    (refresh,) = groups.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"]
    assert refresh["Status"] == "InProgress"
    inner_cloud.advance(600)
    (refresh,) = groups.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"]
    assert refresh["Status"] == "Successful"
    assert list(states(groups).values()) == ["InService"] * 3
    assert not before & set(states(groups))


def test_a_group_made_without_a_grace_period_has_none(inner_cloud, ec2, groups):
    """Guide, "Set the health check grace period": 0 when the group is made by API."""
    found = group(groups)
    groups.create_auto_scaling_group(
        AutoScalingGroupName="fresh",
        MinSize=0,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": found["LaunchTemplate"]["LaunchTemplateId"], "Version": "$Latest"},
        VPCZoneIdentifier=found["VPCZoneIdentifier"],
    )
    assert group(groups, "fresh")["HealthCheckGracePeriod"] == 0


def test_a_mixed_group_launches_spot_and_the_next_type_where_the_first_is_dry(inner_cloud, ec2, groups):
    """Guide, "Auto Scaling groups with multiple instance types and purchase options"."""
    template = group(groups)["LaunchTemplate"]
    named_template = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"}
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": named_template,
            "Overrides": [{"InstanceType": "c5.2xlarge"}, {"InstanceType": "m5.xlarge"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0},
    }
    inner_cloud.control("capacity", instance_type="c5.2xlarge", zone="*", market="spot")
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MixedInstancesPolicy=policy, DesiredCapacity=4)
    inner_cloud.advance(60)
    fresh = [one for one in states(groups) if look(ec2, one).get("InstanceLifecycle") == "spot"]
    assert [look(ec2, one)["InstanceType"] for one in fresh] == ["m5.xlarge"]


def balanced(cloud, groups, *, grace: int) -> str:
    """The group judged by its balancer, with one member whose pages do not answer; that member."""
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, HealthCheckType="ELB", HealthCheckGracePeriod=grace)
    cloud.control("sick", count=1)
    groups.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=4)
    before = set(states(groups))
    cloud.advance(25)
    (slow,) = set(states(groups)) - before
    return slow


def test_a_slow_starter_is_killed_once_its_grace_is_over(inner_cloud, groups):
    """Guide, "Health check grace period": until then the balancer's verdict does not count."""
    slow = balanced(inner_cloud, groups, grace=300)
    inner_cloud.advance(200)
    assert states(groups)[slow] == "InService"
    inner_cloud.advance(200)
    assert slow not in states(groups)
    assert len(states(groups)) == 4


def test_without_grace_it_is_killed_at_the_first_check(inner_cloud, groups):
    """Same page: 0 when the group was made by API."""
    slow = balanced(inner_cloud, groups, grace=0)
    inner_cloud.advance(60)
    assert slow not in states(groups)


def test_a_termination_hook_holds_the_machine_and_detach_goes_past_it(inner_cloud, ec2, groups):
    """Guide, "Lifecycle hooks", availability table; "Terminating:Wait" until it is completed or its time is over."""
    groups.put_lifecycle_hook(
        LifecycleHookName="drain",
        AutoScalingGroupName=GROUP,
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=600,
        DefaultResult="CONTINUE",
    )
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=1)
    first, second, _ = states(groups)
    detach(groups, first)
    groups.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=True)
    inner_cloud.advance(60)
    assert first not in states(groups)
    assert states(groups)[second] == "Terminating:Wait"
    assert look(ec2, second)["State"]["Name"] == "running"
    inner_cloud.advance(700)
    assert second not in states(groups)
    assert look(ec2, second)["State"]["Name"] == "terminated"


def test_a_group_can_launch_from_a_configuration(inner_cloud, ec2, groups):
    """CreateLaunchConfiguration reference; the older way, which groups still have."""
    like = named(ec2, "api-1")
    groups.create_launch_configuration(
        LaunchConfigurationName="old",
        ImageId=like["ImageId"],
        InstanceType="t3.large",
        SpotPrice="1.0",
        UserData="echo old",
    )
    groups.create_auto_scaling_group(
        AutoScalingGroupName="older",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        LaunchConfigurationName="old",
        VPCZoneIdentifier=like["SubnetId"],
    )
    inner_cloud.advance(60)
    (member,) = group(groups, "older")["Instances"]
    assert (member["LifecycleState"], member["LaunchConfigurationName"]) == ("InService", "old")
    launched = look(ec2, member["InstanceId"])
    assert (launched["InstanceType"], launched["InstanceLifecycle"]) == ("t3.large", "spot")


def test_a_member_remembers_the_version_it_was_launched_from(inner_cloud, groups):
    """DescribeAutoScalingGroups, Instance.LaunchTemplate; `$Default` moves on, members do not."""
    template = group(groups)["LaunchTemplate"]["LaunchTemplateId"]
    groups.update_auto_scaling_group(
        AutoScalingGroupName=GROUP, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Default"}
    )
    inner_cloud.control("new-template-version", group=GROUP, instance_type="m5.xlarge")
    groups.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=4)
    inner_cloud.advance(60)
    versions = sorted(one["LaunchTemplate"]["Version"] for one in group(groups)["Instances"])
    assert versions == ["1", "1", "1", "2"]
    assert group(groups)["LaunchTemplate"]["Version"] == "$Default"
