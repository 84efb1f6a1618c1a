"""An inventory that somebody asks for: is it asked once, told region by region, and never lost without a word?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.aws import policy, session
from accounts.domain import Role, Scope
from accounts.models import AuditEntry, AwsAccount
from instances import syncing
from instances.locks import advisory_lock
from instances.models import Instance, InventorySync, SyncState
from instances.tasks import EndedBadly, sync_as_asked
from spotopt.local.estate import INSTALLATION
from tests.factories import (
    a_browser,
    a_person,
    a_program,
    a_sync,
    alice,
    an_account,
    an_instance,
    bob,
    charlie,
    northwind,
)
from tests.fakes.cloud import NORTHWIND

pytestmark = pytest.mark.django_db
PARIS, VIRGINIA = "eu-west-3", "us-east-1"


@pytest.fixture
def cloud(local_cloud, monkeypatch):
    """The local cloud, entered with the installation's own identity."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", INSTALLATION.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", INSTALLATION.secret_key)
    session.forget_all()
    yield local_cloud
    session.forget_all()


def a_deployed_account(cloud, *actions) -> AwsAccount:
    account = an_account(account_id=NORTHWIND.account_id, read_role_arn=NORTHWIND.role_arn, regions=[PARIS, VIRGINIA])
    cloud.deploy_role(NORTHWIND, account.external_id, *(actions or policy.read_actions()))
    return account


def api(account) -> str:
    return f"/api/v1/lab/accounts/{account.pk}/sync"


def page(account, name="inventory") -> str:
    return f"/accounts/{account.pk}/{name}/"


def test_an_inventory_is_asked_for_queued_and_carried_out_region_by_region(cloud, django_capture_on_commit_callbacks):
    account = a_deployed_account(cloud)
    with django_capture_on_commit_callbacks() as queued:
        answer = a_browser(alice()).post(api(account), {}, content_type="application/json")
    # the job, and the word to whoever watches the audit log
    assert (answer.status_code, answer.json()["state"], len(queued)) == (202, "queued", 2)
    sync_as_asked(answer.json()["sync_id"])
    said = a_browser(bob()).get(answer["Location"]).json()
    assert (said["state"], said["error"], said["requested_by"]) == ("done", "", "alice")
    assert [region["region"] for region in said["regions"]] == [PARIS, VIRGINIA]
    assert sum(region["instances"] for region in said["regions"]) == Instance.objects.count() > 0
    account.refresh_from_db()
    assert account.synced_at
    entry = AuditEntry.objects.get(deed="inventory.requested")
    assert (entry.actor, entry.after) == ("alice", {"sync": said["sync_id"]})


def test_an_inventory_that_aws_refuses_says_why(cloud):
    account = a_deployed_account(cloud, "ec2:DescribeVolumes")
    sync = a_sync(account)
    with pytest.raises(EndedBadly, match="DescribeInstances"):
        sync_as_asked(sync.pk)
    sync.refresh_from_db()
    assert sync.state == SyncState.FAILED
    assert all(region["error"] for region in sync.regions)
    shown = a_browser(bob()).get(page(account)).content.decode()
    assert "The last inventory failed" in shown
    assert "Mend what is said" in shown
    assert "every 2s" not in shown


def test_two_presses_are_one_inventory(django_capture_on_commit_callbacks):
    account = an_account()
    client = a_program(northwind(), Scope.MANAGE)
    first = client.post(api(account), {}, content_type="application/json").json()
    assert client.post(api(account), {}, content_type="application/json").json()["sync_id"] == first["sync_id"]
    assert AuditEntry.objects.filter(deed="inventory.requested").count() == 1
    InventorySync.objects.update(state=SyncState.RUNNING, started_at=timezone.now())
    with django_capture_on_commit_callbacks() as queued:
        client.post(api(account), {}, content_type="application/json")
    assert queued == []


def test_one_that_nobody_works_on_any_more_is_ended_and_a_new_one_begins():
    account = an_account()
    old = a_sync(account, state=SyncState.RUNNING, started_at=timezone.now() - timedelta(minutes=16))
    assert "was lost" in a_browser(bob()).get(page(account)).content.decode()
    fresh = a_program(northwind()).post(api(account), {}, content_type="application/json").json()
    old.refresh_from_db()
    assert (old.state, old.error) == (SyncState.FAILED, syncing.LOST)
    assert fresh["sync_id"] != old.pk


@pytest.mark.parametrize("fields, state", [({"is_active": False}, "inactive"), ({"is_valid": False}, "not_valid")])
def test_an_account_that_cannot_be_read_is_not_queued(fields, state):
    account = an_account(**fields)
    answer = a_program(northwind()).post(api(account), {}, content_type="application/json")
    assert (answer.status_code, answer.json()["state"]) == (409, state)
    refused = a_browser(alice()).post(page(account, "sync"), headers={"HX-Request": "true"}).content.decode()
    assert 'role="alert"' in refused
    assert not InventorySync.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_while_another_process_mirrors_the_account_it_stays_open():
    account = an_account(regions=[])
    sync = a_sync(account)

    def elsewhere():
        try:
            with advisory_lock(f"inventory:{account.pk}") as is_ours:
                assert is_ours
                return pool_for_us.submit(carry_out).result(30)
        finally:
            connection.close()

    def carry_out():
        try:
            return syncing.carry_out(sync, now=timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool_for_us, ThreadPoolExecutor(1) as pool:
        assert pool.submit(elsewhere).result(30) is False
    assert InventorySync.objects.get().is_open
    assert syncing.carry_out(sync, now=timezone.now()) is True
    assert InventorySync.objects.get().state == SyncState.DONE


def test_whoever_is_no_admin_sees_it_and_asks_for_none():
    account = an_account()
    a_sync(account, requested_at=timezone.now())
    operator = a_browser(a_person(organization=northwind(), role=Role.OPERATOR))
    assert operator.post(api(account), {}, content_type="application/json").status_code == 403
    assert operator.post(page(account, "sync")).status_code == 403
    assert "<form" not in operator.get(page(account), headers={"HX-Request": "true"}).content.decode()


def test_a_stranger_finds_no_inventory_of_ours():
    account = an_account()
    a_sync(account)
    stranger = a_browser(charlie())
    for address in (api(account), page(account)):
        assert stranger.get(address).status_code == 404
    for address in (api(account), page(account, "sync")):
        assert stranger.post(address, {}, content_type="application/json").status_code == 404
    assert InventorySync.objects.count() == 1


def test_an_account_nobody_asked_for_has_no_inventory_to_tell_of():
    assert a_browser(bob()).get(api(an_account())).status_code == 404


def test_the_page_asks_again_while_it_is_open_and_says_when_no_worker_comes():
    account = an_account()
    a_sync(account, requested_at=timezone.now() - timedelta(minutes=1))
    shown = a_browser(alice()).get(page(account), headers={"HX-Request": "true"}).content.decode()
    assert shown.lstrip().startswith("<section")
    assert 'hx-trigger="every 2s"' in shown
    assert "No worker has taken it" in shown
    InventorySync.objects.update(
        state=SyncState.RUNNING,
        started_at=timezone.now(),
        regions=[{"region": "us-east-1", "instances": 40, "groups": 2, "vanished": 0, "denied": [], "error": ""}],
    )
    running = a_browser(alice()).get(page(account)).content.decode()
    assert "1 of 1 regions" in running
    assert "Read the inventory</button>" not in running


@pytest.mark.parametrize(
    "state, is_told", [(SyncState.RUNNING, False), (SyncState.DONE, True), (SyncState.FAILED, True)]
)
def test_the_steps_beside_it_hear_that_it_ended(state, is_told):
    account = an_account()
    a_sync(account, state=state, started_at=timezone.now())
    shown = a_browser(alice()).get(page(account), headers={"HX-Request": "true"})
    assert ("inventoryEnded" in shown.headers.get("HX-Trigger", "")) == is_told
    assert "HX-Trigger" not in a_browser(alice()).get(page(account)).headers


@pytest.mark.parametrize("n", [1, 60])
def test_the_page_takes_as_many_queries_for_many_instances_as_for_few(n, django_assert_max_num_queries):
    account = an_account()
    a_sync(account)
    for _ in range(n):
        an_instance(account)
    client = a_browser(alice())
    with django_assert_max_num_queries(7):
        client.get(page(account))
