"""What do tests of the local cloud ask of it again and again?"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

GROUP = "nw-web"


def code_of(call, *args, **params) -> str:
    """The error code that a call ends with."""
    with pytest.raises(ClientError) as refused:
        call(*args, **params)
    return refused.value.response["Error"]["Code"]


def look(ec2, instance_id: str) -> dict[str, Any]:
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def named(ec2, name: str) -> dict[str, Any]:
    found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])
    return found["Reservations"][0]["Instances"][0]


def pool_of(instance) -> tuple[str, str]:
    return instance["InstanceType"], instance["Placement"]["AvailabilityZoneId"]


def started(
    ec2, *, like: str = "api-1", instance_type: str = "m5.large", spot: bool = False, **params
) -> dict[str, Any]:
    """A machine launched as api-1 is, changed by `params`."""
    model = named(ec2, "api-1")
    asked = {"ImageId": model["ImageId"], "SubnetId": model["SubnetId"], "InstanceType": instance_type}
    if spot:
        asked["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
    return ec2.run_instances(MinCount=1, MaxCount=1, **(asked | params))["Instances"][0]


def words_of(call, **params) -> str:
    with pytest.raises(ClientError, match="ValidationError") as refused:
        call(**params)
    return refused.value.response["Error"]["Message"]


def group(groups, name=GROUP):
    return groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]


def states(groups, name=GROUP) -> dict[str, str]:
    return {one["InstanceId"]: one["LifecycleState"] for one in group(groups, name)["Instances"]}


def a_running(cloud, ec2, **params) -> str:
    instance_id = started(ec2, **params)["InstanceId"]
    cloud.advance(30)
    return instance_id


def attach(groups, instance_id, name=GROUP):
    return groups.attach_instances(InstanceIds=[instance_id], AutoScalingGroupName=name)


def detach(groups, instance_id, *, decrement=True, name=GROUP):
    return groups.detach_instances(
        InstanceIds=[instance_id], AutoScalingGroupName=name, ShouldDecrementDesiredCapacity=decrement
    )
