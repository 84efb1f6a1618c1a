"""Which permissions do we ask for? Gathered from what every adapter says it calls."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from accounts.aws.read import advisor, autoscaling, balancers, ec2, looks, pricing
from accounts.aws.write import balancers as balancer_changes
from accounts.aws.write import ec2 as ec2_changes

VERSION = "2012-10-17"
# STS: "the plaintext that you use for both inline and managed session policies can't exceed 2,048 characters"
MOST_SESSION_POLICY_CHARACTERS = 2048
READ_VERBS = ("Describe", "Get", "List")
MANAGED_TAG, MANAGED_VALUE = "ManagedBy", "SpotOptimizer"  # on all that we make, from its first second
GIVEN_TAG = "spotopt:may"  # a person's word on an instance: it may be ended once it is replaced (value "replace")
CONDITIONED = ("ec2:DeleteSnapshot", "ec2:DeregisterImage", "ec2:TerminateInstances")
# sts:GetCallerIdentity stands in no policy: it needs no permission and no policy can deny it (STS reference).


def read_actions() -> tuple[str, ...]:
    """What a tenant's read role must allow."""
    return tuple(sorted({*ec2.FLEET_ACTIONS, *autoscaling.ACTIONS, *looks.ACTIONS, *balancers.ACTIONS}))


def act_actions() -> tuple[str, ...]:
    """What a tenant's act role must allow. It is another role than the one that reads, and looks at nothing."""
    return tuple(sorted({*ec2_changes.ACTIONS, *ec2_changes.BESIDE_ACTIONS, *balancer_changes.ACTIONS}))


def market_actions() -> tuple[str, ...]:
    """What the installation's own identity must be allowed to read: the market is never asked with a tenant's role."""
    return tuple(sorted({*ec2.MARKET_ACTIONS, *pricing.ACTIONS, *advisor.ACTIONS}))


def read_policy() -> dict[str, Any]:
    """The policy to attach to a tenant's read role. Describe calls know no resources, hence `*`."""
    return _document("SpotOptimizerRead", read_actions(), "*")


def act_policy() -> dict[str, Any]:
    """The policy to attach to a tenant's act role.

    What ends or deletes is allowed on what carries our tag, or the tag by which a person gave one instance away; the
    roles it may pass are those that EC2 uses.
    """
    ours = {"StringEquals": {f"aws:ResourceTag/{MANAGED_TAG}": MANAGED_VALUE}}
    plain = [action for action in act_actions() if action not in {*CONDITIONED, "iam:PassRole"}]
    document = _document("SpotOptimizerAct", plain, "*")
    ending = {**_document("SpotOptimizerEnd", CONDITIONED, "*")["Statement"][0], "Condition": ours}
    given = {"StringEquals": {f"aws:ResourceTag/{GIVEN_TAG}": "replace"}}
    giving = {**_document("SpotOptimizerReplace", ("ec2:TerminateInstances",), "*")["Statement"][0], "Condition": given}
    passing = {
        **_document("SpotOptimizerPass", ("iam:PassRole",), "*")["Statement"][0],
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }
    return {**document, "Statement": [*document["Statement"], ending, giving, passing]}


def installation_policy(role_arns: Iterable[str] = ("arn:aws:iam::*:role/*",)) -> dict[str, Any]:
    """The policy of the installation's own identity: read the market, assume the tenants' roles."""
    document = _document("SpotOptimizerMarket", market_actions(), "*")
    assume = _document("SpotOptimizerAssume", ("sts:AssumeRole",), list(role_arns))
    return {**document, "Statement": [*document["Statement"], *assume["Statement"]]}


def trust_policy(installation_account_id: str, external_id: str) -> dict[str, Any]:
    """Who may assume a tenant's role: our account, and only with this account's ExternalId (IAM guide, external ID)."""
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "SpotOptimizerMayEnter",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{installation_account_id}:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": str(external_id)}},
            }
        ],
    }


def read_session_policy() -> str:
    """The policy that every read session is cut down to: reads only, whatever the role itself allows.

    By prefix (`ec2:Describe*`), to stay below 2,048 characters whatever adapters are added. ValueError for an action
    that is not a read.
    """
    prefixes = sorted({_by_prefix(action) for action in read_actions()})
    text = json.dumps(_document("Reads", prefixes, "*"), separators=(",", ":"))
    if len(text) > MOST_SESSION_POLICY_CHARACTERS:
        raise ValueError(f"the session policy has {len(text)} characters")
    return text


def nothing_session_policy() -> str:
    """For trying whether a role opens at all: credentials that could do nothing."""
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    return json.dumps({"Version": VERSION, "Statement": [statement]}, separators=(",", ":"))


def _by_prefix(action: str) -> str:
    service, _, name = action.partition(":")
    for verb in READ_VERBS:
        if name.startswith(verb):
            return f"{service}:{verb}*"
    raise ValueError(f"{action} is not a read")


def _document(sid: str, actions: Iterable[str], resource: str | list[str]) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {"Version": VERSION, "Statement": [statement]}
