"""What do tests of the local cloud ask of it again and again?"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


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
