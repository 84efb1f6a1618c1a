"""Is the demo's estate the same every time, with a trap of every kind, and found again after a restart?"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from spotopt.local import estate
from spotopt.local.estate import ACCOUNTS
from spotopt.local.fleet import MACHINES, Trap
from tests.fakes.cloud import CONTOSO, NORTHWIND, NORTHWIND_LAB, ROOT, LocalCloud, client, start_cloud


def machines(cloud: LocalCloud) -> dict[str, dict]:
    """Name → instance, of every account and region."""
    return {
        next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name"): instance
        for account in ACCOUNTS
        for region in account.regions
        for reservation in cloud.root(account, "ec2", region).describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    }


@pytest.fixture(scope="module")
def fleet(cloud_process):
    cloud_process.reset()
    return machines(cloud_process)


def tags(instance) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}


def trapped(fleet, trap: Trap) -> dict:
    name = next(name for name, reason in estate.describe().items() if reason == trap)
    return fleet[name]


def test_there_are_three_accounts_of_two_organizations_and_about_sixty_machines(fleet):
    assert Counter(account.organization for account in ACCOUNTS) == {"Northwind": 2, "Contoso": 1}
    assert Counter(account.environment for account in ACCOUNTS) == {"PROD": 2, "LAB": 1}
    assert 55 <= len(fleet) <= 70
    assert set(fleet) == set(estate.describe())
    assert Counter(one.get("InstanceLifecycle", "on-demand") for one in fleet.values())["spot"] >= 5


def test_every_trap_is_set_once():
    assert Counter(machine.trap for machine in MACHINES if machine.trap) == dict.fromkeys(Trap, 1)


def test_fleets_of_five_or_more_span_three_zones(fleet):
    zones: dict[tuple[str, str], set[str]] = {}
    for machine in MACHINES:
        zones.setdefault((machine.account_id, machine.region), set()).add(machine.zone)
    assert all(len(found) >= 3 for place, found in zones.items() if estate.counts()[place] >= 5)


def test_machines_were_launched_days_to_months_ago(fleet, cloud_process):
    began_at = cloud_process.control("status")["estate_began_at"]
    ages = [(machine.age_days, fleet[machine.name]["LaunchTime"].isoformat()) for machine in MACHINES]
    assert all(launched < began_at for _, launched in ages)
    assert len({launched for _, launched in ages}) > 30


@pytest.mark.parametrize(
    ("trap", "shows"),
    [
        (Trap.DEDICATED, lambda one: one["Placement"]["Tenancy"] == "dedicated"),
        (Trap.WINDOWS, lambda one: (one["Platform"], one["PlatformDetails"]) == ("windows", "Windows")),
        (Trap.DATA_VOLUME, lambda one: len(one["BlockDeviceMappings"]) == 2),
        (Trap.KEEPS_ROOT, lambda one: not one["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"]),
        (Trap.TWO_INTERFACES, lambda one: len(one["NetworkInterfaces"]) == 2),
        (Trap.FORWARDS, lambda one: one["SourceDestCheck"] is False),
        (Trap.IGNORED, lambda one: tags(one)["spotopt:ignore"] == "true"),
        (Trap.MARKETPLACE, lambda one: one["ProductCodes"][0]["ProductCodeType"] == "marketplace"),
        (Trap.BILLED_SOFTWARE, lambda one: one["UsageOperation"] == "RunInstances:0004"),
        (Trap.CLOUDFORMATION, lambda one: tags(one)["aws:cloudformation:stack-name"] == "lab-stack"),
        (Trap.HIBERNATES, lambda one: one["HibernationOptions"]["Configured"] is True),
        (Trap.LICENSED, lambda one: "license-configuration" in one["Licenses"][0]["LicenseConfigurationArn"]),
        (Trap.STOPPED, lambda one: one["State"]["Name"] == "stopped"),
        (Trap.RESERVED_CAPACITY, lambda one: one["CapacityReservationId"].startswith("cr-")),
        (Trap.PLACEMENT_GROUP, lambda one: one["Placement"]["GroupName"] == "mpi-cluster"),
        (Trap.ENCLAVE, lambda one: one["EnclaveOptions"]["Enabled"] is True),
        (Trap.MANAGED, lambda one: one["Operator"] == {"Managed": True, "Principal": "ecs.amazonaws.com"}),
    ],
    ids=lambda value: str(value) if isinstance(value, Trap) else "",
)
def test_a_trap_shows_in_describe_instances(fleet, trap, shows):
    """EC2 reference, Instance."""
    assert shows(trapped(fleet, trap))


def test_the_other_traps_show_in_calls_of_their_own(cloud_process, fleet):
    """EC2 reference: DescribeInstanceAttribute, -InstanceTypes, -RouteTables, -ReservedInstances."""
    ec2 = cloud_process.root(NORTHWIND, "ec2")
    protected = trapped(fleet, Trap.TERMINATION_PROTECTED)["InstanceId"]
    told = ec2.describe_instance_attribute(InstanceId=protected, Attribute="disableApiTermination")
    assert told["DisableApiTermination"]["Value"] is True
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[protected])
    scratch = trapped(fleet, Trap.INSTANCE_STORE)
    described = ec2.describe_instance_types(InstanceTypes=[scratch["InstanceType"]])["InstanceTypes"][0]
    assert described["InstanceStorageSupported"] is True
    image = ec2.describe_images(ImageIds=[scratch["ImageId"]])["Images"][0]
    assert {"ephemeral0"} == {one["VirtualName"] for one in image["BlockDeviceMappings"] if "VirtualName" in one}

    virginia = cloud_process.root(NORTHWIND, "ec2", "us-east-1")
    routes = [route for table in virginia.describe_route_tables()["RouteTables"] for route in table["Routes"]]
    assert trapped(fleet, Trap.ROUTE_TARGET)["InstanceId"] in {route.get("InstanceId") for route in routes}
    vault = trapped(fleet, Trap.STOP_PROTECTED)["InstanceId"]
    contoso = cloud_process.root(CONTOSO, "ec2", "us-east-1")
    told = contoso.describe_instance_attribute(InstanceId=vault, Attribute="disableApiStop")
    assert told["DisableApiStop"]["Value"] is True
    reserved = cloud_process.root(CONTOSO, "ec2").describe_reserved_instances(
        Filters=[{"Name": "state", "Values": ["active"]}]
    )
    assert reserved["ReservedInstances"][0]["InstanceType"] == trapped(fleet, Trap.COMMITTED)["InstanceType"]


def test_cluster_nodes_and_members_carry_the_tags_of_their_owners(fleet):
    node = tags(fleet["nw-prod-worker-1"])
    assert node["kubernetes.io/cluster/nw-prod"] == "owned"
    assert node["eks:cluster-name"] == "nw-prod"
    assert node["aws:autoscaling:groupName"] == "eks-nw-prod-workers"
    assert tags(fleet["nw-web-1"])["aws:autoscaling:groupName"] == "nw-web"


def test_a_reset_brings_back_the_same_machines(local_cloud):
    before = {name: one["InstanceId"] for name, one in machines(local_cloud).items()}
    ec2 = local_cloud.root(NORTHWIND_LAB, "ec2")
    ec2.terminate_instances(InstanceIds=[before["try-1"]])
    local_cloud.reset()
    assert {name: one["InstanceId"] for name, one in machines(local_cloud).items()} == before


@pytest.mark.timeout(300)  # two starts of the cloud on a busy machine
def test_a_restarted_cloud_finds_its_machines_roles_and_sessions(tmp_path):
    first = start_cloud(tmp_path)
    try:
        before = machines(first)
        arn = first.deploy_role(NORTHWIND, "agreed", "ec2:Describe*")
        ours = first.assumed(arn, "agreed", "ec2")
        keys = ours._request_signer._credentials
        lab = first.root(NORTHWIND_LAB, "ec2")
        launched = lab.run_instances(
            ImageId=before["try-1"]["ImageId"],
            InstanceType="t3.large",
            MinCount=1,
            MaxCount=1,
            SubnetId=before["try-1"]["SubnetId"],
        )["Instances"][0]["InstanceId"]
        lab.terminate_instances(InstanceIds=[before["try-2"]["InstanceId"]])
        first.control("interrupt", instance_id=before["tune-1"]["InstanceId"], now=True)
        recorded = [(one["name"], one["who"], one["effect"]) for one in first.control("changes")["changes"]]
    finally:
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    second = start_cloud(tmp_path)
    try:
        assert second.control("status")["changes_replayed_at_start"] == 5
        again = [(one["name"], one["who"], one["effect"]) for one in second.control("changes")["changes"]]
        assert again == recorded, "who changed what is known after a restart too"
        second.advance(30)
        after = {
            one["InstanceId"]: one
            for reservation in second.root(NORTHWIND_LAB, "ec2").describe_instances()["Reservations"]
            for one in reservation["Instances"]
        }
        assert after[launched]["State"]["Name"] == "running"
        assert after[before["try-2"]["InstanceId"]]["State"]["Name"] == "terminated"
        assert after[before["tune-1"]["InstanceId"]]["State"]["Name"] == "terminated"
        assert after[before["try-1"]["InstanceId"]]["LaunchTime"] == before["try-1"]["LaunchTime"]
        again = client(second.endpoint, keys.access_key, keys.secret_key, keys.token, "ec2", "eu-west-3")
        assert len(again.describe_instances()["Reservations"]) == 25
    finally:
        second.stop()
    assert second.process.returncode == 0, "SIGTERM ends it in order"


def test_the_cloud_ends_when_its_parent_was_killed(tmp_path):
    starter = (
        "import os, pathlib, sys, signal\n"
        "from tests.fakes.cloud import start_cloud\n"
        f"print(start_cloud(pathlib.Path({str(tmp_path)!r})).process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", starter], cwd=ROOT, capture_output=True, text=True, check=False)
    orphan = int(parent.stdout)
    deadline = time.monotonic() + 10
    while is_running(orphan) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(orphan)


def is_running(process_id: int) -> bool:
    """A zombie has ended, even where nobody collects it."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_cloud_knows_nothing_of_the_product():
    """It is AWS: no application of ours, no database, no settings."""
    top = {"accounts", "governance", "instances", "mlregistry", "pipelines", "rest_framework", "psycopg"}
    listed = f"import sys, spotopt.local.cloud; print([n for n in sys.modules if n.split('.')[0] in {top!r}])"
    found = subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_data_file_is_named_in_notice_with_its_digest():
    notice = (ROOT / "NOTICE").read_text()
    named = dict(re.findall(r"^(\S+\.gz)\n  SHA-256  ([0-9a-f]{64})$", notice, re.MULTILINE))
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ROOT / "spotopt/local/data").iterdir()
    }
    assert named == files
    assert os.path.getsize(ROOT / "NOTICE") > 1000
