"""Is what a validation found kept with the account and in the audit log?"""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import onboarding
from accounts.aws.errors import NoIdentity
from accounts.models import ApiKey, AuditEntry, AwsAccount, Membership
from tests.accounts.scripted_aws import ACCOUNT, NOW, assumed
from tests.accounts.test_aws_validation import aws, door, trusting  # noqa: F401 -- fixtures
from tests.factories import PASSWORD, an_account, northwind

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(aws):  # noqa: F811
    made = an_account(account_id=ACCOUNT, regions=["eu-west-3"], is_valid=False, validated_at=None)
    aws.on("AssumeRole", trusting(made.external_id))
    return made


def test_an_account_that_opens_for_us_alone_is_valid(account, door):  # noqa: F811
    found = onboarding.validate(account, by="test", now=NOW, door=door)
    kept = AwsAccount.objects.get()
    assert found.ok
    assert (kept.is_valid, kept.validated_at) == (True, NOW)
    assert kept.validation["assumable_without_external_id"] is False
    entry = AuditEntry.objects.get(deed="account.validated")
    assert (entry.organization, entry.before, entry.after["is_valid"]) == (northwind(), {"is_valid": False}, True)
    assert account.external_id not in str(entry.after)


def test_an_account_whose_role_opens_for_anybody_stops_being_valid(aws, account, door):  # noqa: F811
    AwsAccount.objects.update(is_valid=True)
    account.refresh_from_db()
    aws.on("AssumeRole", assumed("key", NOW.replace(hour=13)))
    found = onboarding.validate(account, by="test", now=NOW, door=door)
    assert not found.ok
    kept = AwsAccount.objects.get()
    assert kept.is_valid is False
    assert "without its ExternalId" in kept.validation["problems"][0]


def test_without_credentials_of_our_own_nothing_is_found_and_nothing_kept(account, door, monkeypatch):  # noqa: F811
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(NoIdentity):
        onboarding.validate(account, by="test", now=NOW, door=door)
    assert AwsAccount.objects.get().validated_at is None


def test_an_organization_is_made_with_its_owner(monkeypatch):
    monkeypatch.setenv("OWNER_PASSWORD", PASSWORD)
    out = StringIO()
    call_command("create_organization", "Acme", owner="dora", email="dora@example.org", stdout=out)
    membership = Membership.objects.get(organization__name="Acme")
    assert (membership.user.username, membership.role) == ("dora", "owner")
    assert membership.user.check_password(PASSWORD)
    assert str(membership.organization_id) in out.getvalue()
    with pytest.raises(CommandError, match="already"):
        call_command("create_organization", "Acme", owner="dora")


def test_a_weak_password_makes_no_organization(monkeypatch):
    monkeypatch.setenv("OWNER_PASSWORD", "short")
    with pytest.raises(CommandError, match="too short"):
        call_command("create_organization", "Acme", owner="dora", email="dora@example.org")
    assert not Membership.objects.exists()


def test_a_key_is_printed_once_and_works(client):
    out = StringIO()
    call_command("create_api_key", organization=northwind().name, name="core", scope=["read"], stdout=out)
    headers = {"Authorization": f"Api-Key {out.getvalue().strip()}"}
    assert client.get("/api/v1/lab/instances", headers=headers).status_code == 200
    assert ApiKey.objects.get().scopes == ["read"]
    assert AuditEntry.objects.get(deed="key.created").organization == northwind()


def test_a_validation_by_command_fails_when_the_account_does(aws, account, door, monkeypatch):  # noqa: F811
    aws.on("AssumeRole", assumed("key", NOW.replace(year=2099)))
    with pytest.raises(CommandError, match="1 of 1 failed"):
        call_command("validate_account", ACCOUNT, stdout=StringIO())
    with pytest.raises(CommandError, match="no account"):
        call_command("validate_account", "999999999999")
