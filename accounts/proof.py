"""What did a validation find, in words, and what is to be done about it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

REQUIRE_IT = (
    "As it is, whoever knows the role's name could have us open this account for them. Its trust policy must demand "
    "the ExternalId (Condition: StringEquals: sts:ExternalId): deploy the template again, unchanged, and try again."
)


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. `remedy` is empty where nothing is to be done."""

    question: str
    outcome: Outcome
    said: str
    remedy: str = ""
    named: tuple[str, ...] = ()  # the permissions that it is about


def checks(found: Mapping[str, Any]) -> list[Check]:
    """What `AwsAccount.validation` holds, question by question; empty before the first validation."""
    if not found:
        return []
    regions = [_region(region, problem) for region, problem in sorted(found["region_problems"].items())]
    return [_matches(found), _opens(found), _is_closed(found), _permissions(found), *regions]


def _matches(found: Mapping[str, Any]) -> Check:
    question = "Is it a role of this account?"
    if found["account_id_matches"]:
        return Check(question, Outcome.PASS, "Yes, AWS says so itself.")
    if found["account_id_matches"] is None:
        return Check(question, Outcome.UNKNOWN, "AWS could not be asked.", "The role must open first: see below.")
    said = _sentence("; ".join(found["problems"][:1]) or "AWS names another account")
    return Check(question, Outcome.FAIL, said, "Paste the ARN of a role in the account that you named.")


def _opens(found: Mapping[str, Any]) -> Check:
    question = "Does it open for us, with the ExternalId?"
    if found["assumable"]:
        return Check(question, Outcome.PASS, "Yes.")
    if found["assumable"] is None:
        return Check(question, Outcome.UNKNOWN, "It could not be tried.", "Mend what else is said here, and try again.")
    remedy = "Look whether the stack is deployed, and the ARN is its output. A new role takes up to a minute to work."
    return Check(question, Outcome.FAIL, "No, AWS refuses us.", remedy)


def _is_closed(found: Mapping[str, Any]) -> Check:
    question = "Does it stay shut without the ExternalId?"
    is_open = found["assumable_without_external_id"]
    if is_open is False:
        return Check(question, Outcome.PASS, "Yes: without it, and with a wrong one, AWS refuses.")
    if is_open is None:
        return Check(question, Outcome.UNKNOWN, "It could not be tried, so it does not count as shut.", "Try again.")
    return Check(question, Outcome.FAIL, "No, it opens for anybody: refused.", REQUIRE_IT)


def _permissions(found: Mapping[str, Any]) -> Check:
    question = "May we read all that we need?"
    missing, unproven = tuple(found["missing"]), tuple(found["unproven"])
    if missing:
        said = f"No: {len(missing)} {'permission is' if len(missing) == 1 else 'permissions are'} missing."
        return Check(question, Outcome.FAIL, said, "Add them, or deploy the template again.", missing)
    if not found["assumable"]:
        return Check(question, Outcome.UNKNOWN, "It could not be tried.", "The role must open first.")
    if unproven:
        said = "As far as AWS tells. There was nothing to try these on; if one is missing, what it reads stays unknown."
        return Check(question, Outcome.PASS, said, "", unproven)
    return Check(question, Outcome.PASS, "Yes, each permission was tried.")


def _region(region: str, problem: str) -> Check:
    remedy = f"Enable {region} in the account or its STS, or take it off the account's regions."
    return Check(f"Does {region} answer?", Outcome.FAIL, _sentence(problem), remedy)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."
