"""The local cloud inside the test's own process: see tests/fakes/cloud.py for how it is used."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from werkzeug.test import EnvironBuilder

from spotopt.local import census
from spotopt.local.census import Census
from spotopt.local.clock import Clock
from spotopt.local.cloud import front
from spotopt.local.estate import INSTALLATION
from spotopt.local.faults import Fault, FaultKind
from spotopt.local.front import LostAnswer
from spotopt.local.health_pages import health_page
from spotopt.local.ledger import Change
from tests.fakes.cloud import Doors

ENDPOINT = "http://inner.cloud"


class InnerCloud(Doors):
    """One for each process: moto's backends are global."""

    def __init__(self, state: Path, seed: int = 7) -> None:
        self.endpoint = ENDPOINT
        self._state, self._seed = state, seed
        self._open(Clock(is_still=True))

    def _open(self, clock: Clock) -> None:
        self.clock = clock
        self._front = front(self._state, self._seed, clock)
        self._provider = self._front.provider
        self._control = self._front.control

    def reset(self) -> None:
        self._provider.ledger.watchers.clear()
        self.clock.restart()
        self.control("reset")

    def restart(self) -> None:
        """As if the cloud's process had been ended and started again: what it knows, it knows from its journal."""
        at = self.clock.now()
        self._open(Clock(self.clock.first, is_still=True))
        self._provider.advance(max((at - self.clock.now()).total_seconds(), 0))

    def control(self, verb: str, **words: Any) -> dict[str, Any]:
        """Raises ValueError in the control page's own words."""
        return self._control.tell(verb, words)

    def advance(self, seconds: float) -> None:
        self._provider.advance(seconds)

    def fault(
        self,
        action: str,
        kind: FaultKind | str,
        *,
        skip: int = 0,
        count: int = 1,
        code: str = "",
        deed: Callable[[], None] | None = None,
    ) -> Fault:
        """Its `left` tells later whether it struck."""
        fault = Fault(FaultKind(kind), action, count, code, skip, deed)
        self._front.switches.add(fault)
        return fault

    def census(self) -> Census:
        self._provider.let_time_pass()
        return census.take()

    def watch(self, judge: Callable[[Change | None, Census], None]) -> None:
        self._provider.ledger.watchers.append(judge)

    @property
    def changes(self) -> list[Change]:
        return self._provider.ledger.changes

    def get(self, url: str) -> int:
        return health_page(self._provider, url).status

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": INSTALLATION.access_key,
            "AWS_SECRET_ACCESS_KEY": INSTALLATION.secret_key,
        }

    def send(self, request: Any) -> AWSResponse:
        """botocore's transport: the signed request goes to the front door without a socket."""
        parts = urlsplit(request.url)
        body = request.body or b""
        builder = EnvironBuilder(
            method=request.method,
            path=parts.path or "/",
            query_string=parts.query,
            headers=[(name, _text(value)) for name, value in request.headers.items()],
            data=body.encode() if isinstance(body, str) else body,
        )
        try:
            answer = self._front.answer(builder.get_environ(), bytes(builder.get_environ()["wsgi.input"].read()))
        except LostAnswer as lost:
            if lost.hangs:
                raise ReadTimeoutError(endpoint_url=request.url) from lost
            raise ConnectionClosedError(endpoint_url=request.url, request=request) from lost
        headers: Any = {"Content-Type": answer.content_type, **dict(answer.headers)}
        return AWSResponse(request.url, answer.status, headers, Body(answer.body))


class Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def running() -> Iterator[InnerCloud]:
    """Its transport stands in for botocore's where the address is its own; everything else goes the usual way."""
    with tempfile.TemporaryDirectory(prefix="spotopt-inner-") as state, pytest.MonkeyPatch.context() as patch:
        cloud = InnerCloud(Path(state))
        usual = URLLib3Session.send

        def send(self: URLLib3Session, request: Any) -> Any:
            return cloud.send(request) if request.url.startswith(ENDPOINT) else usual(self, request)

        patch.setattr(URLLib3Session, "send", send)
        yield cloud
