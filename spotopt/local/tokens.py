"""Was this request made before? EC2 guide, "Ensuring idempotency in Amazon EC2 API requests"."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.ec2.exceptions import EC2ClientError

LONGEST = 64  # ASCII characters


@dataclass(frozen=True, slots=True)
class Kept:
    fingerprint: str
    result: Any


class Tokens:
    """The client tokens that one account used in one region. A request that failed leaves none."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Kept] = {}

    def once(self, action: str, params: Mapping[str, Any], make: Callable[[], Any]) -> Any:
        """What `make` returned for this token the first time; refuses the token with other parameters."""
        token = params.get("ClientToken")
        if not token:
            return make()
        if len(token) > LONGEST or not token.isascii():
            raise EC2ClientError(
                "InvalidParameterValue", f"Client token is too long: at most {LONGEST} ASCII characters are allowed"
            )
        fingerprint = fingerprint_of(params)
        kept = self._kept.get((action, token))
        if kept is None:
            kept = self._kept[(action, token)] = Kept(fingerprint, make())
        elif kept.fingerprint != fingerprint:
            raise EC2ClientError(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )
        return kept.result


def fingerprint_of(params: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in params.items() if name not in ("ClientToken", "DryRun")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
