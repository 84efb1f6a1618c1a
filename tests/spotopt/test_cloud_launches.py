"""Does the local EC2 launch, end and describe machines with the refusals and delays of the real one?"""

from __future__ import annotations

import base64

import pytest
from botocore.exceptions import ClientError

from tests.fakes.cloud import CONTOSO, NORTHWIND, NORTHWIND_LAB
from tests.spotopt.cloud_things import code_of, look, named, pool_of, started


@pytest.fixture
def ec2(inner_cloud):
    return inner_cloud.root(NORTHWIND, "ec2")


def test_a_machine_is_pending_then_running_and_then_checked(inner_cloud, ec2):
    """EC2 guide, "Amazon EC2 instance state changes" and "Status checks for your instances"."""
    instance_id = started(ec2)["InstanceId"]
    assert look(ec2, instance_id)["State"]["Name"] == "pending"
    assert ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"] == []
    inner_cloud.advance(10)
    (status,) = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
    assert (status["InstanceState"]["Name"], status["InstanceStatus"]["Status"]) == ("running", "initializing")
    inner_cloud.advance(60)
    (status,) = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
    checks = [status[name]["Status"] for name in ("InstanceStatus", "SystemStatus", "AttachedEbsStatus")]
    assert checks == ["ok", "ok", "ok"]


def test_a_repeated_token_starts_nothing_new(inner_cloud, ec2):
    """EC2 guide, "Ensuring idempotency in Amazon EC2 API requests"."""
    first = started(ec2, ClientToken="t" * 64)
    again = started(ec2, ClientToken="t" * 64)
    assert first["InstanceId"] == again["InstanceId"]
    assert code_of(started, ec2, ClientToken="t" * 64, instance_type="c5.2xlarge") == "IdempotentParameterMismatch"
    assert code_of(started, ec2, ClientToken="t" * 65) == "InvalidParameterValue"
    found = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["t" * 64]}])
    assert [one["InstanceId"] for row in found["Reservations"] for one in row["Instances"]] == [first["InstanceId"]]


def test_the_token_of_a_machine_that_has_ended_is_used_up(inner_cloud, ec2):
    """EC2 "Error codes": IdempotentInstanceTerminated."""
    instance_id = started(ec2, ClientToken="once")["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    inner_cloud.advance(60)
    assert code_of(started, ec2, ClientToken="once") == "IdempotentInstanceTerminated"


def test_a_token_of_a_launch_that_failed_can_be_used_again(inner_cloud, ec2):
    """Same page: a request that fails with a client or capacity error did nothing."""
    inner_cloud.control("capacity", instance_type="m5.large", zone="*")
    assert code_of(started, ec2, ClientToken="again") == "InsufficientInstanceCapacity"
    inner_cloud.control("capacity", instance_type="off")
    assert started(ec2, ClientToken="again")["InstanceId"]


def test_tags_of_the_launch_go_to_every_resource_it_makes(inner_cloud, ec2):
    """RunInstances reference, TagSpecification: instance, volume, network-interface, spot-instances-request."""
    kinds = ("instance", "volume", "network-interface", "spot-instances-request")
    tags = [{"ResourceType": kind, "Tags": [{"Key": "spotopt:operation", "Value": kind}]} for kind in kinds]
    spot = started(ec2, spot=True, TagSpecifications=tags)
    volume_id = spot["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    interface_id = spot["NetworkInterfaces"][0]["NetworkInterfaceId"]
    by_id = {tag["ResourceId"]: tag["Value"] for tag in tags_of(ec2, "spotopt:operation")}
    assert by_id == dict(
        zip((spot["InstanceId"], volume_id, interface_id, spot["SpotInstanceRequestId"]), kinds, strict=True)
    )
    found = ec2.describe_spot_instance_requests(Filters=[{"Name": "tag:spotopt:operation", "Values": [kinds[3]]}])
    assert found["SpotInstanceRequests"][0]["InstanceId"] == spot["InstanceId"]


def tags_of(ec2, key):
    return ec2.describe_tags(Filters=[{"Name": "key", "Values": [key]}])["Tags"]


def test_keys_that_aws_reserves_cannot_be_set(inner_cloud, ec2):
    """EC2 guide, "Tag your Amazon EC2 resources", restrictions: `aws:`, at most 50."""
    ours = [{"ResourceType": "instance", "Tags": [{"Key": "aws:mine", "Value": "x"}]}]
    assert code_of(started, ec2, TagSpecifications=ours) == "InvalidParameterValue"
    instance_id = named(ec2, "api-1")["InstanceId"]
    reserved = [{"Key": "aws:mine", "Value": "x"}]
    assert code_of(ec2.create_tags, Resources=[instance_id], Tags=reserved) == "InvalidParameterValue"
    many = [{"Key": f"k{number}", "Value": "x"} for number in range(51)]
    assert code_of(ec2.create_tags, Resources=[instance_id], Tags=many) == "TagLimitExceeded"


def test_an_image_for_another_architecture_is_refused(inner_cloud, ec2):
    """EC2 guide, "Compatibility for changing the instance type"; RunInstances: InvalidParameterValue."""
    assert code_of(started, ec2, ImageId="ami-0a11ce00000000002") == "InvalidParameterValue"
    assert code_of(started, ec2, instance_type="m6g.large") == "InvalidParameterValue"
    assert started(ec2, ImageId="ami-0a11ce00000000002", instance_type="m6g.large")["Architecture"] == "arm64"


def test_the_subnet_decides_the_zone(inner_cloud, ec2):
    """EC2 guide, "Subnets for your VPC": a subnet lies in one zone; RunInstances, Placement."""
    like = named(ec2, "api-1")
    assert code_of(started, ec2, Placement={"AvailabilityZone": other_zone(like)}) == "InvalidParameterValue"
    assert started(ec2)["Placement"]["AvailabilityZone"] == like["Placement"]["AvailabilityZone"]


def other_zone(instance) -> str:
    zone = instance["Placement"]["AvailabilityZone"]
    return zone[:-1] + ("a" if zone[-1] != "a" else "b")


def test_a_type_that_the_zone_does_not_offer_is_unsupported(inner_cloud):
    """EC2 "Error codes": Unsupported; DescribeInstanceTypeOfferings."""
    ec2 = inner_cloud.root(NORTHWIND, "ec2", "us-east-1")
    only = [{"Name": "instance-type", "Values": ["p3.2xlarge"]}]
    offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=only)
    zones = {one["Location"] for one in offered["InstanceTypeOfferings"]}
    subnets = [one for one in ec2.describe_subnets()["Subnets"] if one["AvailabilityZone"] not in zones]
    assert subnets
    like = named(ec2, "feed-1")
    params = {"SubnetId": subnets[0]["SubnetId"], "ImageId": like["ImageId"], "InstanceType": "p3.2xlarge"}
    assert code_of(ec2.run_instances, MinCount=1, MaxCount=1, **params) == "Unsupported"


def test_a_security_group_of_another_network_is_refused(inner_cloud, ec2):
    """EC2 "Error codes": InvalidParameter, "belong to different networks"."""
    vpc_id = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    group_id = ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc_id)["GroupId"]
    assert code_of(started, ec2, SecurityGroupIds=[group_id]) == "InvalidParameter"


def test_a_subnet_without_addresses_takes_nobody(inner_cloud, ec2):
    """EC2 "Error codes": InsufficientFreeAddressesInSubnet."""
    inner_cloud.control("addresses", subnet_id=named(ec2, "api-1")["SubnetId"], free=0)
    assert code_of(started, ec2) == "InsufficientFreeAddressesInSubnet"


def test_spot_can_be_gone_where_on_demand_is_not(inner_cloud, ec2):
    """EC2 "Error codes": InsufficientInstanceCapacity; a server error with status 500."""
    kind, zone_id = pool_of(named(ec2, "api-1"))
    inner_cloud.control("capacity", instance_type=kind, zone=zone_id, market="spot")
    with pytest.raises(ClientError) as refused:
        started(ec2, spot=True)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert refused.value.response["Error"]["Code"] == "InsufficientInstanceCapacity"
    assert started(ec2)["InstanceId"]


@pytest.mark.parametrize(
    ("market", "code"), [("spot", "MaxSpotInstanceCountExceeded"), ("on-demand", "VcpuLimitExceeded")]
)
def test_a_quota_ends_launches_of_its_market(inner_cloud, ec2, market, code):
    """EC2 guide, "Amazon EC2 service quotas", Spot and On-Demand apart."""
    inner_cloud.control("quota", account_id=NORTHWIND.account_id, market=market, vcpus=1)
    assert code_of(started, ec2, spot=market == "spot") == code
    assert started(ec2, spot=market != "spot")["InstanceId"]


def test_spot_options_that_cannot_be_met_are_refused(inner_cloud, ec2):
    """EC2 "Error codes": SpotMaxPriceTooLow; RunInstances reference: persistent only with stop or hibernate."""
    lasting = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "persistent"}}
    assert code_of(started, ec2, InstanceMarketOptions=lasting) == "InvalidParameterCombination"
    options = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.0001"}}
    assert code_of(started, ec2, instance_type="c5.2xlarge", InstanceMarketOptions=options) == "SpotMaxPriceTooLow"


def test_spot_needs_its_service_linked_role(inner_cloud, ec2):
    """EC2 guide, "Service-linked role for Spot Instance requests": who uses the API creates it himself."""
    iam = inner_cloud.root(NORTHWIND, "iam", "us-east-1")
    iam.delete_service_linked_role(RoleName="AWSServiceRoleForEC2Spot")
    assert code_of(started, ec2, spot=True) == "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
    assert started(ec2)["InstanceId"]
    iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    assert started(ec2, spot=True)["InstanceId"]


def test_spot_takes_no_termination_protection(inner_cloud, ec2):
    """EC2 guide, "Change instance termination protection": "You can't enable termination protection for Spot"."""
    assert code_of(started, ec2, spot=True, DisableApiTermination=True) == "UnsupportedOperation"
    spot = started(ec2, spot=True)["InstanceId"]
    protect = {"InstanceId": spot, "DisableApiTermination": {"Value": True}}
    assert code_of(ec2.modify_instance_attribute, **protect) == "UnsupportedOperation"


def test_a_protected_machine_keeps_its_zone_and_loses_the_others(inner_cloud, ec2):
    """EC2 guide, "Terminate multiple instances with termination protection across Availability Zones"."""
    protected, near = named(ec2, "ledger-db-1"), named(ec2, "api-1")
    far = next(one for one in (named(ec2, "api-2"), named(ec2, "api-3")) if zone(one) != zone(protected))
    assert zone(near) == zone(protected)
    ids = [one["InstanceId"] for one in (protected, near, far)]
    assert code_of(ec2.terminate_instances, InstanceIds=ids) == "OperationNotPermitted"
    states = [look(ec2, instance_id)["State"]["Name"] for instance_id in ids]
    assert states == ["running", "running", "shutting-down"]


def zone(instance) -> str:
    return instance["Placement"]["AvailabilityZone"]


def test_a_terminated_machine_stays_visible_for_an_hour_without_its_parts(inner_cloud, ec2):
    """EC2 guide, "Terminate your instance": visible for about an hour; volumes with DeleteOnTermination are gone."""
    before = named(ec2, "api-1")
    instance_id = before["InstanceId"]
    volume_id = before["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    answer = ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("running", "shutting-down")
    inner_cloud.advance(30)
    gone = look(ec2, instance_id)
    assert gone["State"]["Name"] == "terminated"
    assert gone["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert not {"PrivateIpAddress", "SubnetId", "VpcId"} & set(gone)
    assert gone["NetworkInterfaces"] == []
    assert code_of(ec2.describe_volumes, VolumeIds=[volume_id]) == "InvalidVolume.NotFound"
    assert ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"]
    inner_cloud.advance(3700)
    assert code_of(look, ec2, instance_id) == "InvalidInstanceID.NotFound"


def test_what_was_just_created_may_not_be_found_yet(inner_cloud, ec2):
    """EC2 guide, "Eventual consistency": a Describe, and a call on the new id, may answer NotFound."""
    inner_cloud.control("pace", of="unseen", seconds=20)
    instance_id = started(ec2)["InstanceId"]
    assert code_of(look, ec2, instance_id) == "InvalidInstanceID.NotFound"
    assert code_of(ec2.terminate_instances, InstanceIds=[instance_id]) == "InvalidInstanceID.NotFound"
    shown = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [instance_id]}])
    assert shown["Reservations"] == []
    inner_cloud.advance(20)
    assert look(ec2, instance_id)["State"]["Name"] == "running"


def test_everything_that_was_asked_for_is_described(inner_cloud, ec2):
    """RunInstances and Instance references; moto forgets each of these."""
    disk = {"VolumeType": "gp3", "VolumeSize": 40, "Iops": 4000, "Throughput": 250, "DeleteOnTermination": False}
    asked = {
        "Monitoring": {"Enabled": True},
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"},
        "MaintenanceOptions": {"AutoRecovery": "disabled"},
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": disk}],
        "UserData": "#!/bin/sh\necho häuschen\n",
        "InstanceInitiatedShutdownBehavior": "terminate",
        "CreditSpecification": {"CpuCredits": "standard"},
    }
    one = started(ec2, instance_type="t3.large", **asked)
    instance_id = one["InstanceId"]
    assert one["Monitoring"]["State"] == "enabled"
    assert one["MetadataOptions"]["HttpTokens"] == "required"
    assert one["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
    assert one["MaintenanceOptions"]["AutoRecovery"] == "disabled"
    assert one["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 1}
    (volume,) = ec2.describe_volumes(VolumeIds=[one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"]
    assert [volume[name] for name in ("VolumeType", "Size", "Iops", "Throughput")] == ["gp3", 40, 4000, 250]
    assert one["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is False
    told = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(told).decode() == asked["UserData"]
    credits = ec2.describe_instance_credit_specifications(InstanceIds=[instance_id])
    assert credits["InstanceCreditSpecifications"] == [{"InstanceId": instance_id, "CpuCredits": "standard"}]


def test_a_one_time_spot_request_ends_with_its_machine_and_cannot_be_stopped(inner_cloud, ec2):
    """EC2 guide, "Spot request status codes": instance-terminated-by-user; "Stop a Spot Instance": persistent only."""
    spot = started(ec2, spot=True)
    inner_cloud.advance(30)
    assert code_of(ec2.stop_instances, InstanceIds=[spot["InstanceId"]]) == "UnsupportedOperation"
    ec2.terminate_instances(InstanceIds=[spot["InstanceId"]])
    found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[spot["SpotInstanceRequestId"]])
    request = found["SpotInstanceRequests"][0]
    assert (request["State"], request["Status"]["Code"]) == ("closed", "instance-terminated-by-user")


def test_a_machine_stops_and_starts_in_its_own_time(inner_cloud, ec2):
    """EC2 guide, "Stop and start Amazon EC2 instances"."""
    instance_id = named(ec2, "api-1")["InstanceId"]
    ec2.stop_instances(InstanceIds=[instance_id])
    assert look(ec2, instance_id)["State"]["Name"] == "stopping"
    assert code_of(ec2.start_instances, InstanceIds=[instance_id]) == "IncorrectInstanceState"
    inner_cloud.advance(30)
    assert look(ec2, instance_id)["State"]["Name"] == "stopped"
    ec2.start_instances(InstanceIds=[instance_id])
    inner_cloud.advance(30)
    assert look(ec2, instance_id)["State"]["Name"] == "running"


def test_a_machine_that_a_service_manages_cannot_be_ended(inner_cloud):
    """EC2 guide, "Amazon EC2 managed instances": the operations are blocked."""
    ec2 = inner_cloud.root(CONTOSO, "ec2", "us-east-1")
    managed = named(ec2, "ecs-managed-1")["InstanceId"]
    assert code_of(ec2.terminate_instances, InstanceIds=[managed]) == "OperationNotPermitted"


def test_the_other_account_sees_nothing_of_it(inner_cloud, ec2):
    """EC2 reference, DescribeInstances: describes the caller's instances."""
    instance_id = started(ec2)["InstanceId"]
    lab = inner_cloud.root(NORTHWIND_LAB, "ec2")
    assert code_of(look, lab, instance_id) == "InvalidInstanceID.NotFound"
