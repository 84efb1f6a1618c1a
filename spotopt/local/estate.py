"""Whose accounts are in the demo, and how do their machines come to be?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

from spotopt.local.fleet import CONTOSO_PROD, MACHINES, NORTHWIND_LAB, NORTHWIND_PROD, PARIS, VIRGINIA, Machine

if TYPE_CHECKING:
    from spotopt.local.identity import StaticIdentity


@dataclass(frozen=True, slots=True)
class Installation:
    """Our own AWS identity: what the trust policies of customers name."""

    account_id: str = "000000000001"
    access_key: str = "AKIASPOTOPTINSTALL01"
    secret_key: str = "local-cloud-installation-secret-key-0001"


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's account. The root keys are for playing the customer; the product never holds them."""

    organization: str
    account_id: str
    name: str
    environment: str  # PROD or LAB
    regions: tuple[str, ...]
    root_access_key: str
    root_secret_key: str
    role_name: str = "SpotOptimizer"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:role/{self.role_name}"


def _account(organization: str, account_id: str, name: str, environment: str, regions: tuple[str, ...]) -> Account:
    return Account(
        organization, account_id, name, environment, regions, f"AKIAROOT{account_id}", f"local-root-secret-{account_id}"
    )


INSTALLATION = Installation()
ACCOUNTS = (
    _account("Northwind", NORTHWIND_PROD, "northwind-prod", "PROD", (PARIS, VIRGINIA)),
    _account("Northwind", NORTHWIND_LAB, "northwind-lab", "LAB", (PARIS,)),
    _account("Contoso", CONTOSO_PROD, "contoso-prod", "PROD", (PARIS, VIRGINIA)),
)
# What the installation may do itself: get in elsewhere, and read what is no customer's.
INSTALLATION_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "sts:AssumeRole",
                "pricing:GetProducts",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeRegions",
                "ec2:DescribeSpotPriceHistory",
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:DeleteMessageBatch",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            ],
            "Resource": "*",
        }
    ],
}


def identities() -> tuple[StaticIdentity, ...]:
    """Every long-lived key of this cloud."""
    from spotopt.local.identity import StaticIdentity  # brings moto, which callers of deploy_role do not need

    ours = StaticIdentity(
        INSTALLATION.account_id,
        INSTALLATION.access_key,
        f"arn:aws:iam::{INSTALLATION.account_id}:user/spotopt",
        "AIDASPOTOPTINSTALL01",
        INSTALLATION_POLICY,
    )
    roots = (
        StaticIdentity(one.account_id, one.root_access_key, f"arn:aws:iam::{one.account_id}:root", one.account_id)
        for one in ACCOUNTS
    )
    return (ours, *roots)


def describe() -> dict[str, str | None]:
    """Name tag → why it must be refused, None where nothing forbids a switch. For tests; the product never asks."""
    return {machine.name: str(machine.trap) if machine.trap else None for machine in MACHINES}


def root_client(endpoint: str, account: Account, service: str, region: str = PARIS) -> Any:
    """A boto3 client with the customer's own keys."""
    session = boto3.Session(account.root_access_key, account.root_secret_key, region_name=region)
    return session.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


def deploy_role(
    endpoint: str,
    account: Account,
    external_id: str,
    actions: Sequence[str],
    *,
    trust_external_id: bool = True,
    statements: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Play the customer who deploys the role template; return the role's ARN. Repeating it replaces both policies.

    `statements` are granted as they stand, `actions` on every resource.
    Without `trust_external_id` the template was deployed carelessly: anyone who can act for us gets in.
    """
    iam = root_client(endpoint, account, "iam", VIRGINIA)
    trust: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{INSTALLATION.account_id}:root"},
        "Action": "sts:AssumeRole",
    }
    if trust_external_id:
        trust["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    trust_policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    try:
        iam.create_role(RoleName=account.role_name, AssumeRolePolicyDocument=trust_policy)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=account.role_name, PolicyDocument=trust_policy)
    granted = [*statements, *([{"Effect": "Allow", "Action": list(actions), "Resource": "*"}] if actions else [])]
    iam.put_role_policy(
        RoleName=account.role_name,
        PolicyName="spotopt",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": granted}),
    )
    return account.role_arn


def launch_time(machine: Machine, began_at: datetime) -> datetime:
    return began_at - timedelta(days=machine.age_days, minutes=17 * (machine.age_days % 41))


def counts() -> Counter[tuple[str, str]]:
    """(account, region) → machines."""
    return Counter((machine.account_id, machine.region) for machine in MACHINES)
