"""Does the local EC2 page, translate and describe as AWS does?"""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from spotopt.local.estate import ACCOUNTS
from spotopt.local.zones import zone_ids
from tests.fakes.cloud import CONTOSO, NORTHWIND


def instances_of(ec2, **params):
    pages = ec2.get_paginator("describe_instances").paginate(**params)
    return [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]


def named(ec2, name):
    return instances_of(ec2, Filters=[{"Name": "tag:Name", "Values": [name]}])[0]


def test_instances_come_in_pages_without_loss_or_repetition(local_cloud):
    """EC2 reference, DescribeInstances: MaxResults 5 to 1000, NextToken."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    first = ec2.describe_instances(MaxResults=5)
    assert len(first["Reservations"]) == 5
    assert first["NextToken"]
    paged = [one["InstanceId"] for one in instances_of(ec2, PaginationConfig={"PageSize": 5})]
    assert len(paged) == len(set(paged)) == 25
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_instances(NextToken="forged")
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_instances(MaxResults=4)


def test_ids_and_page_size_exclude_each_other(local_cloud):
    """EC2 reference, DescribeInstances, MaxResults: "You cannot specify this parameter and the instance IDs"."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    instance_id = instances_of(ec2)[0]["InstanceId"]
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        ec2.describe_instances(InstanceIds=[instance_id], MaxResults=5)


def test_an_instance_that_is_not_there_is_not_found(local_cloud):
    """EC2 "Error codes": InvalidInstanceID.NotFound."""
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        local_cloud.root(NORTHWIND, "ec2").describe_instances(InstanceIds=["i-00000000000000000"])


def test_a_zone_name_means_another_place_in_another_account(local_cloud):
    """EC2 guide, "AZ IDs": names are mapped for each account, ids are the same for all."""
    for region in ("eu-west-3", "us-east-1"):
        assert len({tuple(zone_ids(account.account_id, region).items()) for account in ACCOUNTS}) == len(ACCOUNTS)
    described = {}
    for account in (NORTHWIND, CONTOSO):
        zones = local_cloud.root(account, "ec2").describe_availability_zones()["AvailabilityZones"]
        described[account] = {zone["ZoneName"]: zone["ZoneId"] for zone in zones}
        assert described[account] == zone_ids(account.account_id, "eu-west-3")
    assert set(described[NORTHWIND].values()) == set(described[CONTOSO].values())


def test_subnets_and_placements_name_the_same_zone(local_cloud):
    """EC2 reference, Subnet and Placement: AvailabilityZone with AvailabilityZoneId."""
    ec2 = local_cloud.root(CONTOSO, "ec2", "us-east-1")
    ids = zone_ids(CONTOSO.account_id, "us-east-1")
    for subnet in ec2.describe_subnets()["Subnets"]:
        assert subnet["AvailabilityZoneId"] == ids[subnet["AvailabilityZone"]]
    for instance in instances_of(ec2):
        placement = instance["Placement"]
        assert placement["AvailabilityZoneId"] == ids[placement["AvailabilityZone"]]


def test_types_come_a_hundred_a_page_and_only_those_of_the_region(local_cloud):
    """EC2 reference, DescribeInstanceTypes: MaxResults 5 to 100; describes types of the region."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    assert len(ec2.describe_instance_types()["InstanceTypes"]) == 100
    pages = ec2.get_paginator("describe_instance_types").paginate()
    names = [one["InstanceType"] for page in pages for one in page["InstanceTypes"]]
    assert len(names) == len(set(names))
    assert "m5.large" in names
    assert "p3.2xlarge" not in names
    with pytest.raises(ClientError, match="InvalidInstanceType"):
        ec2.describe_instance_types(InstanceTypes=["p3.2xlarge"])


def test_types_that_moto_forgot_are_offered_where_prices_of_them_are_known(local_cloud):
    """EC2 reference, InstanceTypeInfo: facts that are not known are absent, not zero."""
    ec2 = local_cloud.root(NORTHWIND, "ec2", "us-east-1")
    described = ec2.describe_instance_types(InstanceTypes=["p2.xlarge", "p3.2xlarge"])["InstanceTypes"]
    p2, p3 = described
    assert p2["MemoryInfo"]["SizeInMiB"] == p3["MemoryInfo"]["SizeInMiB"] == 62464
    assert "spot" in p2["SupportedUsageClasses"]
    assert "ProcessorInfo" not in p2
    assert p3["GpuInfo"]["Gpus"][0]["Count"] == 1
    assert "NetworkInfo" not in p3


def test_offerings_by_zone_name_follow_the_accounts_own_names(local_cloud):
    """EC2 reference, DescribeInstanceTypeOfferings, LocationType."""
    for account in (NORTHWIND, CONTOSO):
        ec2 = local_cloud.root(account, "ec2", "us-east-1")
        only = [{"Name": "instance-type", "Values": ["p3.2xlarge"]}]
        by_name = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=only)
        by_id = ec2.describe_instance_type_offerings(LocationType="availability-zone-id", Filters=only)
        ids = zone_ids(account.account_id, "us-east-1")
        named_places = {ids[one["Location"]] for one in by_name["InstanceTypeOfferings"]}
        assert named_places == {one["Location"] for one in by_id["InstanceTypeOfferings"]} != set()


def test_a_spot_instance_has_its_request(local_cloud):
    """EC2 reference, Instance: InstanceLifecycle, SpotInstanceRequestId; DescribeSpotInstanceRequests."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    spot = named(ec2, "thumbs-1")
    assert spot["InstanceLifecycle"] == "spot"
    found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[spot["SpotInstanceRequestId"]])
    request = found["SpotInstanceRequests"][0]
    assert request["InstanceId"] == spot["InstanceId"]
    assert request["Status"]["Code"] == "fulfilled"
    assert request["CreateTime"] == spot["LaunchTime"]
    assert "InstanceLifecycle" not in named(ec2, "api-1")


def test_an_instance_carries_the_fields_that_decide(local_cloud):
    """EC2 reference, Instance; each of these is missing in moto alone."""
    instance = named(local_cloud.root(NORTHWIND, "ec2"), "api-1")
    assert instance["PlatformDetails"] == "Linux/UNIX"
    assert instance["UsageOperation"] == "RunInstances"
    assert instance["EnaSupport"] is True
    assert instance["BootMode"] == "uefi-preferred"
    assert instance["VirtualizationType"] == "hvm"
    assert instance["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["Operator"] == {"Managed": False}
    assert instance["HibernationOptions"] == {"Configured": False}
    assert instance["CapacityReservationSpecification"] == {"CapacityReservationPreference": "open"}
    assert instance["RootDeviceName"] == "/dev/xvda"
    assert [disk["DeviceName"] for disk in instance["BlockDeviceMappings"]] == ["/dev/xvda"]
    assert instance["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is True
    assert "StateReason" not in instance
    assert "Association" not in instance["NetworkInterfaces"][0]
    assert "SpotInstanceRequestId" not in instance


def test_user_data_and_protection_are_attributes_of_their_own(local_cloud):
    """EC2 reference, DescribeInstanceAttribute: user data in base64, which DescribeInstances does not tell."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    protected = named(ec2, "ledger-db-1")["InstanceId"]
    told = ec2.describe_instance_attribute(InstanceId=protected, Attribute="disableApiTermination")
    assert told["DisableApiTermination"]["Value"] is True
    text = ec2.describe_instance_attribute(InstanceId=protected, Attribute="userData")["UserData"]["Value"]
    assert text == "IyEvYmluL3NoCnN5c3RlbWN0bCBzdGFydCBwbGF0Zm9ybQo="


def test_a_pool_out_of_capacity_refuses_a_launch(local_cloud):
    """EC2 "Error codes": InsufficientInstanceCapacity."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    like = named(ec2, "api-1")
    params = {"ImageId": like["ImageId"], "InstanceType": "m5.large", "SubnetId": like["SubnetId"]}
    local_cloud.control("capacity", instance_type="m5.large", zone=like["Placement"]["AvailabilityZoneId"])
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        ec2.run_instances(MinCount=1, MaxCount=1, **params)
    local_cloud.control("capacity", instance_type="off")
    launched = ec2.run_instances(MinCount=1, MaxCount=1, InstanceMarketOptions={"MarketType": "spot"}, **params)
    assert launched["Instances"][0]["SpotInstanceRequestId"].startswith("sir-")


def test_groups_hold_their_members_in_three_zones(local_cloud):
    """Auto Scaling reference, DescribeAutoScalingGroups, DescribeAutoScalingInstances, DescribeLifecycleHooks."""
    groups = local_cloud.root(NORTHWIND, "autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert {group["AutoScalingGroupName"] for group in groups} == {"nw-web", "eks-nw-prod-workers"}
    for group in groups:
        assert group["DesiredCapacity"] == len(group["Instances"]) == 3
        assert len({member["AvailabilityZone"] for member in group["Instances"]}) == 3
    members = local_cloud.root(NORTHWIND, "autoscaling").describe_auto_scaling_instances()["AutoScalingInstances"]
    assert len(members) == 6
    hooks = local_cloud.root(CONTOSO, "autoscaling", "us-east-1").describe_lifecycle_hooks(
        AutoScalingGroupName="contoso-render"
    )
    assert hooks["LifecycleHooks"][0]["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
