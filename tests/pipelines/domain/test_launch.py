"""The copy of an instance: every field copied, derived or refused, and none that AWS adds is forgotten."""

from __future__ import annotations

import base64
import copy as copying
from typing import Any

import botocore.session
import pytest

from pipelines.domain.launch import (
    COPIED,
    DERIVED,
    LEFT_OUT,
    REFUSED,
    SENT,
    CannotCopy,
    Copy,
    Original,
    launch_request,
)

OLD, VOLUME = "i-0old", "vol-1"


def an_instance(**fields: Any) -> dict[str, Any]:
    """A plain web server as DescribeInstances tells it."""
    return {
        "InstanceId": OLD,
        "InstanceType": "m5.large",
        "ImageId": "ami-1",
        "KeyName": "ops",
        "EbsOptimized": True,
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "SubnetId": "subnet-1",
        "Placement": {"AvailabilityZone": "us-east-1a", "Tenancy": "default", "GroupName": ""},
        "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/web", "Id": "AIPA1"},
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}],
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": "eni-1",
                "Description": "web",
                "Groups": [{"GroupId": "sg-1"}, {"GroupId": "sg-2"}],
                "InterfaceType": "interface",
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.4", "Primary": True}],
                "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}],
                "Association": {"IpOwnerId": "amazon", "PublicIp": "203.0.113.7"},
            }
        ],
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": VOLUME, "DeleteOnTermination": True}}],
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
        "MetadataOptions": {
            "State": "applied",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
            "InstanceMetadataTags": "enabled",
        },
        "MaintenanceOptions": {"AutoRecovery": "disabled", "RebootMigration": "default"},
        "PrivateDnsNameOptions": {"HostnameType": "resource-name", "EnableResourceNameDnsARecord": True},
        "NetworkPerformanceOptions": {"BandwidthWeighting": "vpc-1"},
        "Monitoring": {"State": "enabled"},
        "SourceDestCheck": True,
        "UsageOperation": "RunInstances",
        "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "aws:ec2launchtemplate:id", "Value": "lt-1"}],
        **fields,
    }


def a_volume(**fields: Any) -> dict[str, Any]:
    return {
        "VolumeId": VOLUME,
        "VolumeType": "gp3",
        "Size": 40,
        "Iops": 4000,
        "Throughput": 200,
        "Encrypted": True,
        "KmsKeyId": "arn:aws:kms:us-east-1:1:key/1",
        "Tags": [{"Key": "backup", "Value": "daily"}],
        **fields,
    }


def an_original(
    volume: dict[str, Any] | None = None, user_data: str = "", credits: str = "", **fields: Any
) -> Original:
    return Original(an_instance(**fields), [volume or a_volume()], user_data, credits or None, "stop", 2)


def a_copy(**fields: Any) -> Copy:
    usual: dict[str, Any] = {"operation_id": "op-1", "subnet_id": "subnet-9", "image_id": "ami-9"}
    return Copy(**{**usual, "instance_type": "m6i.large", "is_burstable": False} | fields)


# --- Nothing that AWS adds is forgotten ---------------------------------------------------------------------------
def members(shape: str) -> set[str]:
    described: Any = botocore.session.get_session().get_service_model("ec2").shape_for(shape)
    return set(described.members)


def test_every_field_of_an_instance_is_copied_derived_or_refused():
    assert members("Instance") == COPIED | DERIVED | REFUSED
    assert len(COPIED) + len(DERIVED) + len(REFUSED) == len(COPIED | DERIVED | REFUSED)


def test_every_field_of_a_launch_is_sent_or_left_out_for_a_reason():
    assert members("RunInstancesRequest") == SENT | LEFT_OUT.keys()
    assert not SENT & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize(
    ("told", "asked", "machines_own"),
    [
        ("InstanceMetadataOptionsResponse", "InstanceMetadataOptionsRequest", {"State"}),
        ("PrivateDnsNameOptionsResponse", "PrivateDnsNameOptionsRequest", set()),
        ("InstanceNetworkPerformanceOptions", "InstanceNetworkPerformanceOptionsRequest", set()),
        ("InstanceMaintenanceOptions", "InstanceMaintenanceOptionsRequest", {"RebootMigration"}),
        ("CpuOptions", "CpuOptionsRequest", set()),
    ],
)
def test_what_is_told_of_an_option_is_what_can_be_asked(told, asked, machines_own):
    assert members(told) - machines_own == members(asked)


def test_all_that_is_sent_is_taken_by_botocore_as_it_stands():
    model = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances")
    from botocore.validate import validate_parameters

    request = launch_request(
        an_original(user_data=base64.b64encode(b"#!/bin/sh").decode(), credits="standard"), a_copy()
    )
    assert request.keys() <= SENT
    validate_parameters(request, model.input_shape)


# --- What is carried over -----------------------------------------------------------------------------------------
def test_the_copy_is_one_tagged_one_time_spot_instance_of_the_new_type_in_the_new_subnet():
    request = launch_request(an_original(), a_copy())
    assert (request["MinCount"], request["MaxCount"], request["InstanceType"]) == (1, 1, "m6i.large")
    assert request["ImageId"] == "ami-9"
    assert request["InstanceMarketOptions"] == {
        "MarketType": "spot",
        "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
    }
    assert request["NetworkInterfaces"] == [
        {
            "DeviceIndex": 0,
            "SubnetId": "subnet-9",
            "Groups": ["sg-1", "sg-2"],
            "DeleteOnTermination": True,
            "Description": "web",
            "Ipv6AddressCount": 1,
            "AssociatePublicIpAddress": True,
        }
    ]


def test_options_of_the_machine_are_kept_and_imds_is_never_weakened():
    request = launch_request(an_original(), a_copy())
    assert request["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "HttpEndpoint": "enabled",
        "InstanceMetadataTags": "enabled",
    }
    assert request["IamInstanceProfile"] == {"Arn": "arn:aws:iam::1:instance-profile/web"}
    assert request["MaintenanceOptions"] == {"AutoRecovery": "disabled"}
    assert request["Monitoring"] == {"Enabled": True}
    assert request["KeyName"] == "ops"
    assert request["EbsOptimized"] is True
    assert request["NetworkPerformanceOptions"] == {"BandwidthWeighting": "vpc-1"}
    assert request["PrivateDnsNameOptions"] == {"HostnameType": "resource-name", "EnableResourceNameDnsARecord": True}


def test_a_disk_keeps_its_type_speed_and_key():
    (disk,) = launch_request(an_original(), a_copy())["BlockDeviceMappings"]
    assert disk == {
        "DeviceName": "/dev/xvda",
        "Ebs": {
            "VolumeType": "gp3",
            "VolumeSize": 40,
            "DeleteOnTermination": True,
            "Iops": 4000,
            "Throughput": 200,
            "Encrypted": True,
            "KmsKeyId": "arn:aws:kms:us-east-1:1:key/1",
        },
    }


def test_a_gp2_disk_is_asked_for_without_the_iops_it_is_described_with():
    """RunInstances refuses Iops for gp2, which Describe tells all the same."""
    volume = a_volume(VolumeType="gp2", Iops=120, Throughput=None, Encrypted=False, KmsKeyId=None)
    (disk,) = launch_request(an_original(volume), a_copy())["BlockDeviceMappings"]
    assert disk["Ebs"] == {"VolumeType": "gp2", "VolumeSize": 40, "DeleteOnTermination": True}


def test_tags_are_in_the_launch_call_on_all_that_it_makes_ours_first_and_none_of_aws():
    specifications = launch_request(an_original(), a_copy())["TagSpecifications"]
    tags = {each["ResourceType"]: {tag["Key"]: tag["Value"] for tag in each["Tags"]} for each in specifications}
    ours = {"ManagedBy": "SpotOptimizer", "spotopt:operation": "op-1", "spotopt:replaces": OLD}
    assert tags == {
        "instance": {**ours, "Name": "web"},
        "volume": {**ours, "backup": "daily"},
        "network-interface": ours,
        "spot-instances-request": ours,
    }
    assert list(tags["instance"])[:3] == list(ours)


def test_a_machine_that_is_itself_a_copy_gets_the_tags_of_the_new_operation():
    tags = [{"Key": "spotopt:operation", "Value": "op-0"}, {"Key": "ManagedBy", "Value": "somebody"}]
    specifications = launch_request(an_original(Tags=tags), a_copy())["TagSpecifications"]
    assert {tag["Key"]: tag["Value"] for tag in specifications[0]["Tags"]}["spotopt:operation"] == "op-1"
    assert len(specifications[0]["Tags"]) == 3


def test_an_elastic_ip_is_not_asked_for_again():
    interface = copying.deepcopy(an_instance()["NetworkInterfaces"][0])
    interface["Association"]["IpOwnerId"] = "111122223333"
    (made,) = launch_request(an_original(NetworkInterfaces=[interface]), a_copy())["NetworkInterfaces"]
    assert "AssociatePublicIpAddress" not in made


def test_a_machine_without_a_public_address_gets_none():
    interface = copying.deepcopy(an_instance()["NetworkInterfaces"][0])
    del interface["Association"]
    (made,) = launch_request(an_original(NetworkInterfaces=[interface]), a_copy())["NetworkInterfaces"]
    assert made["AssociatePublicIpAddress"] is False


def test_the_credit_mode_goes_to_a_burstable_type_alone():
    assert "CreditSpecification" not in launch_request(an_original(credits="standard"), a_copy())
    request = launch_request(an_original(credits="standard"), a_copy(is_burstable=True))
    assert request["CreditSpecification"] == {"CpuCredits": "standard"}


def test_cores_that_were_chosen_are_kept_on_the_same_type_and_refused_on_another():
    chosen = {"CoreCount": 1, "ThreadsPerCore": 1}
    request = launch_request(an_original(CpuOptions=chosen), a_copy(instance_type="m5.large"))
    assert request["CpuOptions"] == chosen
    with pytest.raises(CannotCopy, match="its 1 vCPUs were chosen, of 2"):
        launch_request(an_original(CpuOptions=chosen), a_copy())
    assert "CpuOptions" not in launch_request(an_original(), a_copy())


# --- Who is refused -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"InstanceLifecycle": "spot"}, "no On-Demand"),
        ({"Operator": {"Managed": True}}, "AWS service"),
        ({"OutpostArn": "arn:aws:outposts:1"}, "Outpost"),
        ({"Platform": "windows"}, "Windows"),
        ({"ProductCodes": [{"ProductCodeId": "x"}]}, "Marketplace"),
        ({"UsageOperation": "RunInstances:0010"}, "billed as RunInstances:0010"),
        ({"Licenses": [{"LicenseConfigurationArn": "x"}]}, "license"),
        ({"CapacityBlockId": "cb-1"}, "capacity block"),
        ({"CapacityReservationId": "cr-1"}, "capacity reservation"),
        ({"CapacityReservationSpecification": {"CapacityReservationTarget": {"x": "y"}}}, "targets a capacity"),
        ({"EnclaveOptions": {"Enabled": True}}, "enclave"),
        ({"HibernationOptions": {"Configured": True}}, "hibernate"),
        ({"KernelId": "aki-1"}, "kernel"),
        ({"RamdiskId": "ari-1"}, "kernel"),
        ({"ElasticGpuAssociations": [{}]}, "elastic GPU"),
        ({"ElasticInferenceAcceleratorAssociations": [{}]}, "accelerator"),
        ({"SourceDestCheck": False}, "routes for others"),
        ({"SecondaryInterfaces": [{}]}, "secondary interfaces"),
        ({"NetworkInterfaces": [{}, {}]}, "2 network interfaces"),
        ({"NetworkInterfaces": [{"PrivateIpAddresses": [{}, {}]}]}, "2 private addresses"),
        ({"NetworkInterfaces": [{"InterfaceType": "efa"}]}, "EFA"),
        ({"Placement": {"Tenancy": "dedicated"}}, "tenancy"),
        ({"Placement": {"GroupName": "hpc"}}, "placement group"),
        ({"RootDeviceType": "instance-store"}, "instance store"),
        ({"CpuOptions": {"AmdSevSnp": "enabled"}}, "SEV-SNP"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": VOLUME}}]}, "data disk /dev/sdf"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": VOLUME}}]}, "outlives"),
        ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(48)]}, "51 tags"),
    ],
)
def test_what_a_copy_would_change_is_refused_with_its_reason(fields, reason):
    with pytest.raises(CannotCopy, match=reason):
        launch_request(an_original(**fields), a_copy())


def test_every_reason_is_told_at_once():
    with pytest.raises(CannotCopy) as refused:
        launch_request(an_original(Platform="windows", KernelId="aki-1"), a_copy())
    assert len(refused.value.reasons) == 2


def test_a_disk_that_nobody_described_is_no_disk_to_copy():
    with pytest.raises(CannotCopy, match="the volume vol-1 is not described"):
        launch_request(Original(an_instance(), [], "", None, "stop", 2), a_copy())
