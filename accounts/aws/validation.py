"""Is an account what it claims, does its role open for us and for nobody else, and may we do what we need?"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from accounts.aws import policy
from accounts.aws.client import Access
from accounts.aws.errors import AwsError, Denied, RegionNotEnabled
from accounts.aws.permissions import Proof, prove
from accounts.aws.session import DOOR, Door, Role, assume_without_external_id, caller_identity

SIDE_BY_SIDE = 6  # regions; each has its own endpoint and its own limits
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found. None = could not be tried, which is never taken for a yes.

    `missing` and `unproven` are IAM actions; unproven ones are shown and do not fail the account. `region_problems`
    says why a region could not be read; it fails the account only when no region could. `problems` says in words
    all that makes `ok` false.
    """

    account_id_matches: bool | None
    assumable: bool | None
    assumable_without_external_id: bool | None
    missing: tuple[str, ...]
    unproven: tuple[str, ...]
    region_problems: dict[str, str]
    problems: tuple[str, ...]
    checked_at: datetime

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class RegionLook:
    """What one region answered."""

    region: str
    assumable: bool | None = None
    account_id_matches: bool | None = None
    proof: Proof = field(default_factory=lambda: Proof((), ()))
    problem: str = ""


def validate(account: Role, regions: Iterable[str], *, door: Door = DOOR) -> Validation:
    """Try the account's roles in its regions; cached sessions of the account are dropped first.

    The account fails when a role opens without its ExternalId or with a wrong one, also when that could not be tried.
    Raises NoIdentity, which is the installation's fault and no finding; ValueError for no regions.
    """
    wanted = list(dict.fromkeys(regions))
    if not wanted:
        raise ValueError("an account is validated in at least one region")
    door.installation_session(wanted[0])
    door.forget(account)
    misfits = _misfits(account)
    if misfits:
        return _validation([], None, misfits)
    with ThreadPoolExecutor(SIDE_BY_SIDE, "validation") as pool:
        looks = list(pool.map(lambda region: _look(account, region, door), wanted))
    return _validation(looks, _opens_for_anybody(account, wanted[0], door), [])


def _misfits(account: Role) -> list[str]:
    """What is wrong before AWS is asked: the account in each ARN must be the claimed one."""
    problems = [] if account.read_role_arn else ["no read role is given"]
    for arn in filter(None, (account.read_role_arn, account.act_role_arn)):
        match = ROLE_ARN.fullmatch(arn)
        if match is None:
            problems.append(f"{arn!r} is not the ARN of a role")
        elif match["account"] != account.account_id:
            problems.append(f"the role is of account {match['account']}, {account.account_id} is claimed")
    return problems


def _look(account: Role, region: str, door: Door) -> RegionLook:
    try:
        session = door.session_for(account, region, run="validation")
    except RegionNotEnabled as error:
        return RegionLook(region, problem=_reason(error))
    except Denied as error:
        return RegionLook(region, assumable=False, problem=_reason(error))
    except AwsError as error:
        return RegionLook(region, problem=_reason(error))
    try:
        matches = caller_identity(session).account_id == account.account_id
        return RegionLook(region, True, matches, prove(session, policy.read_actions()))
    except AwsError as error:
        return RegionLook(region, True, problem=_reason(error))


def _opens_for_anybody(account: Role, region: str, door: Door) -> bool | None:
    """Whether a role opens without its ExternalId or with a wrong one; None when one answer was neither yes nor no."""
    roles = [access for access in Access if access is Access.READ or account.act_role_arn]
    answers = [_opens(account, region, access, wrong, door) for access in roles for wrong in ("", secrets.token_hex())]
    if True in answers:
        return True
    return None if None in answers else False


def _opens(account: Role, region: str, access: Access, external_id: str, door: Door) -> bool | None:
    try:
        assume_without_external_id(account, region, access, external_id=external_id, door=door)
    except RegionNotEnabled:
        return None
    except Denied:
        return False
    except AwsError:
        return None
    return True


def _validation(looks: list[RegionLook], is_open: bool | None, misfits: list[str]) -> Validation:
    assumable = _any_no(look.assumable for look in looks)
    matches = _any_no(look.account_id_matches for look in looks)
    missing = {action for look in looks for action in look.proof.missing}
    unproven = {action for look in looks for action in look.proof.unproven} - missing
    problems = list(misfits)
    if looks:
        problems += _problems(assumable, matches, is_open)
        problems += [f"permission {action} is missing" for action in sorted(missing)]
    return Validation(
        account_id_matches=False if misfits else matches,
        assumable=assumable,
        assumable_without_external_id=is_open,
        missing=tuple(sorted(missing)),
        unproven=tuple(sorted(unproven)),
        region_problems={look.region: look.problem for look in looks if look.problem},
        problems=tuple(problems),
        checked_at=datetime.now(UTC),
    )


def _any_no(answers: Iterable[bool | None]) -> bool | None:
    """No as soon as one says no, yes when one says yes; None when nobody knows."""
    known = [answer for answer in answers if answer is not None]
    return all(known) if known else None


def _problems(assumable: bool | None, matches: bool | None, is_open: bool | None) -> list[str]:
    problems = []
    if not assumable:
        problems.append("the role cannot be assumed with its ExternalId")
    elif not matches:
        problems.append("AWS does not confirm the claimed account id")
    if is_open:
        problems.append("the role can be assumed without its ExternalId: require it in the trust policy")
    elif is_open is None:
        problems.append("whether the role opens without its ExternalId could not be tried")
    return problems


def _reason(error: AwsError) -> str:
    return f"{error.code}: {error.message}" if error.message else error.code
