"""Which roles does AWS itself act with in the customers' accounts? IAM user guide, "Service-linked roles"."""

from __future__ import annotations

from spotopt.local.estate import ACCOUNTS

from moto.iam.models import SERVICE_NAME_CONVERSION, iam_backends  # isort: skip

SERVICE_NAME_CONVERSION["spot"] = "EC2Spot"  # the role's real name, by which launches look for it


def create_service_roles() -> None:
    """Every customer of the demo has used Spot before, or has created the role himself."""
    for account in ACCOUNTS:
        iam_backends[account.account_id]["aws"].create_service_linked_role("spot.amazonaws.com", "", "")
