"""What does a request say, and how does AWS word an answer to it?"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.sax.saxutils import escape

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
READ_PREFIXES = ("Describe", "Get", "List", "Search", "Simulate", "AssumeRole", "Decode", "Estimate", "Head")
IAM_PREFIX = {"monitoring": "cloudwatch"}  # where IAM's word for a service is not the one it is signed with
STATUS_OF_CODE = {
    "UnauthorizedOperation": 403,
    "AccessDenied": 403,
    "AuthFailure": 401,
    "OptInRequired": 401,
    "InvalidClientTokenId": 403,
    "ExpiredToken": 403,
    "SignatureDoesNotMatch": 403,
    "MissingAuthenticationToken": 403,
    "RequestLimitExceeded": 503,
    "Unavailable": 503,
    "ServiceUnavailable": 503,
    "InternalError": 500,
    "InternalFailure": 500,
    "InsufficientInstanceCapacity": 500,
    "InsufficientHostCapacity": 500,
    "DryRunOperation": 412,
    "NoSuchEntity": 404,
}


class Refusal(Exception):
    """AWS says no; carries AWS's own code and words."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status if status is not None else STATUS_OF_CODE.get(code, 400)


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS API call as it came in. `params` are the flat query parameters, or the JSON members."""

    service: str
    region: str
    action: str
    access_key: str
    session_token: str
    method: str
    content_type: str
    target: str
    body: bytes
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As IAM and CloudTrail say it: `ec2:DescribeInstances`."""
        return f"{IAM_PREFIX.get(self.service, self.service)}:{self.action}"

    @property
    def is_read(self) -> bool:
        return self.action.startswith(READ_PREFIXES)

    @property
    def is_change(self) -> bool:
        """May it change something of a customer's? Taking a message from a queue of ours does not."""
        return not self.is_read and self.service not in ("sqs", "sts", "pricing") and not self.is_dry_run

    @property
    def is_dry_run(self) -> bool:
        return self.service == "ec2" and str(self.params.get("DryRun", "")).lower() == "true"

    def members(self, name: str) -> list[str]:
        """The values of a list parameter, EC2's `Name.1` and the query protocol's `Name.member.1` alike."""
        pattern = re.compile(rf"{re.escape(name)}\.(?:member\.)?(\d+)$")
        found = [(int(match[1]), str(value)) for key, value in self.params.items() if (match := pattern.match(key))]
        return [value for _, value in sorted(found)]

    def filters(self) -> dict[str, list[str]]:
        """EC2's `Filter.n.Name` and `Filter.n.Value.m`."""
        names = {key.split(".")[1]: str(value) for key, value in self.params.items() if _is_filter_name(key)}
        return {name: self.members(f"Filter.{number}.Value") for number, name in names.items()}


def _is_filter_name(key: str) -> bool:
    return key.startswith("Filter.") and key.endswith(".Name")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "text/xml;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()


def read_body(environ: dict[str, Any]) -> bytes:
    """The whole body; the environment can be read again afterwards."""
    body = bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def parse_call(environ: dict[str, Any], body: bytes) -> Call:
    """Refuses what carries no signature, as every API used here does."""
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not authorization and "X-Amz-Credential" in query:
        authorization = f"Credential={query['X-Amz-Credential']}"
    match = CREDENTIAL.search(authorization)
    if match is None:
        raise Refusal("MissingAuthenticationToken", "Request is missing Authentication Token")
    content_type = environ.get("CONTENT_TYPE", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    params = parameters(body, content_type, query)
    return Call(
        service=match[3],
        region=match[2],
        action=target.rpartition(".")[2] if target else str(params.get("Action", "")),
        access_key=match[1],
        session_token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "") or query.get("X-Amz-Security-Token", ""),
        method=environ.get("REQUEST_METHOD", "POST"),
        content_type=content_type,
        target=target,
        body=body,
        params=params,
    )


def parameters(body: bytes, content_type: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    if "json" in content_type:
        try:
            return dict(json.loads(body or b"{}"))
        except ValueError as error:
            raise Refusal("SerializationException", "could not be parsed as JSON") from error
    return dict(query or {}) | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def refusal_answer(call: Call | None, refusal: Refusal) -> Answer:
    """The error in the words of the service's protocol (ec2, query or json)."""
    request_id = str(uuid4())
    code, message = escape(refusal.code), escape(refusal.message)
    if call is not None and "json" in call.content_type:
        text = json.dumps({"__type": refusal.code, "message": refusal.message})
        headers = (("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", refusal.code))
        return Answer(refusal.status, text.encode(), "application/x-amz-json-1.1", headers)
    if call is not None and call.service == "ec2":
        xml = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    else:
        side = "Receiver" if refusal.status >= 500 else "Sender"
        xml = (
            f"<ErrorResponse><Error><Type>{side}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Answer(refusal.status, f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode(), headers=())


def query_result(action: str, namespace: str, inner: str) -> Answer:
    """An answer in the query protocol; `inner` is XML already."""
    xml = (
        f'<{action}Response xmlns="{namespace}"><{action}Result>{inner}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Answer(200, xml.encode())


def elements(pairs: Iterable[tuple[str, object]]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in pairs)
