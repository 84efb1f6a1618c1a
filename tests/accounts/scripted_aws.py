"""An AWS that answers what a test tells it to, over real HTTP, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from accounts.aws.client import Access, AwsSession
from accounts.aws.credentials import Grant, RoleCredentials
from accounts.aws.limiter import Limiter

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = "111122223333"


@dataclass
class Clock:
    """A clock that goes only when told to; `sleep` tells it."""

    at: datetime = NOW
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOW).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Account:
    """What the door needs of an account row."""

    organization_id: int = 1
    account_id: str = ACCOUNT
    read_role_arn: str = f"arn:aws:iam::{ACCOUNT}:role/SpotOptimizerRead"
    act_role_arn: str = ""
    external_id: str = "ours-7f3a"


@dataclass
class Request:
    action: str
    params: dict[str, str]
    access_key: str
    host: str


Answer = tuple[int, str]
Responder = Callable[[Request], Answer]


class ScriptedAws:
    """Answers each action with its responder, or with the next of a list of answers, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.responders: dict[str, Responder] = {}
        self.clock = Clock()
        self.assumed = 0
        self.on("AssumeRole", self._assume_role)

    def on(self, action: str, *answers: Answer | Responder) -> None:
        left = list(answers)

        def respond(request: Request) -> Answer:
            answer = left.pop(0) if len(left) > 1 else left[0]
            return answer(request) if callable(answer) else answer

        self.responders[action] = respond

    def asked(self, action: str) -> list[Request]:
        return [request for request in self.requests if request.action == action]

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.action not in self.responders:
            return ec2_error(400, "InvalidAction", f"nobody scripted {request.action}")
        return self.responders[request.action](request)

    def _assume_role(self, request: Request) -> Answer:
        self.assumed += 1
        return assumed(f"key-{self.assumed}", self.clock() + timedelta(seconds=int(request.params["DurationSeconds"])))


@contextmanager
def serving(aws: ScriptedAws) -> Iterator[str]:
    """The address of a server for it on this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            target = self.headers.get("X-Amz-Target")
            params = {"body": body} if target else dict(parse_qsl(body))
            action = target.rpartition(".")[2] if target else params["Action"]
            credential = self.headers.get("Authorization", "").partition("Credential=")[2]
            status, text = aws.answer(Request(action, params, credential.partition("/")[0], credential))
            if status == 0:  # the connection breaks instead
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1" if target else "text/xml")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def a_session(*, limiter: Limiter | None = None, access: Access = Access.READ) -> AwsSession:
    """A session that has its credentials already, for botocore's Stubber."""
    grant = Grant("key", "secret", "token", datetime.now(UTC) + timedelta(hours=1))
    credentials = RoleCredentials(lambda: grant, lambda: datetime.now(UTC))
    return AwsSession(
        account_id=ACCOUNT, region="eu-west-3", access=access, limiter=limiter or Limiter(), credentials=credentials
    )


def assumed(access_key: str, expires_at: datetime) -> Answer:
    return 200, (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>secret-canary</SecretAccessKey>"
        f"<SessionToken>token-canary</SessionToken><Expiration>{expires_at:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )


def identity(account_id: str = ACCOUNT) -> Answer:
    return 200, (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:sts::{account_id}:assumed-role/r/s</Arn><Account>{account_id}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )


def ec2_error(status: int, code: str, message: str = "said AWS") -> Answer:
    return status, (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>request-1</RequestID></Response>"
    )


def query_error(status: int, code: str, message: str = "said AWS") -> Answer:
    """An error of STS or Auto Scaling."""
    return status, (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>request-1</RequestId></ErrorResponse>"
    )


def price_page(rows: list[tuple[str, str]], next_token: str = "") -> Answer:
    """Spot prices of c5.large in euw3-az1: (price, time)."""
    items = "".join(
        "<item><instanceType>c5.large</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{price}</spotPrice><timestamp>{at}</timestamp>"
        "<availabilityZone>eu-west-3a</availabilityZone><availabilityZoneId>euw3-az1</availabilityZoneId></item>"
        for price, at in rows
    )
    return 200, (
        '<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken>{next_token}</nextToken>"
        "</DescribeSpotPriceHistoryResponse>"
    )


def products_page(price_list: list[str], next_token: str = "") -> Answer:
    answer: dict[str, object] = {"FormatVersion": "aws_v1", "PriceList": price_list}
    return 200, json.dumps({**answer, **({"NextToken": next_token} if next_token else {})})
