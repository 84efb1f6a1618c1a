"""The door, the reads and the validation against the local cloud, which is as strict as AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from accounts.aws import policy
from accounts.aws.errors import Denied, RegionNotEnabled, Throttled
from accounts.aws.limiter import Limiter
from accounts.aws.read import autoscaling, ec2, pricing
from accounts.aws.session import Door, caller_identity
from accounts.aws.validation import validate
from spotopt.local.estate import INSTALLATION, describe
from tests.accounts.scripted_aws import Account
from tests.fakes.cloud import CONTOSO, NORTHWIND, LocalCloud, cloud_process, local_cloud  # noqa: F401

PARIS, VIRGINIA = "eu-west-3", "us-east-1"


@pytest.fixture(autouse=True)
def _our_identity(local_cloud: LocalCloud, monkeypatch):  # noqa: F811
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", INSTALLATION.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", INSTALLATION.secret_key)


@pytest.fixture
def door():
    return Door(limiter=Limiter(sleep=lambda seconds: None))


def a_customer(cloud: LocalCloud, owner=NORTHWIND, *, without: str = "", careless: bool = False) -> Account:
    """An account whose owner has deployed the role we ask for, or nearly."""
    actions = [action for action in policy.read_actions() if action != without]
    arn = cloud.deploy_role(owner, "ours-7f3a", *actions, trust_external_id=not careless)
    return Account(account_id=owner.account_id, read_role_arn=arn, external_id="ours-7f3a")


def test_a_customer_is_entered_and_is_who_he_claims(local_cloud, door):  # noqa: F811
    session = door.session_for(a_customer(local_cloud), PARIS, run="flow")
    assert caller_identity(session).account_id == NORTHWIND.account_id
    assert caller_identity(session).arn.endswith("/spotopt-flow")


def test_another_tenants_external_id_opens_nothing(local_cloud, door):  # noqa: F811
    stranger = replace(a_customer(local_cloud), organization_id=2, external_id="his-91bc")
    with pytest.raises(Denied):
        door.session_for(stranger, PARIS)


def test_a_read_session_cannot_change_anything_even_where_the_role_could(local_cloud, door):  # noqa: F811
    arn = local_cloud.deploy_role(NORTHWIND, "ours-7f3a", "ec2:*")
    account = Account(account_id=NORTHWIND.account_id, read_role_arn=arn)
    session = door.session_for(account, PARIS)
    running = next(instance for instance in ec2.instances(session) if instance.state == "running")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        session.client("ec2").terminate_instances(InstanceIds=[running.id])
    assert running in list(ec2.instances(session))


def test_the_estate_is_read_with_the_reasons_to_leave_it_alone(local_cloud, door):  # noqa: F811
    session = door.session_for(a_customer(local_cloud), PARIS)
    found = list(ec2.instances(session))
    assert {instance.tags.get("Name") for instance in found} <= set(describe()) | {None}
    assert all(instance.launched_at and instance.launched_at.tzinfo for instance in found)
    assert any(instance.is_spot and instance.spot_request_id for instance in found)
    assert any("Windows" in (instance.platform_details or "") for instance in found)
    volume_ids = [device.volume_id for instance in found for device in instance.block_devices]
    assert {volume.id for volume in ec2.volumes(session, volume_ids)} == set(volume_ids)
    images = {image.id: image for image in ec2.images(session, {instance.image_id for instance in found})}
    assert all(images[instance.image_id].architecture == instance.architecture for instance in found)
    vpc_ids = {instance.vpc_id for instance in found}
    subnets = {subnet.id: subnet for subnet in ec2.subnets(session, vpc_ids)}
    assert all(subnets[instance.subnet_id].zone == instance.zone for instance in found)
    assert {table.vpc_id for table in ec2.route_tables(session, vpc_ids) if table.is_main} == vpc_ids
    assert {acl.vpc_id for acl in ec2.network_acls(session, vpc_ids)} == vpc_ids
    assert isinstance(ec2.reserved_instances(session), list)


def test_protection_is_read_instance_by_instance(local_cloud, door):  # noqa: F811
    session = door.session_for(a_customer(local_cloud), PARIS)
    traps = describe()
    named = {instance.tags.get("Name"): instance.id for instance in ec2.instances(session)}
    protected = [name for name in named if "termination" in (traps.get(name) or "")]
    plain = next(name for name in named if name in traps and traps[name] is None)
    assert protected
    assert all(ec2.termination_protection(session, named[name]) is True for name in protected)
    assert ec2.termination_protection(session, named[plain]) is False
    assert ec2.stop_protection(session, named[plain]) is False


def test_groups_are_read_with_their_members(local_cloud, door):  # noqa: F811
    session = door.session_for(a_customer(local_cloud), PARIS)
    ids = {instance.id for instance in ec2.instances(session)}
    groups = list(autoscaling.groups(session))
    assert groups
    for group in groups:
        assert {member.instance_id for member in group.members} <= ids
        assert group.min_size <= group.desired <= group.max_size
        assert group.hooks is not None


def test_zone_names_differ_between_accounts_and_zone_ids_do_not(local_cloud, door):  # noqa: F811
    first, second = (
        {zone.name: zone.zone_id for zone in ec2.zones(door.session_for(a_customer(local_cloud, owner), PARIS))}
        for owner in (NORTHWIND, CONTOSO)
    )
    assert set(first.values()) == set(second.values()) == {"euw3-az1", "euw3-az2", "euw3-az3"}
    assert first != second


def test_the_market_is_read_with_our_own_identity(local_cloud, door):  # noqa: F811
    ours = door.installation_session(PARIS)
    assert PARIS in {region.name for region in ec2.regions(ours) if region.is_enabled}
    types = {each.instance_type: each for each in ec2.instance_types(ours)}
    assert (types["m5.large"].vcpus, types["m5.large"].memory_mib) == (2, 8192)
    zone_ids = {zone.zone_id for zone in ec2.zones(ours)}
    assert {zone_id for _, zone_id in ec2.offerings(ours)} <= zone_ids
    end = datetime.now(UTC)
    pages = list(ec2.spot_price_pages(ours, end - timedelta(days=1), end, products=["Linux/UNIX"]))
    changes = [change for page in pages for change in page.changes]
    assert changes
    assert {change.zone_id for change in changes} <= zone_ids
    assert [page.rejected for page in pages if page.rejected] == []
    times = [change.at for change in changes]
    assert times == sorted(times, reverse=True)


def test_on_demand_prices_are_above_zero_and_of_the_region(local_cloud, door):  # noqa: F811
    reading = pricing.on_demand(door.installation_session(PARIS), PARIS)
    prices = {price.instance_type: price for price in reading}
    assert len(prices) > 100
    assert all(price.region == PARIS and price.usd_per_hour > 0 for price in prices.values())


def test_a_well_made_account_is_valid(local_cloud, door):  # noqa: F811
    found = validate(a_customer(local_cloud), [PARIS, VIRGINIA], door=door)
    assert found.ok, found.problems
    assert found.assumable_without_external_id is False
    assert found.missing == ()


def test_a_careless_role_and_a_missing_permission_are_found(local_cloud, door):  # noqa: F811
    found = validate(a_customer(local_cloud, careless=True, without="ec2:DescribeVolumes"), [PARIS], door=door)
    assert not found.ok
    assert found.assumable_without_external_id is True
    assert found.missing == ("ec2:DescribeVolumes",)


def test_credentials_that_expire_between_two_pages_do_not_end_the_reading(local_cloud, door):  # noqa: F811
    session = door.session_for(a_customer(local_cloud), PARIS)
    whole = {instance.id for instance in ec2.instances(session)}
    local_cloud.control("expire-credentials")
    assert {instance.id for instance in ec2.instances(session)} == whole


def test_a_few_refusals_for_too_many_calls_do_not_end_it_either(local_cloud, door, monkeypatch):  # noqa: F811
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    session = door.session_for(a_customer(local_cloud), PARIS)
    local_cloud.control("throttle", action="DescribeInstances", count=2)
    assert list(ec2.instances(session))
    local_cloud.control("throttle", action="DescribeInstances", count=3)
    with pytest.raises(Throttled):
        list(ec2.instances(session))


def test_a_lost_answer_is_asked_for_again(local_cloud, door, monkeypatch):  # noqa: F811
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    session = door.session_for(a_customer(local_cloud), PARIS)
    local_cloud.control("lose-answer", action="DescribeInstances", count=1)
    assert list(ec2.instances(session))


def test_a_region_that_is_off_says_so_and_is_listed_as_such(local_cloud, door):  # noqa: F811
    account = a_customer(local_cloud)
    ours = door.installation_session(PARIS)
    local_cloud.control("disable-region", region=VIRGINIA)
    assert not next(region for region in ec2.regions(ours) if region.name == VIRGINIA).is_enabled
    with pytest.raises(RegionNotEnabled):
        list(ec2.instances(door.session_for(account, VIRGINIA)))
    found = validate(account, [PARIS, VIRGINIA], door=door)
    assert set(found.region_problems) == {VIRGINIA}
    assert found.ok
