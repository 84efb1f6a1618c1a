"""Who is in the demo, and what of it a restart must not undo."""

import pytest
from django.utils import timezone

from accounts import onboarding
from accounts.aws import session
from accounts.models import AwsAccount, Membership, Organization, User
from spotopt.local import estate, house, tenants

pytestmark = pytest.mark.django_db
PASSWORDS = {name: f"a-password-of-{name}" for name in house.PEOPLE}


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_two_organizations_with_their_people_and_accounts():
    tenants.settle(PASSWORDS)
    assert set(Organization.objects.values_list("name", flat=True)) == {"Northwind", "Contoso"}
    assert set(Membership.objects.values_list("user__username", "organization__name", "role")) == {
        ("alice", "Northwind", "owner"),
        ("bob", "Northwind", "operator"),
        ("charlie", "Contoso", "owner"),
    }
    assert AwsAccount.objects.count() == len(estate.ACCOUNTS) == 3
    assert len(set(AwsAccount.objects.values_list("external_id", flat=True))) == 3
    assert User.objects.get(username="alice").check_password("a-password-of-alice")


def test_only_the_admin_sees_the_admin_and_belongs_to_nobody():
    tenants.settle(PASSWORDS)
    assert list(User.objects.filter(is_staff=True).values_list("username", "is_superuser")) == [("admin", True)]
    assert not Membership.objects.filter(user__username="admin").exists()


def test_a_restart_changes_nothing_that_people_changed():
    tenants.settle(PASSWORDS)
    alice = User.objects.get(username="alice")
    alice.set_password("her own now")
    alice.save()
    Membership.objects.filter(user__username="bob").update(role="viewer")
    before = set(AwsAccount.objects.values_list("pk", "external_id"))
    AwsAccount.objects.filter(name="northwind-lab").update(regions=["us-east-1"])
    tenants.settle(PASSWORDS)
    assert User.objects.get(username="alice").check_password("her own now")
    assert Membership.objects.get(user__username="bob").role == "viewer"
    assert set(AwsAccount.objects.values_list("pk", "external_id")) == before
    assert AwsAccount.objects.get(name="northwind-lab").regions == ["us-east-1"]


def test_accounts_that_people_added_get_their_roles_back_and_keep_no_demo_from_starting(local_cloud, monkeypatch):
    tenants.settle(PASSWORDS)
    theirs = estate.ACCOUNTS[0]
    fields = {"organization": Organization.objects.get(name="Contoso"), "regions": ["eu-west-3"]}
    arn = f"arn:aws:iam::{theirs.account_id}:role/spotopt-read"
    taken_on = AwsAccount.objects.create(account_id=theirs.account_id, name="taken on", read_role_arn=arn, **fields)
    AwsAccount.objects.create(account_id="123456789012", name="half way", **fields)
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", estate.INSTALLATION.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", estate.INSTALLATION.secret_key)
    session.forget_all()
    tenants.deploy_roles(local_cloud.endpoint)
    first = AwsAccount.objects.get(organization__name="Northwind", account_id=theirs.account_id)
    for row in (first, taken_on):
        assert onboarding.validate(row, by="demo", now=timezone.now()).ok
    assert set(tenants.begun_with().values_list("name", flat=True)) == {a.name for a in estate.ACCOUNTS}
