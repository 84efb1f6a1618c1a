"""Who is in the demo, and what of it a restart must not undo."""

import pytest

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
