"""Taking an account on: its row and ExternalId, and whether its role opens for us, and for nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.authentication import Caller
from accounts.aws import validation
from accounts.aws.session import DOOR, Door
from accounts.aws.validation import Validation
from accounts.domain import Environment, Role, Scope
from accounts.models import AwsAccount

PROVED = frozenset({"read_role_arn", "regions"})  # what a validation speaks of; changed, it speaks no more
OWNERS_ONLY = "Which environment an account belongs to is for owners of the organization to say."


class AlreadyThere(Exception):
    """The organization has this account already; `account` is its row."""

    def __init__(self, account: AwsAccount) -> None:
        super().__init__(f"Account {account.account_id} is there already, as {account.name!r}.")
        self.account = account


class TookTooLong(Exception):
    """AWS did not answer in the time that was given; nothing was found and nothing kept."""


class ChangedMeanwhile(Exception):
    """The role or the regions changed while they were tried; the finding is about what no longer is."""


def enrol(
    by: Caller, *, account_id: str, name: str, regions: Sequence[str], environment: Environment = Environment.LAB
) -> AwsAccount:
    """A new account with an ExternalId of its own; it is not valid until its role was tried.

    Raises AlreadyThere; PermissionDenied for an environment other than LAB by whoever is no owner; ValueError for a
    caller without an organization.
    """
    if by.organization is None:
        raise ValueError("an account belongs to an organization")
    if environment is not Environment.LAB:
        _must_be_owner(by)
    try:
        with transaction.atomic():
            account = AwsAccount.objects.create(
                organization=by.organization,
                account_id=account_id,
                name=name,
                environment=environment.value,
                regions=list(regions),
            )
            after = {"account_id": account_id, "name": name, "environment": environment, "regions": list(regions)}
            audit.record(by, "account.enrolled", account, after=after)
    except IntegrityError:
        there = AwsAccount.objects.filter(organization=by.organization, account_id=account_id).first()
        if there is None:
            raise
        raise AlreadyThere(there) from None
    return account


def change(account: AwsAccount, wanted: Mapping[str, Any], *, by: Caller, door: Door = DOOR) -> AwsAccount:
    """Set name, environment, regions, read_role_arn or is_active; the row as it then is. Nothing new, nothing done.

    Another role or other regions take the validity away: nobody has tried them. PermissionDenied for the environment
    by whoever is no owner.
    """
    with transaction.atomic():
        row = AwsAccount.objects.select_for_update().get(pk=account.pk)
        before = {name: getattr(row, name) for name, value in wanted.items() if getattr(row, name) != value}
        if not before:
            return row
        if "environment" in before:
            _must_be_owner(by)
        for name in before:
            setattr(row, name, wanted[name])
        written = set(before)
        if PROVED & written:
            row.is_valid, row.validated_at, row.validation = False, None, {}
            written |= {"is_valid", "validated_at", "validation"}
        row.save(update_fields=sorted(written))
        after = {name: getattr(row, name) for name in before}
        audit.record(by, _deed(after), row, organization=row.organization, before=before, after=after)
    door.forget(row)
    return row


def validate(
    account: AwsAccount, *, by: Caller | str, now: datetime, door: Door = DOOR, seconds: float | None = None
) -> Validation:
    """Try the account's roles and keep the finding: an account whose role opens without its ExternalId is not valid.

    Nothing is kept when it raises: NoIdentity when the installation itself has no AWS credentials, ValueError for an
    account without regions, TookTooLong after `seconds`, ChangedMeanwhile.
    """
    found = _tried(account, door, seconds)
    fresh = {"is_valid": found.ok, "validated_at": now, "validation": _kept(found)}
    before = {"is_valid": account.is_valid}
    with transaction.atomic():
        tried = AwsAccount.objects.filter(pk=account.pk, **{name: getattr(account, name) for name in PROVED})
        if not tried.update(**fresh):
            raise ChangedMeanwhile("The account was changed while it was tried: validate again.")
        after = {"is_valid": found.ok, "problems": list(found.problems)}
        audit.record(by, "account.validated", account, organization=account.organization, before=before, after=after)
    for name, value in fresh.items():
        setattr(account, name, value)
    return found


def _tried(account: AwsAccount, door: Door, seconds: float | None) -> Validation:
    """What was found; TookTooLong after so many seconds, when the calls still out end unheard: they only read."""
    pool = ThreadPoolExecutor(1, "validation")
    try:
        return pool.submit(validation.validate, account, account.regions, door=door).result(seconds)
    except TimeoutError:
        raise TookTooLong("AWS did not answer in time; nothing was kept. Try again.") from None
    finally:
        pool.shutdown(wait=False)


def _kept(found: Validation) -> dict[str, Any]:
    """As AwsAccount.validation holds it: the finding's fields, lists for tuples."""
    kept = asdict(found) | {"checked_at": found.checked_at.isoformat()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


def _must_be_owner(by: Caller) -> None:
    if not by.may(Scope.MANAGE, Role.OWNER):
        raise PermissionDenied(OWNERS_ONLY)


def _deed(after: Mapping[str, Any]) -> str:
    """The weightiest of what changed names the entry."""
    if "is_active" in after:
        return "account.reactivated" if after["is_active"] else "account.deactivated"
    return "account.environment_changed" if "environment" in after else "account.changed"
