"""How is every AWS client of ours made, so that no adapter can forget limits, timeouts or retries?"""

from __future__ import annotations

import logging
import threading
from enum import StrEnum
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.loaders import Loader

from accounts.aws.credentials import RoleCredentials
from accounts.aws.errors import EXPIRED, THROTTLED
from accounts.aws.limiter import INSTALLATION_SHARE, TENANT_SHARE, Limiter
from accounts.aws.timestamps import parse_timestamp

CONNECT_SECONDS = 3
READ_SECONDS = 20
INSTALLATION = "installation"  # stands where an account id would, for calls with our own identity
SIGNED_WITH, RENEWED = "spotopt_signed_with", "spotopt_renewed"  # our notes in the context of a call


class Access(StrEnum):
    READ = "read"
    ACT = "act"


ATTEMPTS = {Access.READ: 3, Access.ACT: 1}  # a change is repeated by the runner alone, after observing
# Seconds that a change waits for our own limiter: with the two above less than a lease, which is renewed before it
ACT_WAIT_SECONDS = 5.0


class AwsSession:
    """One account in one region with one access level; its clients are made once. Thread-safe."""

    def __init__(
        self,
        *,
        account_id: str,
        region: str,
        access: Access,
        limiter: Limiter,
        credentials: RoleCredentials | None = None,
    ) -> None:
        self.account_id = account_id
        self.region = region
        self.access = access
        self._limiter = limiter
        self._credentials = credentials
        self._core = core_session(credentials)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"AwsSession({self.account_id}, {self.region}, {self.access.value})"

    @property
    def has_identity(self) -> bool:
        """Whether there are credentials at all; the first look may ask the instance's metadata service."""
        return self._core.get_credentials() is not None

    def client(self, service: str, region: str = "") -> Any:
        """The client of a service, in the session's region unless the service lives elsewhere (the Price List)."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make_client(*key)
            return self._clients[key]

    def _make_client(self, service: str, region: str) -> Any:
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS[self.access]},
        )
        client = self._core.create_client(service, region_name=region, config=config)
        self._watch(client, region)
        return client

    def _watch(self, client: Any, region: str) -> None:
        """Count each attempt of each call, botocore's retries too, and renew credentials that AWS calls expired."""
        service = client.meta.service_model.service_id.hyphenize()
        share = INSTALLATION_SHARE if self.account_id == INSTALLATION else TENANT_SHARE

        def wait_for_turn(request: Any, operation_name: str, **_: Any) -> None:
            longest = ACT_WAIT_SECONDS if self.access is Access.ACT else None
            self._limiter.acquire(self.account_id, region, service, operation_name, share=share, longest_wait=longest)
            if self._credentials is not None:
                request.context[SIGNED_WITH] = self._credentials.get_frozen_credentials().access_key

        def notice_throttling(event_name: str, parsed_response: Any, **_: Any) -> None:
            if _error_code(parsed_response) in THROTTLED:
                operation = event_name.rpartition(".")[2]
                self._limiter.slow_down(self.account_id, region, service, operation, share=share)

        def renew_and_repeat(response: Any, request_dict: Any, **_: Any) -> float | None:
            context = request_dict["context"]
            if self._credentials is None or response is None or context.get(RENEWED):
                return None
            if _error_code(response[1]) not in EXPIRED:
                return None
            context[RENEWED] = True
            self._credentials.renew_expired(context[SIGNED_WITH])
            return 0.0

        events = client.meta.events
        # Before signing, which is registered for the same event: a signature must not age while we wait.
        events.register_first(f"request-created.{service}", wait_for_turn)
        events.register(f"response-received.{service}", notice_throttling)
        if self.access is Access.READ:
            events.register_first(f"needs-retry.{service}", renew_and_repeat)


class FixedProvider:
    """Stands where botocore looks credentials up, so that a role never falls back to the installation's own."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Credentials:
        return self._credentials


def core_session(credentials: Credentials | None = None) -> botocore.session.Session:
    """A botocore session that shares the service descriptions with all others. No credentials: the default chain."""
    _keep_secrets_out_of_the_log()
    core = botocore.session.Session()
    core.register_component("data_loader", _shared_loader())
    core.set_config_variable("sts_regional_endpoints", "regional")
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_timestamp)
    if credentials is not None:
        core.register_component("credential_provider", FixedProvider(credentials))
    return core


@cache
def _shared_loader() -> Loader:
    """EC2's description alone takes 0.3 s to read; a loader keeps what it has read."""
    return botocore.session.Session().get_component("data_loader")


def _keep_secrets_out_of_the_log() -> None:
    """At DEBUG botocore writes request bodies and answers: the ExternalId and session tokens are among them."""
    logger = logging.getLogger("botocore")
    if logger.getEffectiveLevel() < logging.INFO:
        logger.setLevel(logging.INFO)


def _error_code(parsed_response: Any) -> str:
    return str(((parsed_response or {}).get("Error") or {}).get("Code", ""))
