"""How do we get into an account? The only door: nothing else makes an AWS client."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from accounts.aws import policy
from accounts.aws.client import INSTALLATION, Access, AwsSession
from accounts.aws.credentials import Grant, RoleCredentials
from accounts.aws.errors import Denied, NoIdentity, translated_errors
from accounts.aws.limiter import Limiter

__all__ = [
    "Access",
    "AwsSession",
    "CallerIdentity",
    "Door",
    "Role",
    "assume_without_external_id",
    "caller_identity",
    "forget",
    "forget_all",
    "installation_session",
    "session_for",
]

HOUR = 3600  # the longest that STS gives to a chained role
SHORTEST = 900  # the shortest that STS gives at all
MOST_SESSIONS = 256  # a client of EC2 holds about 2 MB; the least recently used go first
NO_IDENTITY = (
    "The installation has no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run it with an "
    "instance, container or web-identity role that may call sts:AssumeRole and read the market "
    "(accounts.aws.policy.installation_policy)."
)


class Role(Protocol):
    """What the door needs of an account; an `AwsAccount` row has it."""

    @property
    def organization_id(self) -> int | UUID: ...
    @property
    def account_id(self) -> str: ...
    @property
    def read_role_arn(self) -> str: ...
    @property
    def act_role_arn(self) -> str: ...
    @property
    def external_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    account_id: str
    arn: str


@dataclass(slots=True)
class Slot:
    """A place in the cache; its own lock, so that one slow AssumeRole holds up nobody else's account."""

    session: AwsSession | None = None
    run: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


def role_arn(account: Role, access: Access) -> str:
    """The role for an access level. Raises Denied when the account has given none."""
    arn = account.act_role_arn if access is Access.ACT else account.read_role_arn
    if not arn:
        raise Denied("NoRole", f"account {account.account_id} has no role for access {access.value}", "AssumeRole")
    return arn


def session_name(run: str) -> str:
    """RoleSessionName, which CloudTrail shows: 2 to 64 of the characters that STS allows."""
    return re.sub(r"[^A-Za-z0-9_+=,.@-]", "-", f"spotopt-{run}" if run else "spotopt")[:64]


class Door:
    """The sessions of one process. Thread-safe; never shared between processes, never stored."""

    def __init__(
        self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), limiter: Limiter | None = None
    ) -> None:
        self._clock = clock
        self._limiter = limiter or Limiter()
        self._slots: OrderedDict[tuple[str, ...], Slot] = OrderedDict()
        self._installation: dict[str, AwsSession] = {}
        self._lock = threading.Lock()

    def session_for(self, account: Role, region: str, access: Access = Access.READ, *, run: str = "") -> AwsSession:
        """A session in the account, credentials already proved. Read sessions are shared; act sessions are one per run.

        A read session carries the name of the latest run that asked when it was assumed or renewed.
        Raises Denied, NoIdentity, RegionNotEnabled, Throttled, OutcomeUnknown; ValueError for acting without a run.
        """
        if access is Access.ACT and not run:
            raise ValueError("an act session needs the run that acts")
        arn = role_arn(account, access)
        key = (
            *(str(account.organization_id), account.account_id, arn, str(account.external_id)),
            *(region, access.value, run if access is Access.ACT else ""),
        )
        slot = self._slot(key)
        with slot.lock:
            slot.run = run or slot.run
            if slot.session is None:
                slot.session = self._open(account, arn, region, access, slot)
            return slot.session

    def _slot(self, key: tuple[str, ...]) -> Slot:
        with self._lock:
            slot = self._slots.setdefault(key, Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > MOST_SESSIONS:
                self._slots.popitem(last=False)
            return slot

    def _open(self, account: Role, arn: str, region: str, access: Access, slot: Slot) -> AwsSession:
        external_id = str(account.external_id)

        def assume() -> Grant:
            request: dict[str, Any] = {"ExternalId": external_id, "DurationSeconds": HOUR}
            if access is Access.READ:
                request["Policy"] = policy.read_session_policy()
            return self.assume(arn, region, run=slot.run, **request)

        return AwsSession(
            account_id=account.account_id,
            region=region,
            access=access,
            limiter=self._limiter,
            credentials=RoleCredentials(assume, self._clock),
        )

    def assume(self, arn: str, region: str, *, run: str = "", **request: Any) -> Grant:
        """AssumeRole with the installation's identity, at the region's own STS endpoint."""
        sts = self.installation_session(region).client("sts")
        with translated_errors("AssumeRole"):
            answer = sts.assume_role(RoleArn=arn, RoleSessionName=session_name(run), **request)["Credentials"]
        return Grant(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], answer["Expiration"])

    def installation_session(self, region: str) -> AwsSession:
        """The installation's own identity (botocore's default chain). Raises NoIdentity, which says what to set."""
        with self._lock:
            session = self._installation.get(region)
            if session is None:
                session = AwsSession(account_id=INSTALLATION, region=region, access=Access.READ, limiter=self._limiter)
                self._installation[region] = session
        if not session.has_identity:
            raise NoIdentity("NoCredentials", NO_IDENTITY)
        return session

    def forget(self, account: Role) -> None:
        """Drop every session of the organization's account: its role, ExternalId or proof has changed."""
        theirs = (str(account.organization_id), account.account_id)
        with self._lock:
            for key in [key for key in self._slots if key[:2] == theirs]:
                del self._slots[key]

    def forget_all(self) -> None:
        """Drop everything: after a fork (connections must not be shared) or a change of the installation's identity."""
        with self._lock:
            self._slots.clear()
            self._installation.clear()


DOOR = Door()
session_for = DOOR.session_for
installation_session = DOOR.installation_session
forget = DOOR.forget
forget_all = DOOR.forget_all


def assume_without_external_id(
    account: Role, region: str, access: Access = Access.READ, *, external_id: str = "", door: Door = DOOR
) -> None:
    """Try the role without its ExternalId, or with a wrong one; raises Denied, which is how it should end.

    Returning means that anybody who knows the ARN gets in. The credentials are thrown away and could do nothing.
    """
    request = {"ExternalId": external_id} if external_id else {}
    door.assume(
        role_arn(account, access),
        region,
        run="validation",
        DurationSeconds=SHORTEST,
        Policy=policy.nothing_session_policy(),
        **request,
    )


def caller_identity(session: AwsSession) -> CallerIdentity:
    """Who AWS says we are in this session."""
    with translated_errors("GetCallerIdentity"):
        answer = session.client("sts").get_caller_identity()
    return CallerIdentity(answer["Account"], answer["Arn"])
