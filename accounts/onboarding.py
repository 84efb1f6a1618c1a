"""Does an account's role open for us, and for nobody else? What was found is kept with the account."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import audit
from accounts.authentication import Caller
from accounts.aws import validation
from accounts.aws.session import DOOR, Door
from accounts.aws.validation import Validation
from accounts.models import AwsAccount


def validate(account: AwsAccount, *, by: Caller | str, now: datetime, door: Door = DOOR) -> Validation:
    """Try the account's roles and keep the finding: an account whose role opens without its ExternalId is not valid.

    Raises NoIdentity when the installation itself has no AWS credentials, and ValueError for an account without
    regions; nothing is kept then.
    """
    found = validation.validate(account, account.regions, door=door)
    before = {"is_valid": account.is_valid}
    account.is_valid, account.validated_at, account.validation = found.ok, now, _kept(found)
    with transaction.atomic():
        account.save(update_fields=["is_valid", "validated_at", "validation"])
        after = {"is_valid": found.ok, "problems": list(found.problems)}
        audit.record(by, "account.validated", account, organization=account.organization, before=before, after=after)
    return found


def _kept(found: Validation) -> dict[str, Any]:
    """As AwsAccount.validation holds it: the finding's fields, lists for tuples."""
    kept = asdict(found) | {"checked_at": found.checked_at.isoformat()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}
