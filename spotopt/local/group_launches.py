"""What does a group ask for when it launches? Auto Scaling guide, "Launch templates", "Mixed instances groups"."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG


def request_for(group: Any, zone: str) -> Iterator[dict[str, Any]]:
    """RunInstances' parameters in this zone, one after the other: a mixed group tries its types in order."""
    subnets = group.ec2_backend.describe_subnets(subnet_ids=(group.vpc_zone_identifier or "").split(","))
    subnet = next((one for one in subnets if one.availability_zone == zone), None)
    if subnet is None:
        return
    tags = {ASG_NAME_TAG: group.name, **group.get_propagated_tags()}
    base: dict[str, Any] = {"SubnetId": subnet.id, "_group_tags": tags}
    if group.ec2_launch_template is None:
        yield base | of_configuration(group.launch_config)
        return
    base["LaunchTemplate"] = {
        "LaunchTemplateId": group.ec2_launch_template.id,
        "Version": str(group.ec2_launch_template.get_version(group.launch_template_version).number),
    }
    if not group.mixed_instances_policy:
        yield base
        return
    if wants_spot(group):
        base["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
    overrides = group.mixed_instances_policy["LaunchTemplate"].get("Overrides") or [{}]
    for override in overrides:
        yield base | {name: override[name] for name in ("InstanceType",) if name in override}


def wants_spot(group: Any) -> bool:
    """Guide, "Allocation strategies": a base of On-Demand first, then the percentage above it, rounded up."""
    distribution = group.mixed_instances_policy.get("InstancesDistribution", {})
    base = int(distribution.get("OnDemandBaseCapacity") or 0)
    percentage = distribution.get("OnDemandPercentageAboveBaseCapacity")
    share = 100 if percentage is None else int(percentage)
    desired = int(group.desired_capacity or 0)
    on_demand = min(base, desired) + math.ceil(max(desired - base, 0) * share / 100)
    held = sum(1 for one in group.counted if one.instance.lifecycle != "spot")
    return held >= on_demand


def of_configuration(known: Any) -> dict[str, Any]:
    """A launch configuration in the words of RunInstances."""
    asked = {
        "ImageId": known.image_id,
        "InstanceType": known.instance_type,
        "KeyName": known.key_name,
        "SecurityGroupIds": known.security_groups,
        "UserData": known.user_data,
        "BlockDeviceMappings": known.block_device_mapping_dict,
        "MetadataOptions": known.metadata_options,
        "Monitoring": {"Enabled": known.instance_monitoring_enabled},
    }
    if known.iam_instance_profile:
        by = "Arn" if known.iam_instance_profile.startswith("arn:") else "Name"
        asked["IamInstanceProfile"] = {by: known.iam_instance_profile}
    if known.spot_price:
        options = {"MaxPrice": known.spot_price, "SpotInstanceType": "one-time"}
        asked["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": options}
    return {name: value for name, value in asked.items() if value}
