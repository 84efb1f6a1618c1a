"""Do these policies allow this action? IAM's evaluation logic, as far as roles for us need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

Policy = Mapping[str, Any]
Context = Mapping[str, str]


class Verdict(StrEnum):
    """IAM user guide, "Policy evaluation logic": explicit deny, then explicit allow, else implicit deny."""

    ALLOWED = "allowed"
    DENIED = "explicitDeny"
    NOT_GRANTED = "implicitDeny"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def judge(policies: Iterable[Policy], action: str, context: Context, resource: str = "*") -> Verdict:
    """One set of policies, their statements taken together; no policy grants nothing."""
    verdict = Verdict.NOT_GRANTED
    for policy in policies:
        for statement in as_list(policy.get("Statement", [])):
            if not statement_applies(statement, action, context, resource):
                continue
            if statement.get("Effect") == "Deny":
                return Verdict.DENIED
            if statement.get("Effect") == "Allow":
                verdict = Verdict.ALLOWED
    return verdict


def statement_applies(statement: Policy, action: str, context: Context, resource: str) -> bool:
    return (
        _names_action(statement, action)
        and _names_resource(statement, resource)
        and conditions_hold(statement.get("Condition", {}), context)
    )


def _names_action(statement: Policy, action: str) -> bool:
    """Actions are compared without case (IAM reference, "Action")."""

    def named(patterns: Any) -> bool:
        return any(fnmatchcase(action.lower(), str(pattern).lower()) for pattern in as_list(patterns))

    if "NotAction" in statement:
        return not named(statement["NotAction"])
    return named(statement.get("Action", []))


def _names_resource(statement: Policy, resource: str) -> bool:
    """A trust policy has no Resource: it speaks of its own role. An identity policy without one grants nothing."""
    if "Resource" not in statement:
        return "Principal" in statement
    return any(fnmatchcase(resource, str(pattern)) for pattern in as_list(statement["Resource"]))


def _one_of(test: Callable[[str, str], bool]) -> Callable[[str | None, list[str]], bool]:
    return lambda value, wanted: value is not None and any(test(value, one) for one in wanted)


# A condition key that the request does not carry makes the positive operators false (IAM reference, "Condition
# operators"). An operator that is missing here raises: better loud than lenient.
OPERATORS: Mapping[str, Callable[[str | None, list[str]], bool]] = {
    "StringEquals": _one_of(str.__eq__),
    "StringEqualsIgnoreCase": _one_of(lambda value, wanted: value.lower() == wanted.lower()),
    "StringLike": _one_of(fnmatchcase),
    "ArnEquals": _one_of(fnmatchcase),
    "ArnLike": _one_of(fnmatchcase),
    "StringNotEquals": lambda value, wanted: value not in wanted,
    "StringNotLike": lambda value, wanted: not any(fnmatchcase(value or "", one) for one in wanted),
    "Bool": _one_of(lambda value, wanted: value.lower() == wanted.lower()),
    "Null": lambda value, wanted: any((value is None) == (one.lower() == "true") for one in wanted),
}


def conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """All operators and keys must hold; the values of one key are alternatives."""
    lowered = {key.lower(): value for key, value in context.items()}
    for operator, wanted_by_key in conditions.items():
        test = OPERATORS[operator.removesuffix("IfExists")]
        for key, wanted in wanted_by_key.items():
            value = lowered.get(key.lower())
            if value is None and operator.endswith("IfExists"):
                continue
            if not test(value, [str(one) for one in as_list(wanted)]):
                return False
    return True


def trusts(trust_policy: Policy, principal_account: str, principal_arn: str, context: Context) -> bool:
    """May this principal assume the role? Deny in a trust policy wins here too."""
    named = [
        statement
        for statement in as_list(trust_policy.get("Statement", []))
        if _names_principal(statement.get("Principal", {}), principal_account, principal_arn)
    ]
    return judge([{"Statement": named}], "sts:AssumeRole", context) is Verdict.ALLOWED


def _names_principal(principal: Any, account_id: str, arn: str) -> bool:
    """`*`, the account id, its root ARN (= every principal of the account), or the exact ARN."""
    if principal == "*":
        return True
    named = as_list(principal.get("AWS", [])) if isinstance(principal, Mapping) else []
    return any(one in ("*", account_id, f"arn:aws:iam::{account_id}:root", arn) for one in named)
