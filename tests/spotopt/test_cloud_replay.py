"""Does the cloud find everything again after a restart, and serve real processes and proxies as it serves tests?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from spotopt.local.estate import root_client
from tests.fakes.cloud import NORTHWIND, ROOT
from tests.spotopt.cloud_things import named, started


def busy(cloud) -> None:
    """Something of everything that changes."""
    ec2, groups = cloud.root(NORTHWIND, "ec2"), cloud.root(NORTHWIND, "autoscaling")
    old = named(ec2, "api-1")
    image_id = ec2.create_image(InstanceId=old["InstanceId"], Name="spotopt-7", NoReboot=True)["ImageId"]
    cloud.advance(60)
    spot = started(ec2, spot=True, ImageId=image_id, ClientToken="once")["InstanceId"]
    cloud.advance(60)
    groups.attach_instances(InstanceIds=[spot], AutoScalingGroupName="nw-web")
    cloud.advance(30)
    leaving = next(iter(cloud.census().groups["nw-web"].members))
    groups.detach_instances(InstanceIds=[leaving], AutoScalingGroupName="nw-web", ShouldDecrementDesiredCapacity=True)
    balancers = cloud.root(NORTHWIND, "elbv2")
    arn = balancers.describe_target_groups(Names=["nw-api"])["TargetGroups"][0]["TargetGroupArn"]
    balancers.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": old["InstanceId"]}])
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=named(ec2, "api-2")["InstanceId"])
    cloud.control("interrupt", instance_id=named(ec2, "thumbs-1")["InstanceId"])
    ec2.terminate_instances(InstanceIds=[old["InstanceId"]])
    cloud.root(NORTHWIND, "cloudwatch").put_metric_alarm(
        AlarmName="another",
        Namespace="AWS/EC2",
        MetricName="CPUUtilization",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Threshold=1.0,
        Statistic="Average",
        Dimensions=[{"Name": "InstanceId", "Value": spot}],
    )
    cloud.advance(90)


def test_a_restart_makes_the_same_changes_at_the_same_moments(inner_cloud):
    """What happened by itself in between (boots, drains, a notice that ran out, a group that launched) as well."""
    busy(inner_cloud)
    before, changes = inner_cloud.census(), [(one.name, one.who, one.effect) for one in inner_cloud.changes]
    inner_cloud.restart()
    after = inner_cloud.census()
    assert replace(after, at=before.at).parts() == before.parts()
    assert [(one.name, one.who, one.effect) for one in inner_cloud.changes] == changes
    inner_cloud.advance(120)
    assert "thumbs-1" not in inner_cloud.census().serving()


def test_a_token_is_known_after_a_restart(inner_cloud):
    """EC2 guide, "Ensuring idempotency": the caller does not know that somebody restarted."""
    ec2 = inner_cloud.root(NORTHWIND, "ec2")
    first = started(ec2, ClientToken="once")["InstanceId"]
    inner_cloud.restart()
    assert started(ec2, ClientToken="once")["InstanceId"] == first


def test_the_same_seed_and_the_same_calls_give_the_same_ids(inner_cloud):
    busy(inner_cloud)
    first = inner_cloud.census().parts()
    inner_cloud.reset()
    busy(inner_cloud)
    assert inner_cloud.census().parts() == first


def test_its_pages_answer_once_it_has_booted(inner_cloud):
    """The egress proxy's view: 502 where no machine runs, 503 while it boots, 200 after."""
    one = started(inner_cloud.root(NORTHWIND, "ec2"))
    url = f"http://{one['PrivateIpAddress']}/healthz"
    assert inner_cloud.get(url) == 502
    inner_cloud.advance(10)
    assert inner_cloud.get(url) == 503
    inner_cloud.advance(20)
    assert inner_cloud.get(url) == 200
    inner_cloud.control("sicken", instance_id=one["InstanceId"])
    assert inner_cloud.get(url) == 503


def test_machines_answer_through_the_proxy(local_cloud):
    """RFC 9112, absolute form: what a client asks of a proxy."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    proxied = build_opener(ProxyHandler({"http": local_cloud.endpoint}))
    instance = named(ec2, "api-1")
    url = f"http://{instance['PrivateIpAddress']}:8080/healthz"
    assert proxied.open(url, timeout=10).read().decode().split() == ["ok", instance["InstanceId"]]
    local_cloud.control("sicken", instance_id=instance["InstanceId"])
    for address, status in ((url, 503), ("http://10.250.0.1/healthz", 502)):
        with pytest.raises(HTTPError) as refused:
            proxied.open(address, timeout=10)
        assert refused.value.code == status


def test_the_caller_can_be_killed_in_the_middle_of_its_call(local_cloud):
    """The effect happened, and whoever asked for it is gone."""
    snapshot = (
        "import sys; from spotopt.local.estate import ACCOUNTS, root_client\n"
        "ec2 = root_client(sys.argv[1], ACCOUNTS[0], 'ec2'); print('ready', flush=True); sys.stdin.readline()\n"
        "ec2.create_volume(AvailabilityZone='eu-west-3a', Size=8)\n"
    )
    before = len(local_cloud.control("census")["volumes"])
    worker = subprocess.Popen(
        [sys.executable, "-c", snapshot, local_cloud.endpoint], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    local_cloud.control("kill", action="CreateVolume", pid=worker.pid)
    worker.communicate(b"go\n", timeout=60)
    assert worker.returncode == -signal.SIGKILL
    assert len(local_cloud.control("census")["volumes"]) == before + 1


def test_only_who_was_started_beside_the_cloud_can_be_killed(local_cloud):
    with pytest.raises(ValueError, match="not started beside"):
        local_cloud.control("kill", action="CreateVolume", pid=os.getppid())


def test_the_command_knows_every_verb_and_reads_the_record(local_cloud):
    command = [sys.executable, "-m", "spotopt.local.control", "--endpoint", local_cloud.endpoint]

    def told(*words: str) -> dict:
        return json.loads(subprocess.run([*command, *words], capture_output=True, text=True, check=True).stdout)

    assert told("pace", "--of", "image", "--seconds", "2")["pace"]["image"] == 2.0
    root_client(local_cloud.endpoint, NORTHWIND, "ec2").create_volume(AvailabilityZone="eu-west-3a", Size=8)
    (change,) = told("changes")["changes"]
    assert change["name"] == "ec2:CreateVolume"
    assert change["effect"]["created"][0].startswith("volume/vol-")
    assert len(told("census")["groups"]) == 4
