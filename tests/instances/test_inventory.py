"""Is an account mirrored as it is: what broke off loses nothing, and what people said stays?"""

import json
import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.aws.errors import Denied, RegionNotEnabled, Throttled
from accounts.aws.read.autoscaling import Group, Member
from accounts.aws.read.instances import InstanceFacts, instance_facts
from accounts.aws.read.shapes import (
    Image,
    NetworkAcl,
    ReservedInstances,
    RouteTable,
    Subnet,
    Volume,
)
from instances.inventory import RegionResult, sync
from instances.locks import NAMESPACE
from instances.models import AutoScalingGroup, Instance
from instances.survey import Protection, Survey
from tests import plugin
from tests.factories import NOW, an_account, an_instance, zones_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LAUNCHED = NOW - timedelta(days=10)


def a_machine(instance_id: str = "i-1", **answer) -> InstanceFacts:
    """One entry of DescribeInstances, as the adapter reads it."""
    return instance_facts(
        {
            "InstanceId": instance_id,
            "InstanceType": "m5.large",
            "State": {"Name": "running"},
            "Placement": {"AvailabilityZone": "us-east-1a", "Tenancy": "default"},
            "LaunchTime": LAUNCHED,
            "ImageId": "ami-1",
            "VpcId": "vpc-1",
            "SubnetId": "subnet-1",
            "PlatformDetails": "Linux/UNIX",
            "UsageOperation": "RunInstances",
            "Tags": [{"Key": "Name", "Value": f"web {instance_id}"}],
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1", "DeleteOnTermination": True}}
            ],
            "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "PrivateIpAddresses": []}],
        }
        | answer,
        {"OwnerId": "1"},
    )


def tagged(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key.replace("__", "/"), "Value": value} for key, value in tags.items()]


def a_scaling_group(*members: str, name: str = "web", protected: bool = False) -> Group:
    nothing: dict[str, Any] = dict.fromkeys(
        (
            *("created_at", "launch_template", "launch_configuration", "mixed_policy", "hooks", "health_check_type"),
            *("warm_pool", "is_refresh_active", "max_instance_lifetime_seconds", "placement_group", "status"),
            *("operator", "service_linked_role_arn"),
        )
    )
    empty: dict[str, Any] = dict.fromkeys(
        (
            *("suspended_processes", "zones", "subnet_ids", "target_group_arns", "classic_balancers"),
            "traffic_sources",
        ),
        (),
    )
    return Group(
        name=name,
        arn=f"arn:{name}",
        desired=len(members),
        min_size=1,
        max_size=9,
        members=tuple(
            Member(each, "m5.large", "us-east-1a", None, "InService", "Healthy", protected, None, None, None, None)
            for each in members
        ),
        tags={},
        health_grace_seconds=0,
        is_new_instance_protected=False,
        is_capacity_rebalance=False,
        **nothing,
        **empty,
    )


def a_survey(*machines: InstanceFacts, **columns) -> Survey:
    return Survey("us-east-1", machines, columns.pop("groups", ()), **columns)


def seeing(*machines: InstanceFacts, **columns):
    """A source that shows these machines in us-east-1 and nothing elsewhere."""

    def read(account, region, known, now):
        return a_survey(*machines, **columns) if region == "us-east-1" else Survey(region, (), ())

    return read


def failing(error: Exception):
    def read(account, region, known, now):
        raise error

    return read


def test_a_machine_is_mirrored_with_its_facts():
    account = an_account()
    zones_of(account)
    result = sync(account, now=NOW, read=seeing(a_machine()))
    instance = Instance.objects.get()
    assert result.regions == (RegionResult("us-east-1", instances=1),)
    assert (instance.instance_id, instance.name, instance.instance_type) == ("i-1", "web i-1", "m5.large")
    assert (instance.zone_name, instance.zone_id, instance.product) == ("us-east-1a", "use1-az1", "Linux/UNIX")
    assert (instance.state, instance.is_spot, instance.launched_at) == ("running", False, LAUNCHED)
    assert instance.facts["block_devices"] == [
        {"device": "/dev/xvda", "volume_id": "vol-1", "delete_on_termination": True}
    ]
    assert instance.facts["launched_at"] == LAUNCHED.isoformat()
    account.refresh_from_db()
    assert account.synced_at == NOW


def test_what_is_asked_beside_the_instance_stands_in_its_facts():
    zone = {"zone": "us-east-1a", "zone_id": "use1-az6", "is_ipv6_native": False, "outpost_arn": None, "state": None}
    subnet = Subnet(id="subnet-1", vpc_id="vpc-1", free_addresses=90, is_public_ip_mapped=True, **zone)
    other = replace(subnet, id="subnet-2", zone="us-east-1b", zone_id="use1-az2")
    image = Image("ami-1", *([None] * 12), ("/dev/sdb",))
    image = replace(image, architecture="x86_64", product_codes=())
    volume = Volume("vol-1", "gp3", 8, None, None, False, None, True, "in-use", "us-east-1a", (), {})
    read = seeing(
        a_machine(Placement={"AvailabilityZone": "us-east-1a", "GroupName": "tight"}),
        images={"ami-1": image},
        volumes={"vol-1": volume},
        subnets=(subnet, other, replace(subnet, id="subnet-9", vpc_id="vpc-9")),
        route_tables=(
            RouteTable("rtb-main", "vpc-1", True, frozenset(), frozenset(), frozenset({"eni-1"})),
            RouteTable("rtb-own", "vpc-1", False, frozenset({"subnet-2"}), frozenset(), frozenset()),
            RouteTable("rtb-far", "vpc-9", True, frozenset(), frozenset(), frozenset()),
        ),
        network_acls=(NetworkAcl("acl-1", "vpc-1", True, frozenset({"subnet-1", "subnet-2"})),),
        placement_strategies={"tight": "cluster"},
        reservations=(
            ReservedInstances("ri-1", "m5.xlarge", 2, "Region", None, "Linux/UNIX", "default", None, None),
            ReservedInstances("ri-2", "m5.large", 1, "Availability Zone", "us-east-1b", None, None, None, None),
            ReservedInstances("ri-3", "c5.large", 1, "Region", None, None, None, None, None),
        ),
        protections={"i-1": Protection(True, None, NOW)},
        denied=("images",),
    )
    sync(an_account(), now=NOW, read=read)
    instance = Instance.objects.get()
    facts = instance.facts
    assert instance.zone_id == "use1-az6"  # its own subnet says so where the zone map is silent
    assert facts["image"]["architecture"] == "x86_64"
    assert facts["volumes"][0]["is_multi_attach"] is True
    assert [(each["id"], each["route_table_id"], each["network_acl_id"]) for each in facts["subnets"]] == [
        ("subnet-1", "rtb-main", "acl-1"),
        ("subnet-2", "rtb-own", "acl-1"),
    ]
    assert facts["is_route_target"] is True
    assert facts["placement_strategy"] == "cluster"
    assert (facts["is_termination_protected"], facts["is_stop_protected"]) == (True, None)
    assert facts["is_scale_in_protected"] is False
    assert facts["reservations"] == ["ri-1: 2 × m5.xlarge"]
    assert facts["denied"] == ["images"]
    assert json.loads(json.dumps(facts)) == facts


def test_what_the_role_may_not_ask_is_unknown_not_absent():
    sync(an_account(), now=NOW, read=seeing(a_machine()))
    facts = Instance.objects.get().facts
    unknown = ("image", "volumes", "subnets", "is_route_target", "is_termination_protected", "reservations")
    assert {name: facts[name] for name in unknown} == dict.fromkeys(unknown)


@pytest.mark.parametrize(
    ("machine", "groups", "mode"),
    [
        (a_machine(), (), "LINEAR"),
        (a_machine(), (a_scaling_group("i-1"),), "CLUSTER"),
        (a_machine(Tags=tagged(kubernetes__cluster="x")), (), "LINEAR"),
        (a_machine(Tags=tagged(**{"kubernetes.io__cluster__shop": "owned"})), (), "KUBERNETES"),
        (a_machine(Tags=tagged(**{"eks:cluster-name": "shop"})), (a_scaling_group("i-1"),), "KUBERNETES"),
    ],
)
def test_a_new_machine_gets_the_mode_of_what_owns_it(machine, groups, mode):
    sync(an_account(), now=NOW, read=seeing(machine, groups=groups))
    assert Instance.objects.get().pipeline_mode == mode


def test_a_member_knows_its_group():
    sync(an_account(), now=NOW, read=seeing(a_machine(), groups=(a_scaling_group("i-1", "i-2", protected=True),)))
    instance = Instance.objects.get()
    assert (instance.group.name, instance.group.desired, instance.group.maximum) == ("web", 2, 9)
    assert instance.facts["is_scale_in_protected"] is True
    assert instance.facts["lifecycle_state"] == "InService"


@pytest.mark.parametrize(
    ("answer", "product"),
    [
        ({}, "Linux/UNIX"),
        ({"PlatformDetails": "Windows", "UsageOperation": "RunInstances:0002"}, "Windows"),
        ({"UsageOperation": "RunInstances:0004"}, ""),
        ({"PlatformDetails": "SQL Server Enterprise"}, ""),
    ],
)
def test_the_product_is_known_or_empty(answer, product):
    sync(an_account(), now=NOW, read=seeing(a_machine(**answer)))
    assert Instance.objects.get().product == product


def test_what_people_said_survives_and_what_aws_says_is_renewed():
    account = an_account()
    said = {
        "pipeline_mode": "KUBERNETES",
        "is_shadow_mode": False,
        "stateless_said_by": "alice",
        "stateless_said_at": NOW,
        "health_port": 8080,
        "policy_overrides": {"min_savings": 0.3},
        "last_switched_at": NOW,
    }
    before = an_instance(account, instance_id="i-1", instance_type="m4.large", **said)
    sync(account, now=NOW + HOUR, read=seeing(a_machine(InstanceLifecycle="spot")))
    after = Instance.objects.get()
    assert after.pk == before.pk
    assert {name: getattr(after, name) for name in said} == said
    assert (after.instance_type, after.is_spot, after.seen_at) == ("m5.large", True, NOW + HOUR)


def test_what_is_no_longer_shown_vanished_and_may_come_back():
    account = an_account()
    sync(account, now=NOW, read=seeing(a_machine("i-1"), a_machine("i-2"), groups=(a_scaling_group("i-1"),)))
    result = sync(account, now=NOW + HOUR, read=seeing(a_machine("i-2")))
    assert result.regions[0].vanished == 1
    assert Instance.objects.get(instance_id="i-1").vanished_at == NOW + HOUR
    assert AutoScalingGroup.objects.get().vanished_at == NOW + HOUR
    assert [each.instance_id for each in Instance.objects.present()] == ["i-2"]
    sync(account, now=NOW + 2 * HOUR, read=seeing(a_machine("i-1"), a_machine("i-2")))
    assert Instance.objects.present().count() == 2


def test_a_terminated_machine_is_gone_even_while_ec2_still_shows_it():
    account = an_account()
    sync(account, now=NOW, read=seeing(a_machine("i-1")))
    ended = {"State": {"Name": "terminated"}}
    sync(account, now=NOW + HOUR, read=seeing(a_machine("i-1", **ended), a_machine("i-2", **ended)))
    instance = Instance.objects.get()  # i-2 was never ours to see
    assert (instance.state, instance.vanished_at) == ("terminated", NOW + HOUR)


@pytest.mark.parametrize(
    "error",
    [Throttled("RequestLimitExceeded", "later"), Denied("UnauthorizedOperation", "no"), RegionNotEnabled("x", "")],
)
def test_a_region_that_fails_changes_nothing_and_loses_nothing(error):
    account = an_account()
    sync(account, now=NOW, read=seeing(a_machine("i-1"), a_machine("i-2")))
    result = sync(account, now=NOW + HOUR, read=failing(error))
    assert result.errors == f"us-east-1: {type(error).__name__}: {error}"
    assert not result.is_whole
    assert Instance.objects.present().count() == 2
    account.refresh_from_db()
    assert account.synced_at == NOW


def test_one_region_that_fails_does_not_lose_the_others():
    account = an_account(regions=["us-east-1", "eu-west-3", "ap-east-1"])

    def read(account, region, known, now):
        if region == "ap-east-1":
            raise RegionNotEnabled("OptInRequired", "not subscribed")
        return Survey(region, (a_machine(f"i-{region}"),), ())

    result = sync(account, now=NOW, read=read)
    assert result.instances == 2
    assert result.errors.startswith("ap-east-1: RegionNotEnabled")
    assert set(Instance.objects.values_list("region", flat=True)) == {"us-east-1", "eu-west-3"}


def test_the_same_machine_id_in_two_tenants_accounts_is_two_machines():
    one, other = an_account(), an_account()
    sync(one, now=NOW, read=seeing(a_machine()))
    sync(other, now=NOW, read=seeing())
    sync(other, now=NOW, read=seeing(a_machine()))
    assert Instance.objects.present().filter(instance_id="i-1").count() == 2


def test_known_protections_are_handed_to_the_next_survey():
    account, given = an_account(), []
    sync(account, now=NOW, read=seeing(a_machine(), protections={"i-1": Protection(False, True, NOW)}))

    def read(account, region, known, now):
        given.append(dict(known))
        return a_survey(a_machine())

    sync(account, now=NOW + HOUR, read=read)
    assert given == [{"i-1": Protection(False, True, NOW)}]


def test_statements_do_not_grow_with_the_machines():
    account = an_account()
    with CaptureQueriesContext(connection) as few:
        sync(account, now=NOW, read=seeing(a_machine(), groups=(a_scaling_group("i-1"),)))
    machines = [a_machine(f"i-{n}") for n in range(500)]
    with CaptureQueriesContext(connection) as many:
        sync(account, now=NOW, read=seeing(*machines, groups=(a_scaling_group("i-1"),)))
    assert len(many) == len(few)
    assert Instance.objects.count() == 500


def test_two_syncs_at_once_are_one():
    account = an_account()
    host = os.fspath(plugin.running().postgres_socket_dir)
    with psycopg.connect(host=host, user="app", dbname=plugin.database(), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [NAMESPACE, f"inventory:{account.pk}"])
        result = sync(account, now=NOW, read=seeing(a_machine()))
    assert result.is_running_elsewhere
    assert not result.is_whole
    assert Instance.objects.count() == 0
