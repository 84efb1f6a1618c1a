"""Who uses the demo: which organizations, people and AWS accounts does it begin with?"""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.aws import policy
from accounts.domain import Role
from accounts.models import AwsAccount, Membership, Organization, User
from spotopt.local import estate

# The three people of every test: Alice, her colleague Bob, the stranger Charlie; and who runs the installation.
MEMBERS = (
    ("alice", "Northwind", Role.OWNER),
    ("bob", "Northwind", Role.OPERATOR),
    ("charlie", "Contoso", Role.OWNER),
)
ADMIN = "admin"


@transaction.atomic
def settle(passwords: dict[str, str]) -> str:
    """Organizations, people and accounts where they are missing; what people changed since then stays.

    `passwords` by user name. Returns what there is now, in words.
    """
    organizations = {name: Organization.objects.get_or_create(name=name)[0] for name in _organization_names()}
    for name, organization, role in MEMBERS:
        user = _person(name, passwords[name])
        Membership.objects.get_or_create(user=user, organization=organizations[organization], defaults={"role": role})
    _person(ADMIN, passwords[ADMIN], is_staff=True, is_superuser=True)
    for account in estate.ACCOUNTS:
        AwsAccount.objects.get_or_create(
            organization=organizations[account.organization],
            account_id=account.account_id,
            defaults={
                "name": account.name,
                "environment": account.environment,
                "read_role_arn": account.role_arn,
                "regions": list(account.regions),
            },
        )
    return f"{len(organizations)} organizations, {len(MEMBERS)} people, {len(estate.ACCOUNTS)} AWS accounts"


def deploy_roles(cloud_url: str) -> str:
    """Play the customers: deploy in each account the role that the product asked for, with the ExternalId it made."""
    by_id = {account.account_id: account for account in estate.ACCOUNTS}
    rows = AwsAccount.objects.filter(account_id__in=by_id).exclude(read_role_arn="")
    for row in rows:  # also what people took on since: a cloud that is started again has forgotten their roles
        role = replace(by_id[row.account_id], role_name=row.read_role_arn.rpartition("/")[2])
        estate.deploy_role(cloud_url, role, row.external_id, policy.read_actions())
    return f"{len(rows)} roles, each with its ExternalId"


def begun_with() -> QuerySet[AwsAccount]:
    """The accounts that the demo brought. What people added is for the workers, and keeps no demo from starting."""
    ours = Q()
    for account in estate.ACCOUNTS:
        ours |= Q(organization__name=account.organization, account_id=account.account_id)
    return AwsAccount.objects.filter(ours)


def _organization_names() -> list[str]:
    return sorted({account.organization for account in estate.ACCOUNTS})


def _person(name: str, password: str, *, is_staff: bool = False, is_superuser: bool = False) -> User:
    """The user, made on first use; a password that was changed since then stays changed."""
    user, is_new = User.objects.get_or_create(
        username=name,
        defaults={"email": f"{name}@demo.invalid", "is_staff": is_staff, "is_superuser": is_superuser},
    )
    if is_new:
        user.set_password(password)
        user.save(update_fields=["password"])
    return user
