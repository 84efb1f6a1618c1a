"""Whom does the local Auto Scaling take in, let go and end, and with which words does it refuse?"""

from __future__ import annotations

import pytest

from tests.fakes.cloud import CONTOSO, NORTHWIND
from tests.spotopt.cloud_things import (
    GROUP,
    a_running,
    attach,
    detach,
    group,
    look,
    named,
    started,
    states,
    words_of,
)


@pytest.fixture
def ec2(inner_cloud):
    return inner_cloud.root(NORTHWIND, "ec2")


@pytest.fixture
def groups(inner_cloud):
    return inner_cloud.root(NORTHWIND, "autoscaling")


def test_an_attached_machine_becomes_a_member_and_desired_grows(inner_cloud, ec2, groups):
    """Guide, "Attach instances to your Auto Scaling group"; the tag is AWS's own."""
    instance_id = a_running(inner_cloud, ec2, spot=True)
    attach(groups, instance_id)
    assert states(groups)[instance_id] == "Pending"
    inner_cloud.advance(10)
    assert states(groups)[instance_id] == "InService"
    assert group(groups)["DesiredCapacity"] == 4
    tags = {tag["Key"]: tag["Value"] for tag in look(ec2, instance_id)["Tags"]}
    assert tags["aws:autoscaling:groupName"] == GROUP
    member = next(one for one in group(groups)["Instances"] if one["InstanceId"] == instance_id)
    assert "LaunchTemplate" not in member
    assert all("LaunchTemplate" in one for one in group(groups)["Instances"] if one is not member and one != member)


def test_attach_refuses_who_is_a_member_already(inner_cloud, ec2, groups):
    """The service's own words; Cluster API and AutoSpotting read them."""
    instance_id = a_running(inner_cloud, ec2)
    attach(groups, instance_id)
    told = words_of(groups.attach_instances, InstanceIds=[instance_id], AutoScalingGroupName=GROUP)
    assert told == f"The Instance: {instance_id} is already part of AutoScalingGroup:{GROUP}"
    other = "eks-nw-prod-workers"
    assert GROUP in words_of(groups.attach_instances, InstanceIds=[instance_id], AutoScalingGroupName=other)
    assert group(groups)["DesiredCapacity"] == 4


def test_attach_refuses_beyond_the_maximum(inner_cloud, ec2, groups):
    """Same page: "If the number of instances being attached plus the desired capacity exceeds the maximum size"."""
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=3)
    instance_id = a_running(inner_cloud, ec2)
    told = words_of(groups.attach_instances, InstanceIds=[instance_id], AutoScalingGroupName=GROUP)
    assert told == (
        f"AutoScalingGroup {GROUP} has min-size=3, max-size=3, and desired-size=3. To attach 1 instance, please update "
        "the AutoScalingGroup sizes appropriately."
    )


def test_attach_refuses_what_does_not_run_or_is_elsewhere(inner_cloud, ec2, groups):
    """Same page: running, the AMI still there, in one of the group's zones."""
    pending = started(ec2)["InstanceId"]
    assert "not in correct state" in words_of(attach, groups=groups, instance_id=pending)
    ec2.terminate_instances(InstanceIds=[pending])
    inner_cloud.advance(30)
    assert "not in correct state" in words_of(attach, groups=groups, instance_id=pending)
    assert "Invalid Instance ID" in words_of(attach, groups=groups, instance_id="i-00000000000000000")
    virginia = inner_cloud.root(NORTHWIND, "ec2", "us-east-1")
    there = inner_cloud.root(NORTHWIND, "autoscaling", "us-east-1")
    foreign = next(one for one in virginia.describe_subnets()["Subnets"] if one["AvailabilityZone"] == "us-east-1d")
    like = named(virginia, "feed-1")
    launched = virginia.run_instances(
        MinCount=1, MaxCount=1, ImageId=like["ImageId"], InstanceType="c5.2xlarge", SubnetId=foreign["SubnetId"]
    )["Instances"][0]["InstanceId"]
    inner_cloud.advance(30)
    assert "zone" in words_of(attach, groups=there, instance_id=launched, name="nw-ci")


def test_attach_refuses_a_machine_whose_image_is_gone(inner_cloud, ec2, groups):
    """Same page: "The AMI used to launch the instance must still exist"."""
    image_id = ec2.create_image(InstanceId=named(ec2, "api-1")["InstanceId"], Name="golden", NoReboot=True)["ImageId"]
    inner_cloud.advance(60)
    instance_id = a_running(inner_cloud, ec2, ImageId=image_id)
    ec2.deregister_image(ImageId=image_id)
    assert "AMI" in words_of(attach, groups=groups, instance_id=instance_id)


def test_detach_with_decrement_is_refused_at_the_minimum(inner_cloud, groups):
    """Guide, "Detach instances from your Auto Scaling group": at least the minimum must stay."""
    instance_id = next(iter(states(groups)))
    told = words_of(detach, groups=groups, instance_id=instance_id)
    assert told == (
        f"AutoScalingGroup {GROUP} has min-size=3, max-size=6, and desired-size=3. To detach 1 instance, please update "
        "the AutoScalingGroup sizes appropriately."
    )


def test_what_was_detached_runs_on_as_a_machine_of_nobodys(inner_cloud, ec2, groups):
    """Same page: the instance is independent afterwards; with decrement nothing takes its place."""
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=2)
    instance_id = next(iter(states(groups)))
    activity = detach(groups, instance_id)["Activities"][0]
    assert instance_id in activity["Description"]
    assert states(groups)[instance_id] == "Detaching"
    assert "is not in InService or Standby" in words_of(detach, groups=groups, instance_id=instance_id)
    inner_cloud.advance(60)
    assert instance_id not in states(groups)
    assert "is not part of Auto Scaling group" in words_of(detach, groups=groups, instance_id=instance_id)
    one = look(ec2, instance_id)
    assert one["State"]["Name"] == "running"
    assert "aws:autoscaling:groupName" not in {tag["Key"] for tag in one["Tags"]}
    assert (group(groups)["DesiredCapacity"], len(states(groups))) == (2, 2)


def test_detach_without_decrement_launches_another(inner_cloud, ec2, groups):
    """Same page: "Amazon EC2 Auto Scaling launches instances to replace the ones that are detached"."""
    instance_id = next(iter(states(groups)))
    detach(groups, instance_id, decrement=False)
    inner_cloud.advance(60)
    assert set(states(groups).values()) == {"InService"}
    assert len(states(groups)) == 3
    fresh = next(one for one in group(groups)["Instances"] if one["LaunchTemplate"] and look_is_new(ec2, one))
    assert look(ec2, fresh["InstanceId"]).get("InstanceLifecycle") is None


def look_is_new(ec2, member) -> bool:
    return not any(tag["Key"] == "team" for tag in look(ec2, member["InstanceId"])["Tags"])


def test_ending_a_member_with_decrement_is_refused_at_the_minimum(inner_cloud, groups):
    """TerminateInstanceInAutoScalingGroup reference; the service's own words."""
    instance_id = next(iter(states(groups)))
    call = groups.terminate_instance_in_auto_scaling_group
    told = words_of(call, InstanceId=instance_id, ShouldDecrementDesiredCapacity=True)
    assert told.startswith("Currently, desiredSize equals minSize (3).")
    assert "Instance Id not found" in words_of(call, InstanceId="i-0", ShouldDecrementDesiredCapacity=True)


def test_ending_a_member_goes_past_scale_in_protection(inner_cloud, ec2, groups):
    """Guide, "Instance scale-in protection": it does not protect from manual termination."""
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=2)
    instance_id = next(iter(states(groups)))
    groups.set_instance_protection(InstanceIds=[instance_id], AutoScalingGroupName=GROUP, ProtectedFromScaleIn=True)
    groups.terminate_instance_in_auto_scaling_group(InstanceId=instance_id, ShouldDecrementDesiredCapacity=True)
    assert states(groups)[instance_id].startswith("Terminating")
    inner_cloud.advance(60)
    assert instance_id not in states(groups)
    assert look(ec2, instance_id)["State"]["Name"] == "terminated"
    assert len(states(groups)) == 2


def test_several_members_end_in_one_call_of_their_group(inner_cloud, groups):
    """TerminateInstanceInAutoScalingGroup reference: InstanceIds with AutoScalingGroupName, answered by Activities."""
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=1)
    first, second, third = states(groups)
    asked = {"AutoScalingGroupName": GROUP, "ShouldDecrementDesiredCapacity": True}
    answer = groups.terminate_instance_in_auto_scaling_group(InstanceIds=[first, second], **asked)
    assert len(answer["Activities"]) == 2
    inner_cloud.advance(60)
    assert list(states(groups)) == [third]


def test_hooks_run_on_the_native_way_and_not_on_attach_or_detach(inner_cloud):
    """Guide, "Amazon EC2 Auto Scaling lifecycle hooks", availability table; a launch that nobody completes ends."""
    groups = inner_cloud.root(CONTOSO, "autoscaling", "us-east-1")
    ec2 = inner_cloud.root(CONTOSO, "ec2", "us-east-1")
    name = "contoso-render"
    only = [{"Name": "instance-type", "Values": ["c5a.2xlarge"]}]
    offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=only)
    zones = {one["Location"] for one in offered["InstanceTypeOfferings"]}
    like = next(
        one for member in states(groups, name) if (one := look(ec2, member))["Placement"]["AvailabilityZone"] in zones
    )
    own = {"ImageId": like["ImageId"], "InstanceType": "c5a.2xlarge", "SubnetId": like["SubnetId"]}
    attached = ec2.run_instances(MinCount=1, MaxCount=1, **own)["Instances"][0]["InstanceId"]
    inner_cloud.advance(30)
    attach(groups, attached, name)
    inner_cloud.advance(10)
    assert states(groups, name)[attached] == "InService"
    groups.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
    inner_cloud.advance(30)
    (native,) = [one for one, state in states(groups, name).items() if state == "Pending:Wait"]
    groups.complete_lifecycle_action(
        LifecycleHookName="warm-cache",
        AutoScalingGroupName=name,
        InstanceId=native,
        LifecycleActionResult="CONTINUE",
    )
    assert states(groups, name)[native] == "InService"
