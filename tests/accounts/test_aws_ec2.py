"""What EC2's answers become, against botocore's own description of them."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from botocore.stub import Stubber

from accounts.aws.errors import Denied, EndlessPages
from accounts.aws.read import ec2
from accounts.aws.read.instance_types import InstanceTypeFacts
from instances.domain.spec import InstanceSpec
from tests.accounts.scripted_aws import a_session

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def session():
    return a_session()


@pytest.fixture
def stub(session):
    with Stubber(session.client("ec2")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_regions_tell_which_are_enabled(session, stub):
    stub.add_response(
        "describe_regions",
        {
            "Regions": [
                {"RegionName": "eu-west-3", "OptInStatus": "opt-in-not-required"},
                {"RegionName": "me-south-1", "OptInStatus": "not-opted-in"},
                {"RegionName": "af-south-1", "OptInStatus": "opted-in"},
            ]
        },
        {"AllRegions": True},
    )
    assert [(region.name, region.is_enabled) for region in ec2.regions(session)] == [
        ("eu-west-3", True),
        ("me-south-1", False),
        ("af-south-1", True),
    ]


def test_zones_carry_the_accounts_name_and_the_common_id(session, stub):
    zone = {"ZoneName": "eu-west-3a", "ZoneId": "euw3-az2", "RegionName": "eu-west-3", "State": "available"}
    stub.add_response("describe_availability_zones", {"AvailabilityZones": [zone]}, {})
    (found,) = ec2.zones(session)
    assert (found.name, found.zone_id, found.region, found.state) == tuple(zone.values())


def test_a_type_has_every_field_of_a_spec():
    assert [each.name for each in fields(InstanceTypeFacts)] == [each.name for each in fields(InstanceSpec)]


def test_instance_types_are_read_over_pages_that_may_be_empty(session, stub):
    big = {
        "InstanceType": "g5d.12xlarge",
        "CurrentGeneration": True,
        "SupportedUsageClasses": ["on-demand", "spot"],
        "SupportedVirtualizationTypes": ["hvm"],
        "BareMetal": False,
        "Hypervisor": "nitro",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "VCpuInfo": {"DefaultVCpus": 48},
        "MemoryInfo": {"SizeInMiB": 196608},
        "InstanceStorageInfo": {"TotalSizeInGB": 3800},
        "EbsInfo": {"NvmeSupport": "required", "EbsOptimizedInfo": {"BaselineBandwidthInMbps": 16000}},
        "NetworkInfo": {
            "MaximumNetworkInterfaces": 15,
            "EnaSupport": "required",
            "EfaSupported": True,
            "NetworkCards": [{"BaselineBandwidthInGbps": 40.0}, {"BaselineBandwidthInGbps": 10.0}],
        },
        "GpuInfo": {"Gpus": [{"Name": "A10G", "Count": 4}], "TotalGpuMemoryInMiB": 91552},
        "SupportedBootModes": ["legacy-bios", "uefi"],
        "NeuronInfo": {"NeuronDevices": [{"Count": 2}]},
        "InferenceAcceleratorInfo": {"Accelerators": [{"Count": 2}]},
    }
    stub.add_response("describe_instance_types", {"InstanceTypes": [], "NextToken": "a"}, {"MaxResults": 100})
    stub.add_response(
        "describe_instance_types", {"InstanceTypes": [big], "NextToken": "b"}, {"MaxResults": 100, "NextToken": "a"}
    )
    stub.add_response(
        "describe_instance_types",
        {"InstanceTypes": [{"InstanceType": "x9.nano"}]},
        {"MaxResults": 100, "NextToken": "b"},
    )
    full, bare = ec2.instance_types(session)
    assert (full.vcpus, full.memory_mib, full.gpu_count, full.gpu_memory_mib) == (48, 196608, 4, 91552)
    assert (full.network_gbps, full.ebs_baseline_mbps, full.max_interfaces) == (50.0, 16000, 15)
    assert (full.ena, full.nvme, full.boot_modes) == ("required", "required", ("legacy-bios", "uefi"))
    assert full.accelerator_count == 2  # one device told twice
    assert full.is_spot_supported
    assert full.efa
    assert (bare.vcpus, bare.memory_mib, bare.hypervisor, bare.ena, bare.network_gbps) == (None,) * 5
    assert not bare.is_spot_supported
    assert (bare.gpu_count, bare.local_disk_gb) == (0, 0)


def test_offerings_are_asked_by_zone_id(session, stub):
    stub.add_response(
        "describe_instance_type_offerings",
        {"InstanceTypeOfferings": [{"InstanceType": "c5.large", "Location": "euw3-az1"}]},
        {"LocationType": "availability-zone-id", "MaxResults": 1000},
    )
    assert list(ec2.offerings(session)) == [("c5.large", "euw3-az1")]


def test_an_instance_keeps_all_that_may_forbid_moving_it(session, stub):
    answer = {
        "InstanceId": "i-1",
        "InstanceType": "m5d.large",
        "State": {"Name": "running", "Code": 16},
        "Placement": {
            "AvailabilityZone": "eu-west-3a",
            "AvailabilityZoneId": "euw3-az1",
            "Tenancy": "host",
            "HostId": "h-1",
            "GroupName": "rack",
        },
        "LaunchTime": NOON,
        "InstanceLifecycle": "spot",
        "SpotInstanceRequestId": "sir-1",
        "ImageId": "ami-1",
        "Architecture": "x86_64",
        "EnaSupport": True,
        "BootMode": "uefi",
        "PlatformDetails": "Windows",
        "UsageOperation": "RunInstances:0002",
        "ProductCodes": [{"ProductCodeId": "abc", "ProductCodeType": "marketplace"}],
        "OutpostArn": "arn:aws:outposts:::outpost/op-1",
        "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/web", "Id": "AIPA"},
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": "eni-1",
                "InterfaceType": "efa",
                "SourceDestCheck": False,
                "SubnetId": "subnet-1",
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.4", "Primary": True}],
                "Attachment": {"DeviceIndex": 0},
                "Operator": {"Managed": True},
            }
        ],
        "SourceDestCheck": False,
        "RootDeviceType": "instance-store",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1", "DeleteOnTermination": False}},
        ],
        "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "spotopt:ignore", "Value": ""}],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "HibernationOptions": {"Configured": True},
        "Licenses": [{"LicenseConfigurationArn": "arn:aws:license-manager:::lic"}],
        "CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}},
        "CapacityBlockId": "cb-1",
        "EnclaveOptions": {"Enabled": True},
        "Operator": {"Managed": True, "Principal": "eks.amazonaws.com"},
        "Monitoring": {"State": "enabled"},
        "EbsOptimized": True,
    }
    reservation = {"ReservationId": "r-1", "OwnerId": "111122223333", "RequesterId": "autoscaling"}
    stub.add_response(
        "describe_instances", {"Reservations": [{**reservation, "Instances": [answer]}]}, {"MaxResults": 1000}
    )
    (found,) = ec2.instances(session)
    assert found.is_spot
    assert (found.zone, found.zone_id, found.tenancy, found.host_id) == ("eu-west-3a", "euw3-az1", "host", "h-1")
    assert (found.placement_group, found.outpost_arn) == ("rack", "arn:aws:outposts:::outpost/op-1")
    assert (found.launched_at, found.spot_request_id) == (NOON, "sir-1")
    assert (found.platform_details, found.usage_operation, found.product_codes) == (
        "Windows",
        "RunInstances:0002",
        ("abc",),
    )
    assert found.iam_profile_arn == "arn:aws:iam::1:instance-profile/web"
    (interface,) = found.interfaces
    assert interface.is_efa
    assert interface.is_operator_managed
    assert interface.private_ips == ("10.0.0.4",)
    assert found.is_source_dest_check is False
    assert [(each.volume_id, each.delete_on_termination) for each in found.block_devices] == [("vol-1", False)]
    assert found.tags == {"Name": "web", "spotopt:ignore": ""}
    assert found.metadata_options.http_tokens == "required"
    assert found.is_hibernation_configured
    assert found.is_capacity_reservation_targeted
    assert found.is_enclave
    assert found.is_operator_managed
    assert found.is_detailed_monitoring
    assert (found.capacity_block_id, found.operator, found.requester_id) == ("cb-1", "eks.amazonaws.com", "autoscaling")
    assert found.license_arns == ("arn:aws:license-manager:::lic",)


def test_what_ec2_does_not_say_of_an_instance_stays_unknown(session, stub):
    stub.add_response(
        "describe_instances", {"Reservations": [{"Instances": [{"InstanceId": "i-1"}]}]}, {"MaxResults": 1000}
    )
    (found,) = ec2.instances(session)
    assert (found.lifecycle, found.zone_id, found.is_source_dest_check, found.has_ena_support) == (None,) * 4
    assert found.state == "unknown"
    assert not found.is_spot


@pytest.mark.parametrize(
    "read, attribute, key",
    [
        (ec2.termination_protection, "disableApiTermination", "DisableApiTermination"),
        (ec2.stop_protection, "disableApiStop", "DisableApiStop"),
    ],
)
@pytest.mark.parametrize("answer, expected", [({"Value": True}, True), ({"Value": False}, False), ({}, None)])
def test_protection_is_yes_no_or_unknown(session, stub, read, attribute, key, answer, expected):
    stub.add_response("describe_instance_attribute", {key: answer}, {"InstanceId": "i-1", "Attribute": attribute})
    assert read(session, "i-1") is expected


@pytest.mark.parametrize("read", [ec2.volumes, ec2.images, ec2.subnets, ec2.route_tables, ec2.network_acls])
def test_no_ids_are_refused_because_aws_takes_them_for_all(session, stub, read):
    with pytest.raises(ValueError, match="means all"):
        list(read(session, []))


def test_volumes_are_asked_by_a_hundred_ids_at_most_and_each_once(session, stub):
    ids = [f"vol-{number}" for number in range(101)]
    for batch in (ids[:100], ids[100:]):
        stub.add_response(
            "describe_volumes",
            {
                "Volumes": [
                    {
                        "VolumeId": batch[0],
                        "VolumeType": "gp3",
                        "Size": 8,
                        "Iops": 3000,
                        "Throughput": 125,
                        "Encrypted": True,
                        "Attachments": [{"InstanceId": "i-1", "DeleteOnTermination": False}],
                    }
                ]
            },
            {"Filters": [{"Name": "volume-id", "Values": batch}], "MaxResults": 1000},
        )
    found = list(ec2.volumes(session, [*ids, "vol-0"]))
    assert [volume.id for volume in found] == ["vol-0", "vol-100"]
    assert (found[0].size_gib, found[0].throughput, found[0].is_encrypted) == (8, 125, True)
    assert found[0].delete_on_termination is False


def test_an_image_that_is_gone_does_not_hide_the_others(session, stub):
    def asked(*ids):
        return {"ImageIds": list(ids), "IncludeDisabled": True, "IncludeDeprecated": True}

    def gone(*ids):
        stub.add_client_error(
            "describe_images", "InvalidAMIID.NotFound", http_status_code=400, expected_params=asked(*ids)
        )

    image = {
        "ImageId": "ami-3",
        "Architecture": "arm64",
        "ImdsSupport": "v2.0",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}],
    }
    gone("ami-1", "ami-2", "ami-3")
    gone("ami-1")
    gone("ami-2", "ami-3")
    gone("ami-2")
    stub.add_response("describe_images", {"Images": [image]}, asked("ami-3"))
    (found,) = ec2.images(session, ["ami-1", "ami-2", "ami-3"])
    assert (found.id, found.architecture, found.imds_support) == ("ami-3", "arm64", "v2.0")
    assert found.ephemeral_devices == ("/dev/sdb",)


def test_networks_tell_where_a_copy_could_stand(session, stub):
    asked = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}], "MaxResults": 100}
    subnet = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZoneId": "euw3-az1", "AvailableIpAddressCount": 7}
    stub.add_response("describe_subnets", {"Subnets": [{**subnet, "MapPublicIpOnLaunch": True}]}, asked)
    table = {
        "RouteTableId": "rtb-1",
        "VpcId": "vpc-1",
        "Associations": [{"Main": True}, {"SubnetId": "subnet-1", "Main": False}],
        "Routes": [{"GatewayId": "local"}, {"InstanceId": "i-nat", "NetworkInterfaceId": "eni-nat"}],
    }
    stub.add_response("describe_route_tables", {"RouteTables": [table]}, asked)
    acl = {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": True, "Associations": [{"SubnetId": "subnet-1"}]}
    stub.add_response("describe_network_acls", {"NetworkAcls": [acl]}, asked)
    (a_subnet,) = ec2.subnets(session, ["vpc-1"])
    (a_table,) = ec2.route_tables(session, ["vpc-1"])
    (an_acl,) = ec2.network_acls(session, ["vpc-1"])
    assert (a_subnet.zone_id, a_subnet.free_addresses, a_subnet.is_public_ip_mapped) == ("euw3-az1", 7, True)
    assert a_table.is_main
    assert a_table.subnet_ids == {"subnet-1"}
    assert (a_table.target_instance_ids, a_table.target_interface_ids) == ({"i-nat"}, {"eni-nat"})
    assert an_acl.subnet_ids == {"subnet-1"}


def test_only_active_reservations_are_asked_for(session, stub):
    answer = {"ReservedInstancesId": "ri-1", "InstanceType": "m5.large", "InstanceCount": 2, "Scope": "Region"}
    stub.add_response(
        "describe_reserved_instances",
        {"ReservedInstances": [answer]},
        {"Filters": [{"Name": "state", "Values": ["active"]}]},
    )
    (found,) = ec2.reserved_instances(session)
    assert (found.instance_type, found.count, found.scope) == ("m5.large", 2, "Region")


def test_placement_groups_tell_their_strategy(session, stub):
    stub.add_response(
        "describe_placement_groups", {"PlacementGroups": [{"GroupName": "rack", "Strategy": "cluster"}]}, {}
    )
    assert ec2.placement_groups(session) == {"rack": "cluster"}


def test_a_denied_read_is_an_error_and_not_an_empty_account(session, stub):
    stub.add_client_error("describe_instances", "UnauthorizedOperation", http_status_code=403)
    with pytest.raises(Denied, match="DescribeInstances"):
        list(ec2.instances(session))


def a_price(price="0.0312", **other):
    return {
        "InstanceType": "c5.large",
        "AvailabilityZone": "eu-west-3a",
        "AvailabilityZoneId": "euw3-az1",
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": price,
        "Timestamp": NOON,
        **other,
    }


def add_prices(stub, rows, *, token="", after="", **request):
    asked = {"StartTime": NOON - timedelta(hours=1), "EndTime": NOON, "MaxResults": 1000, **request}
    answer = {"SpotPriceHistory": rows, "NextToken": token}
    stub.add_response("describe_spot_price_history", answer, {**asked, **({"NextToken": after} if after else {})})


def read_prices(session, **request):
    return list(ec2.spot_price_pages(session, NOON - timedelta(hours=1), NOON, **request))


def test_prices_come_page_by_page_an_empty_one_among_them_duplicates_kept(session, stub):
    add_prices(stub, [a_price(), a_price()], token="a")
    add_prices(stub, [], token="b", after="a")
    add_prices(stub, [a_price("0.030000")], after="b")
    pages = read_prices(session)
    assert [(page.number, len(page.changes)) for page in pages] == [(1, 2), (2, 0), (3, 1)]
    change = pages[2].changes[0]
    assert (change.instance_type, change.zone_id, change.zone_name) == ("c5.large", "euw3-az1", "eu-west-3a")
    assert (change.product, change.usd_per_hour, change.at) == ("Linux/UNIX", Decimal("0.03"), NOON)


@pytest.mark.parametrize(
    "row, reason",
    [
        (a_price("0"), "not above zero"),
        (a_price("0.000000"), "not above zero"),
        (a_price("-0.01"), "not above zero"),
        (a_price("NaN"), "not above zero"),
        (a_price("Infinity"), "not above zero"),
        (a_price("abc"), "not a number"),
        (a_price(""), "SpotPrice is missing"),
        (a_price(AvailabilityZoneId=""), "AvailabilityZoneId is missing"),
        (a_price(Timestamp=datetime(2026, 3, 1)), "no zone"),  # noqa: DTZ001
    ],
)
def test_a_malformed_price_is_handed_over_with_the_reason_and_the_rest_is_kept(session, stub, row, reason):
    add_prices(stub, [row, a_price()])
    (page,) = read_prices(session)
    assert len(page.changes) == 1
    ((raw, why),) = page.rejected
    assert reason in why
    assert raw["InstanceType"] == "c5.large"


def test_prices_are_asked_for_given_types_and_products(session, stub):
    add_prices(stub, [], InstanceTypes=["c5.large"], ProductDescriptions=["Linux/UNIX"])
    read_prices(session, instance_types=["c5.large"], products=["Linux/UNIX"])


def test_an_endless_token_is_an_error(session, stub):
    add_prices(stub, [a_price()], token="a")
    add_prices(stub, [a_price()], token="a", after="a")
    with pytest.raises(EndlessPages):
        read_prices(session)


@pytest.mark.parametrize(
    "start, end, more",
    [
        (NOON, NOON - timedelta(seconds=1), {}),
        (NOON.replace(tzinfo=None), NOON, {}),
        (NOON, NOON, {"instance_types": []}),
        (NOON, NOON, {"products": []}),
    ],
)
def test_a_span_or_a_list_that_aws_would_misread_is_refused(session, stub, start, end, more):
    with pytest.raises(ValueError):
        list(ec2.spot_price_pages(session, start, end, **more))
