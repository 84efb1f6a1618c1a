"""Do targets of the local balancers follow their machine, and drain when they leave?"""

from __future__ import annotations

import pytest

from tests.fakes.cloud import NORTHWIND
from tests.spotopt.cloud_things import code_of, named, started


@pytest.fixture
def ec2(inner_cloud):
    return inner_cloud.root(NORTHWIND, "ec2")


@pytest.fixture
def balancers(inner_cloud):
    return inner_cloud.root(NORTHWIND, "elbv2")


@pytest.fixture
def api(balancers):
    return balancers.describe_target_groups(Names=["nw-api"])["TargetGroups"][0]["TargetGroupArn"]


def health(balancers, arn) -> dict[str, tuple[str, str | None]]:
    found = balancers.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: (one["TargetHealth"]["State"], one["TargetHealth"].get("Reason")) for one in found}


def test_a_new_target_is_initial_then_unhealthy_until_its_machine_answers(inner_cloud, ec2, balancers, api):
    """ELB guide, "Health checks for Application Load Balancer target groups", target health status."""
    instance_id = started(ec2)["InstanceId"]
    target = {"TargetGroupArn": api, "Targets": [{"Id": instance_id}]}
    assert code_of(balancers.register_targets, **target) == "InvalidTarget"
    inner_cloud.advance(10)
    balancers.register_targets(**target)
    assert health(balancers, api)[instance_id] == ("initial", "Elb.RegistrationInProgress")
    inner_cloud.advance(11)
    assert health(balancers, api)[instance_id][0] == "unhealthy"
    inner_cloud.advance(10)
    assert health(balancers, api)[instance_id] == ("healthy", None)
    inner_cloud.control("sicken", instance_id=instance_id)
    assert health(balancers, api)[instance_id][0] == "unhealthy"


def test_a_target_that_leaves_drains_for_as_long_as_its_group_says(inner_cloud, ec2, balancers, api):
    """ELB guide, "Deregistration delay": shown as draining until it is over, then unused."""
    instance_id = named(ec2, "api-1")["InstanceId"]
    balancers.modify_target_group_attributes(
        TargetGroupArn=api, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "120"}]
    )
    balancers.deregister_targets(TargetGroupArn=api, Targets=[{"Id": instance_id}])
    inner_cloud.advance(119)
    assert health(balancers, api)[instance_id] == ("draining", "Target.DeregistrationInProgress")
    inner_cloud.advance(2)
    assert instance_id not in health(balancers, api)
    asked = balancers.describe_target_health(TargetGroupArn=api, Targets=[{"Id": instance_id}])
    assert asked["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_who_is_not_registered_can_be_deregistered_without_complaint(inner_cloud, ec2, balancers, api):
    """DeregisterTargets reference: "If the specified target does not exist, the action returns successfully"."""
    before = health(balancers, api)
    balancers.deregister_targets(TargetGroupArn=api, Targets=[{"Id": named(ec2, "mailer-1")["InstanceId"]}])
    assert health(balancers, api) == before


def test_a_machine_on_a_port_of_its_own_leaves_only_when_the_port_is_named(inner_cloud, ec2, balancers, api):
    """RegisterTargets, DeregisterTargets references: "you must specify both the target ID and the port"."""
    instance_id = named(ec2, "mailer-1")["InstanceId"]
    balancers.register_targets(TargetGroupArn=api, Targets=[{"Id": instance_id, "Port": 9090}])
    balancers.deregister_targets(TargetGroupArn=api, Targets=[{"Id": instance_id}])
    inner_cloud.advance(20)
    assert health(balancers, api)[instance_id][0] == "healthy"
    assert ("nw-api", f"{instance_id}:9090") in inner_cloud.census().registrations
    balancers.deregister_targets(TargetGroupArn=api, Targets=[{"Id": instance_id, "Port": 9090}])
    assert health(balancers, api)[instance_id][0] == "draining"


def test_a_draining_target_can_come_back(inner_cloud, ec2, balancers, api):
    """RegisterTargets reference: a target that is deregistering may be registered again."""
    target = {"TargetGroupArn": api, "Targets": [{"Id": named(ec2, "api-1")["InstanceId"]}]}
    balancers.deregister_targets(**target)
    balancers.register_targets(**target)
    inner_cloud.advance(60)
    assert {state for state, _ in health(balancers, api).values()} == {"healthy"}
    assert len(health(balancers, api)) == 3


def test_a_machine_that_has_ended_is_no_target_any_more(inner_cloud, ec2, balancers, api):
    """ELB guide, "Register targets": a terminated instance is deregistered by itself."""
    instance_id = named(ec2, "api-1")["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert health(balancers, api)[instance_id] == ("unused", "Target.InvalidState")
    inner_cloud.advance(30)
    assert instance_id not in health(balancers, api)


def test_a_group_registers_who_comes_and_drains_who_goes(inner_cloud, ec2, balancers):
    """Auto Scaling guide, "Attach a load balancer to your Auto Scaling group"."""
    arn = balancers.describe_target_groups(Names=["nw-web"])["TargetGroups"][0]["TargetGroupArn"]
    groups = inner_cloud.root(NORTHWIND, "autoscaling")
    before = set(health(balancers, arn))
    assert len(before) == 3
    instance_id = started(ec2, spot=True)["InstanceId"]
    inner_cloud.advance(30)
    groups.attach_instances(InstanceIds=[instance_id], AutoScalingGroupName="nw-web")
    inner_cloud.advance(6)
    assert health(balancers, arn)[instance_id][0] == "initial"
    inner_cloud.advance(20)
    assert health(balancers, arn)[instance_id][0] == "healthy"
    old = sorted(before)[0]
    groups.detach_instances(InstanceIds=[old], AutoScalingGroupName="nw-web", ShouldDecrementDesiredCapacity=True)
    assert health(balancers, arn)[old][0] == "draining"
    inner_cloud.advance(60)
    assert old not in health(balancers, arn)


def test_a_classic_balancer_takes_a_machine_in_once_it_answers(inner_cloud, ec2):
    """ELB Classic guide, "Troubleshoot: instance registration", ReasonCode ELB and Instance."""
    classic = inner_cloud.root(NORTHWIND, "elb")
    instance_id = started(ec2)["InstanceId"]
    one = [{"InstanceId": instance_id}]
    asked = {"LoadBalancerName": "nw-search", "Instances": one}
    assert code_of(classic.describe_instance_health, **asked) == "InvalidInstance"
    classic.register_instances_with_load_balancer(**asked)
    classic.register_instances_with_load_balancer(**asked)
    assert classic.describe_instance_health(**asked)["InstanceStates"][0]["ReasonCode"] == "ELB"
    inner_cloud.advance(40)
    states = classic.describe_instance_health(LoadBalancerName="nw-search")["InstanceStates"]
    assert [state["State"] for state in states] == ["InService"] * 3
    classic.deregister_instances_from_load_balancer(**asked)
    assert len(classic.describe_load_balancers()["LoadBalancerDescriptions"][0]["Instances"]) == 2


def test_an_alarm_can_be_pointed_at_another_machine(inner_cloud, ec2):
    """CloudWatch reference, PutMetricAlarm: an alarm of the same name is replaced as a whole."""
    alarms = inner_cloud.root(NORTHWIND, "cloudwatch")
    (alarm,) = alarms.describe_alarms(AlarmNames=["api-1-status-check"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": named(ec2, "api-1")["InstanceId"]}]
    other = named(ec2, "api-2")["InstanceId"]
    kept = ("AlarmName", "Namespace", "MetricName", "ComparisonOperator", "EvaluationPeriods", "Period", "Threshold")
    again = {name: alarm[name] for name in (*kept, "Statistic", "AlarmActions")}
    alarms.put_metric_alarm(**again, Dimensions=[{"Name": "InstanceId", "Value": other}])
    assert inner_cloud.census().alarms == {"api-1-status-check": other}
    assert inner_cloud.changes[-1].effect.changed == ("alarm/api-1-status-check",)
