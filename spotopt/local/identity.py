"""Who is calling, and what may they do? STS and IAM as strict as AWS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.iam.models import Role, iam_backends

from spotopt.local.clock import Clock
from spotopt.local.permissions import Policy, Verdict, judge, trusts
from spotopt.local.wire import Answer, Call, Refusal, elements, query_result

STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]{1,64})$")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}$")
LONGEST_SESSION_POLICY = 2048  # characters, AssumeRole reference


@dataclass(frozen=True, slots=True)
class StaticIdentity:
    """Long-lived keys. No `policy`: the account's root, who may do everything in it."""

    account_id: str
    access_key: str
    arn: str
    user_id: str
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    account_id: str
    arn: str
    user_id: str
    # Sets of policies that must all allow; a Deny in any of them wins. () = root, who needs none.
    policy_sets: tuple[tuple[Policy, ...], ...] = ()

    def verdict(self, action: str, context: Mapping[str, str], resource: str = "*") -> Verdict:
        verdicts = [judge(policies, action, context, resource) for policies in self.policy_sets]
        for refused in (Verdict.DENIED, Verdict.NOT_GRANTED):
            if refused in verdicts:
                return refused
        return Verdict.ALLOWED


class Identities:
    """All keys this cloud knows. Session credentials carry their own facts, sealed, so a restart does not end them."""

    def __init__(self, static: tuple[StaticIdentity, ...], clock: Clock, seal: str) -> None:
        self._static = {identity.access_key: identity for identity in static}
        self._clock = clock
        self._seal = seal.encode()
        self.ended_at: datetime | None = None

    def expire_sessions(self) -> None:
        """End every session issued until now."""
        self.ended_at = self._clock.now()

    def caller(self, call: Call) -> Caller:
        """Refuses unknown, forged and expired credentials in the words of the service called."""
        if identity := self._static.get(call.access_key):
            sets = () if identity.policy is None else ((identity.policy,),)
            return Caller(identity.account_id, identity.arn, identity.user_id, sets)
        session = self._unsealed(call)
        if session["expires"] <= self._clock.now().timestamp() or self._was_ended(session["issued"]):
            raise expired(call)
        return self._session_caller(session)

    def _was_ended(self, issued: float) -> bool:
        return self.ended_at is not None and issued <= self.ended_at.timestamp()

    def _session_caller(self, session: dict[str, Any]) -> Caller:
        role = find_role(session["account"], session["role"])
        # A role that was deleted grants nothing; its sessions live on without rights until they expire.
        granted = () if role is None else role_policies(role)
        sets = (granted,) if session["policy"] is None else (granted, (json.loads(session["policy"]),))
        arn = f"arn:aws:sts::{session['account']}:assumed-role/{session['role']}/{session['name']}"
        return Caller(session["account"], arn, f"{session['role_id']}:{session['name']}", sets)

    def assume_role(self, call: Call, caller: Caller) -> Answer:
        """STS AssumeRole: identity policy, trust policy and ExternalId, session policy, duration."""
        params = call.params
        match = ROLE_ARN.match(str(params.get("RoleArn", "")))
        name = str(params.get("RoleSessionName", ""))
        if match is None or not SESSION_NAME.match(name):
            raise Refusal("ValidationError", "RoleArn or RoleSessionName failed to satisfy constraint")
        account_id, role_name = match[1], match[2]
        context = {
            "sts:RoleSessionName": name,
            "aws:PrincipalArn": caller.arn,
            "aws:PrincipalAccount": caller.account_id,
        }
        if "ExternalId" in params:
            context["sts:ExternalId"] = str(params["ExternalId"])
        role = find_role(account_id, role_name)
        is_granted = caller.verdict("sts:AssumeRole", context, match[0]) is Verdict.ALLOWED
        # AWS says the same for a role that is not there, so that nobody can probe for names.
        if role is None or not is_granted or not _is_trusted(role, caller, context):
            raise Refusal(
                "AccessDenied",
                f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {match[0]}",
            )
        duration = _duration(params, role)
        policy = session_policy(params.get("Policy"))
        session = {
            "account": account_id,
            "role": role_name,
            "role_id": role.id,
            "name": name,
            "policy": policy,
            "issued": self._clock.now().timestamp(),
            "expires": (self._clock.now() + duration).timestamp(),
        }
        return self._credentials_answer(session)

    def _credentials_answer(self, session: dict[str, Any]) -> Answer:
        token = self._sealed(session)
        expires = datetime.fromtimestamp(session["expires"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        credentials = elements(
            [
                ("AccessKeyId", self._key_of(token)),
                ("SecretAccessKey", self._digest(f"secret/{token}")[:40]),
                ("SessionToken", token),
                ("Expiration", expires),
            ]
        )
        arn = f"arn:aws:sts::{session['account']}:assumed-role/{session['role']}/{session['name']}"
        user = elements([("AssumedRoleId", f"{session['role_id']}:{session['name']}"), ("Arn", arn)])
        inner = f"<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        return query_result("AssumeRole", STS_NAMESPACE, inner)

    def _sealed(self, session: dict[str, Any]) -> str:
        text = base64.urlsafe_b64encode(json.dumps(session).encode()).decode()
        return f"{text}.{self._digest(text)}"

    def _unsealed(self, call: Call) -> dict[str, Any]:
        text, _, seal = call.session_token.partition(".")
        is_ours = hmac.compare_digest(seal, self._digest(text)) and call.access_key == self._key_of(call.session_token)
        if not text or not is_ours:
            raise unknown_key(call)
        return dict(json.loads(base64.urlsafe_b64decode(text)))

    def _key_of(self, token: str) -> str:
        return "ASIA" + base64.b32encode(bytes.fromhex(self._digest(f"key/{token}")))[:16].decode()

    def _digest(self, text: str) -> str:
        return hmac.new(self._seal, text.encode(), hashlib.sha256).hexdigest()


def find_role(account_id: str, name: str) -> Role | None:
    roles = iam_backends[account_id]["aws"].roles.values()
    return next((role for role in roles if role.name == name), None)


def role_policies(role: Role) -> tuple[Policy, ...]:
    """Inline and attached policies as they are at this moment."""
    attached = [
        version.document
        for policy in role.managed_policies.values()
        for version in policy.versions
        if version.is_default
    ]
    return tuple(json.loads(text) for text in (*role.policies.values(), *attached))


def _is_trusted(role: Role, caller: Caller, context: Mapping[str, str]) -> bool:
    return trusts(json.loads(role.assume_role_policy_document), caller.account_id, caller.arn, context)


def _duration(params: Mapping[str, Any], role: Role) -> timedelta:
    """900 s to the role's own maximum (1 h unless set); AssumeRole reference, DurationSeconds."""
    wanted = int(params.get("DurationSeconds", 3600))
    longest = int(role.max_session_duration or 3600)
    if not 900 <= wanted <= longest:
        raise Refusal(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return timedelta(seconds=wanted)


def session_policy(text: Any) -> str | None:
    """The policy that can only take away; refuses what is no JSON object or too long."""
    if text is None:
        return None
    if len(str(text)) > LONGEST_SESSION_POLICY:
        raise Refusal(
            "ValidationError",
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
            "Member must have length less than or equal to 2048",
        )
    try:
        is_policy = isinstance(json.loads(text), dict)
    except ValueError:
        is_policy = False
    if not is_policy:
        raise Refusal("MalformedPolicyDocument", "This policy contains invalid Json")
    return str(text)


def caller_identity(caller: Caller) -> Answer:
    """GetCallerIdentity needs no permission, and no policy can deny it (STS reference)."""
    inner = elements([("Arn", caller.arn), ("UserId", caller.user_id), ("Account", caller.account_id)])
    return query_result("GetCallerIdentity", STS_NAMESPACE, inner)


def expired(call: Call) -> Refusal:
    """EC2 has its own word for an expired token ("Error codes for the Amazon EC2 API"); the others say ExpiredToken."""
    if call.service == "ec2":
        return Refusal("RequestExpired", "Request has expired.")
    if "json" in call.content_type:
        return Refusal("ExpiredTokenException", "The security token included in the request is expired", 400)
    return Refusal("ExpiredToken", "The security token included in the request is expired")


def unknown_key(call: Call) -> Refusal:
    if call.service == "ec2":
        return Refusal("AuthFailure", "AWS was not able to validate the provided access credentials")
    if "json" in call.content_type:
        return Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    return Refusal("InvalidClientTokenId", "The security token included in the request is invalid")


def denial(call: Call, caller: Caller, verdict: Verdict, action: str, resource: str) -> Refusal:
    because = "with an explicit deny" if verdict is Verdict.DENIED else "because no policy allows the action"
    words = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} {because}"
    if call.service == "ec2":
        return Refusal("UnauthorizedOperation", f"You are not authorized to perform this operation. {words}")
    if "json" in call.content_type:
        return Refusal("AccessDeniedException", words)
    return Refusal("AccessDenied", words)
