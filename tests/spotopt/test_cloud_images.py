"""Do images, snapshots, disks and addresses of the local EC2 come and go as the real ones do?"""

from __future__ import annotations

import pytest

from tests.fakes.cloud import NORTHWIND
from tests.spotopt.cloud_things import code_of, named, started


@pytest.fixture
def ec2(inner_cloud):
    return inner_cloud.root(NORTHWIND, "ec2")


def imaged(ec2, name="spotopt-1", **params) -> str:
    instance_id = named(ec2, "api-1")["InstanceId"]
    return ec2.create_image(**({"InstanceId": instance_id, "Name": name, "NoReboot": True} | params))["ImageId"]


def state_of(ec2, image_id) -> str:
    return ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"]


def test_an_image_is_pending_until_its_snapshots_are_complete(inner_cloud, ec2):
    """EC2 guide, "Create an Amazon EBS-backed AMI": pending, then available; a launch from it waits."""
    image_id = imaged(ec2)
    assert state_of(ec2, image_id) == "pending"
    assert code_of(started, ec2, ImageId=image_id) == "InvalidAMIID.Unavailable"
    inner_cloud.advance(60)
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    assert image["State"] == "available"
    assert (image["PlatformDetails"], image["UsageOperation"]) == ("Linux/UNIX", "RunInstances")
    (disk,) = image["BlockDeviceMappings"]
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[disk["Ebs"]["SnapshotId"]])["Snapshots"]
    assert snapshot["State"] == "completed"
    assert (disk["DeviceName"], disk["Ebs"]["VolumeType"]) == ("/dev/xvda", "gp3")
    launched = started(ec2, ImageId=image_id)
    (volume,) = ec2.describe_volumes(VolumeIds=[launched["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"]
    assert (volume["SnapshotId"], volume["VolumeType"]) == (snapshot["SnapshotId"], "gp3")


@pytest.mark.parametrize("name", ["2026-11-25T10:00:00", "x" * 129, "umlaut-ä"])
def test_a_name_with_colons_or_of_wrong_length_is_refused(inner_cloud, ec2, name):
    """CreateImage reference, Name."""
    assert code_of(imaged, ec2, name) == "InvalidAMIName.Malformed"


def test_a_name_is_taken_once(inner_cloud, ec2):
    """EC2 "Error codes": InvalidAMIName.Duplicate; free again once deregistered."""
    image_id = imaged(ec2)
    assert code_of(imaged, ec2) == "InvalidAMIName.Duplicate"
    found = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["spotopt-1"]}])["Images"]
    assert [one["ImageId"] for one in found] == [image_id]
    ec2.deregister_image(ImageId=image_id)
    assert imaged(ec2) != image_id


def test_an_image_reboots_the_machine_unless_told_not_to(inner_cloud, ec2):
    """CreateImage reference, NoReboot: by default EC2 shuts the instance down, takes the image, and reboots it."""
    instance = named(ec2, "api-1")
    url = f"http://{instance['PrivateIpAddress']}/healthz"
    imaged(ec2)
    assert inner_cloud.get(url) == 200
    imaged(ec2, "spotopt-2", NoReboot=False)
    assert inner_cloud.get(url) == 503
    assert inner_cloud.census().instances[instance["InstanceId"]].reboots == 1


@pytest.mark.parametrize(("asked", "left"), [({"DeleteAssociatedSnapshots": True}, 0), ({}, 1)])
def test_snapshots_go_with_their_image_only_when_asked(inner_cloud, ec2, asked, left):
    """DeregisterImage reference, DeleteAssociatedSnapshots."""
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "spotopt:operation", "Value": "7"}]}]
    image_id = imaged(ec2, TagSpecifications=tags)
    inner_cloud.advance(60)
    ours = {"Filters": [{"Name": "tag:spotopt:operation", "Values": ["7"]}]}
    (snapshot,) = ec2.describe_snapshots(**ours)["Snapshots"]
    assert code_of(ec2.delete_snapshot, SnapshotId=snapshot["SnapshotId"]) == "InvalidSnapshot.InUse"
    answer = ec2.deregister_image(ImageId=image_id, **asked)
    results = [one["ReturnCode"] for one in answer.get("DeleteSnapshotResults", [])]
    assert results == ["success"] * (1 - left)
    assert len(ec2.describe_snapshots(**ours)["Snapshots"]) == left == len(inner_cloud.census().snapshots)
    assert code_of(state_of, ec2, image_id) == "InvalidAMIID.NotFound"
    assert code_of(ec2.deregister_image, ImageId=image_id) == "InvalidAMIID.Unavailable"


def test_a_public_image_is_not_ours_to_deregister(inner_cloud, ec2):
    """EC2 "Error codes": AuthFailure."""
    assert code_of(ec2.deregister_image, ImageId=named(ec2, "api-1")["ImageId"]) == "AuthFailure"


def test_a_snapshot_is_pending_first(inner_cloud, ec2):
    """EC2 guide, "Create Amazon EBS snapshots"."""
    volume_id = named(ec2, "files-1")["BlockDeviceMappings"][1]["Ebs"]["VolumeId"]
    snapshot_id = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["State"] == "pending"
    inner_cloud.advance(30)
    assert ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["State"] == "completed"


def test_a_disk_that_outlives_its_machine_is_left_behind(inner_cloud, ec2):
    """EC2 guide, "Preserve data when an instance is terminated": DeleteOnTermination."""
    keeper = named(ec2, "archive-1")
    volume_id = keeper["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    ec2.terminate_instances(InstanceIds=[keeper["InstanceId"]])
    inner_cloud.advance(30)
    assert inner_cloud.census().volumes[volume_id] == ""


def allocated(ec2, instance=None) -> dict:
    address = ec2.allocate_address(Domain="vpc")
    if instance is not None:
        ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance["InstanceId"])
    return address


def owner(cloud, address) -> str:
    return cloud.census().addresses[address["PublicIp"]]


def test_an_address_is_taken_from_its_owner_unless_that_is_forbidden(inner_cloud, ec2):
    """AssociateAddress reference, AllowReassociation: "reassociation is automatic, therefore … specify false"."""
    old, new = named(ec2, "api-1"), named(ec2, "api-2")
    address = allocated(ec2, old)
    move = {"AllocationId": address["AllocationId"], "InstanceId": new["InstanceId"]}
    assert code_of(ec2.associate_address, **move, AllowReassociation=False) == "Resource.AlreadyAssociated"
    assert owner(inner_cloud, address) == old["InstanceId"]
    first = ec2.associate_address(**move)["AssociationId"]
    assert owner(inner_cloud, address) == new["InstanceId"]
    assert "PublicIpAddress" not in named(ec2, "api-1")
    assert ec2.associate_address(**move, AllowReassociation=False)["AssociationId"] == first, "repeating is harmless"


def test_an_address_that_is_in_use_cannot_be_released(inner_cloud, ec2):
    """ReleaseAddress reference: it must be disassociated first; DisassociateAddress: "an idempotent operation"."""
    address = allocated(ec2, named(ec2, "api-1"))
    assert code_of(ec2.release_address, AllocationId=address["AllocationId"]) == "InvalidIPAddress.InUse"
    (found,) = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"]
    ec2.disassociate_address(AssociationId=found["AssociationId"])
    ec2.disassociate_address(AssociationId=found["AssociationId"])
    unknown = "eipassoc-00000000000000000"
    assert code_of(ec2.disassociate_address, AssociationId=unknown) == "InvalidAssociationID.NotFound"
    ec2.release_address(AllocationId=address["AllocationId"])
    assert inner_cloud.census().addresses == {}


def test_an_address_comes_free_when_its_machine_ends(inner_cloud, ec2):
    """EC2 guide, "Elastic IP addresses": disassociated when the instance is terminated."""
    instance = named(ec2, "api-1")
    address = allocated(ec2, instance)
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    inner_cloud.advance(30)
    assert owner(inner_cloud, address) == ""


def test_a_machine_with_two_interfaces_must_name_one(inner_cloud, ec2):
    """AssociateAddress reference, InstanceId: "must have exactly one attached network interface"."""
    router = named(ec2, "router-1")
    assert code_of(allocated, ec2, router) == "InvalidInstanceID"
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    interface = router["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert ec2.associate_address(AllocationId=address, NetworkInterfaceId=interface)["AssociationId"]


def test_an_image_tags_itself_and_its_snapshots_and_nothing_else(inner_cloud, ec2):
    """CreateImage reference, TagSpecifications: with other resource types the request fails."""
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    assert code_of(imaged, ec2, TagSpecifications=tags) == "InvalidParameterValue"


def test_a_machine_that_is_not_running_yet_takes_no_address(inner_cloud, ec2):
    """EC2 "Error codes": IncorrectInstanceState."""
    assert code_of(allocated, ec2, started(ec2)) == "IncorrectInstanceState"


def fleet(ec2, cloud, types, *, spot=True, **params):
    model = named(ec2, "api-1")
    data = {"ImageId": model["ImageId"], "InstanceType": "m5.large", "UserData": "IyEvYmluL3NoCg=="}
    known = ec2.describe_launch_templates(LaunchTemplateNames=[])["LaunchTemplates"]
    if "spotopt-7" not in {one["LaunchTemplateName"] for one in known}:
        ec2.create_launch_template(LaunchTemplateName="spotopt-7", LaunchTemplateData=data)
    template = {"LaunchTemplateName": "spotopt-7", "Version": "1"}
    overrides = [{"InstanceType": kind, "SubnetId": model["SubnetId"]} for kind in types]
    asked = {
        "Type": "instant",
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": template, "Overrides": overrides}],
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": 1,
            "DefaultTargetCapacityType": "spot" if spot else "on-demand",
        },
        "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
    }
    return ec2.create_fleet(**(asked | params))


def test_an_instant_fleet_starts_one_machine_of_the_first_pool_that_has_any(inner_cloud, ec2):
    """EC2 guide, "Instant EC2 Fleets": the instances and the errors of pools that refused, in one answer."""
    inner_cloud.control("capacity", instance_type="m5.large", zone="*", market="spot")
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "spotopt:operation", "Value": "7"}]}]
    answer = fleet(ec2, inner_cloud, ["m5.large", "c5.2xlarge"], TagSpecifications=tags, ClientToken="f")
    (row,) = answer["Instances"]
    assert (row["InstanceType"], row["Lifecycle"]) == ("c5.2xlarge", "spot")
    assert {one["ErrorCode"] for one in answer["Errors"]} <= {"UnfulfillableCapacity"}
    (launched,) = inner_cloud.census().tagged("spotopt:operation").values()
    assert launched.id == row["InstanceIds"][0]
    assert launched.tags["aws:ec2:fleet-id"] == answer["FleetId"]
    again = fleet(ec2, inner_cloud, ["m5.large", "c5.2xlarge"], TagSpecifications=tags, ClientToken="f")
    assert again["Instances"] == answer["Instances"]
    changed = {"TagSpecifications": [], "ClientToken": "f"}
    assert code_of(fleet, ec2, inner_cloud, ["m5.large"], **changed) == "IdempotentParameterMismatch"


def test_an_instant_fleet_without_capacity_answers_with_errors_alone(inner_cloud, ec2):
    """Same page: the request succeeds; nothing was launched and nothing stays open."""
    inner_cloud.control("capacity", instance_type="*", zone="*")
    before = inner_cloud.census()
    answer = fleet(ec2, inner_cloud, ["m5.large", "c5.2xlarge"])
    assert answer.get("Instances", []) == []
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["UnfulfillableCapacity"] * 2
    after = inner_cloud.census()
    assert (after.instances, after.open_spot_requests) == (before.instances, before.open_spot_requests)
