"""What stands between a request and the cloud: identity, permission, faults, and what moto cannot answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from spotopt.local.advisor import advisor_answer
from spotopt.local.authorization import questions
from spotopt.local.control_page import ControlPage
from spotopt.local.faults import Fault, FaultKind, Switches, throttling_code
from spotopt.local.health_pages import health_page
from spotopt.local.identity import Caller, Identities, caller_identity, denial
from spotopt.local.permissions import Verdict
from spotopt.local.pricelist import get_products
from spotopt.local.provider import APPS, Provider
from spotopt.local.queue_calls import is_queue_path, queue_answer
from spotopt.local.simulation import simulate
from spotopt.local.wire import Answer, Call, Refusal, parse_call, read_body, refusal_answer
from spotopt.local.zones import COMMERCIAL_REGIONS, OPT_IN_REGIONS

StartResponse = Callable[..., Any]
Own = Callable[[Call, Caller], Answer]
SERVICES = frozenset({*APPS, "sts", "pricing"})


class LostAnswer(Exception):
    """The connection is to break instead of an answer; with `hangs` only after the caller gave up."""

    def __init__(self, *, hangs: bool = False) -> None:
        super().__init__()
        self.hangs = hangs


class Front:
    """The WSGI application that clients talk to."""

    def __init__(
        self,
        provider: Provider,
        identities: Identities,
        switches: Switches,
        control: ControlPage,
    ) -> None:
        self.provider = provider
        self._identities = identities
        self.switches = switches
        self.control = control
        # Answered here: moto takes any role for granted, and has no Price List.
        self._own: dict[str, Own] = {
            "sts:AssumeRole": identities.assume_role,
            "sts:GetCallerIdentity": lambda call, caller: caller_identity(caller),
            "pricing:GetProducts": lambda call, caller: get_products(call),
            "iam:SimulatePrincipalPolicy": simulate,
        }

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer = self._routed(environ, read_body(environ))
        except LostAnswer as lost:
            if lost.hangs:
                time.sleep(self.switches.hang_seconds)
            return _break_connection(environ, start_response)
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers]
        start_response(f"{answer.status} {_phrase(answer.status)}", headers)
        return [answer.body]

    def _routed(self, environ: dict[str, Any], body: bytes) -> Answer:
        uri = environ.get("REQUEST_URI", "")
        if uri.startswith("http://") and not is_own(environ):
            return health_page(self.provider, uri)
        path = environ.get("PATH_INFO", "/")
        if path.startswith("/_control/"):
            return self.control(environ, body)
        if path == "/spot-advisor-data.json":
            return advisor_answer(self.switches.advisor, environ.get("HTTP_IF_NONE_MATCH", ""))
        if path != "/" and not is_queue_path(path):
            return Answer(404, b"no such page\n", "text/plain")
        return self.answer(environ, body)

    def answer(self, environ: dict[str, Any], body: bytes) -> Answer:
        """One AWS call. Raises LostAnswer where the caller is to get none."""
        try:
            call = parse_call(environ, body)
        except Refusal as refusal:
            return refusal_answer(None, refusal)
        return self._answered(call)

    def _answered(self, call: Call) -> Answer:
        account_id = who = ""
        if self.switches.latency_ms:
            time.sleep(self.switches.latency_ms / 1000)
        fault = self.switches.next_fault(call)
        try:
            if fault is not None and not fault.kind.is_after:
                strike(fault, call)
            caller = self._identities.caller(call)
            account_id, who = caller.account_id, caller.arn
            self._check_region(call)
            self._check_permission(call, caller)
            answer = self._own[call.name](call, caller) if call.name in self._own else self._asked(call, caller)
        except Refusal as refusal:
            self.switches.count(account_id, call, refusal.code)
            self.provider.note_refused(call, account_id, who, refusal.code)
            return refusal_answer(call, refusal)
        except LostAnswer:
            self.switches.count(account_id, call, "lost before")
            self.provider.note_refused(call, account_id, who, "lost")
            raise
        self.switches.count(account_id, call, "ok" if answer.status < 400 else "error")
        if fault is not None and fault.kind.is_after:
            try:
                strike(fault, call)
            except Refusal as refusal:
                return refusal_answer(call, refusal)
        return answer

    def _check_region(self, call: Call) -> None:
        """A region never opted into does not know the keys; one that was switched off says so."""
        if call.region in self.switches.disabled_regions:
            raise Refusal("OptInRequired", f"You are not subscribed to this service in {call.region}.")
        if call.region in OPT_IN_REGIONS or call.region not in COMMERCIAL_REGIONS:
            if call.service == "ec2":
                raise Refusal("AuthFailure", "AWS was not able to validate the provided access credentials")
            raise Refusal("InvalidClientTokenId", "The security token included in the request is invalid")

    def _check_permission(self, call: Call, caller: Caller) -> None:
        if call.service not in SERVICES:
            raise Refusal("InvalidAction", f"This cloud has no service {call.service}")
        if call.name in ("sts:GetCallerIdentity", "sts:AssumeRole"):  # the first needs none, the second judges itself
            return
        context = {
            "aws:RequestedRegion": call.region,
            "aws:PrincipalAccount": caller.account_id,
            "aws:PrincipalArn": caller.arn,
        }
        for asked in questions(call, caller.account_id):
            verdict = caller.verdict(asked.action, context | dict(asked.context), asked.resource)
            if verdict is not Verdict.ALLOWED:
                raise denial(call, caller, verdict, asked.action, asked.resource)

    def _asked(self, call: Call, caller: Caller) -> Answer:
        if call.is_dry_run:
            raise Refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        if call.service in ("sts", "pricing"):
            raise Refusal("InvalidAction", f"This cloud does not know {call.name}")
        if call.service == "sqs":
            return queue_answer(self.provider, call, caller)
        return self.provider.answer(call, caller)


def strike(fault: Fault, call: Call) -> None:
    """Carry the fault out. Raises Refusal or LostAnswer; returns where only something else was to happen."""
    kind = fault.kind
    if fault.deed is not None:
        fault.deed()
    if kind in (FaultKind.LOSE_BEFORE, FaultKind.LOSE_AFTER, FaultKind.KILL_BEFORE, FaultKind.KILL_AFTER):
        raise LostAnswer
    if kind in (FaultKind.HANG_BEFORE, FaultKind.HANG_AFTER):
        raise LostAnswer(hangs=True)
    if kind in (FaultKind.REFUSE, FaultKind.REFUSE_AFTER):
        raise Refusal(fault.code or throttling_code(call), "Injected by the control page of the local cloud.")


def is_own(environ: dict[str, Any]) -> bool:
    """A proxy's request names another host than the one it is sent to."""
    return environ.get("HTTP_HOST", "") == f"{environ.get('SERVER_NAME')}:{environ.get('SERVER_PORT')}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _break_connection(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Close the socket without a byte: the caller cannot know whether it was done."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    start_response("500 Internal Server Error", [("Content-Length", "0"), ("Connection", "close")])
    return [b""]
