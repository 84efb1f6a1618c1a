"""The local cloud for tests, in two ways; both have the same backends, estate, faults and control verbs.

`local_cloud`: a process of its own on a free port, on a clock that runs. For tests of the wire, and of real processes.

`inner_cloud`: in this process, on a clock that stands still until `advance`; no sockets, no sleeps, about 3 ms a call.
    inner_cloud.root(NORTHWIND, "ec2")      a client with the customer's keys; `assumed`, `installation` likewise.
                                            The product's own sessions reach it too: its endpoint and the installation's
                                            keys are in the environment while the fixture lives
    inner_cloud.advance(120)                time passes, each thing that is due at its own moment
    inner_cloud.control("interrupt", instance_id=…)     any verb of `./run cloud` (spotopt/local/control_verbs.py)
    inner_cloud.fault("RunInstances", "lose-after")     kinds: refuse, lose, hang, do, each also "…-after" the effect
                                            (FaultKind); `skip` calls pass first, `count` are hit, `code` is the
                                            refusal, `deed` is what happens instead or besides
    inner_cloud.census()                    what is in the cloud now, as plain values (spotopt/local/census.py)
    inner_cloud.watch(judge)                judge(change or None, census) after each changing call, refused and lost
                                            ones too, and after what happened by itself
    inner_cloud.changes                     every changing call: who, session name, call, parameters, outcome, effect
    inner_cloud.restart()                   the process ends and starts again: all it knows, it knows from its journal
    inner_cloud.get("http://10.20.0.7/healthz")   status as the egress proxy answers it
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from spotopt.local.control import tell
from spotopt.local.estate import ACCOUNTS, INSTALLATION, Account, deploy_role

if TYPE_CHECKING:
    from tests.fakes.inner_cloud import InnerCloud

ROOT = Path(__file__).parents[2]
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)


class Doors(ABC):
    """How callers get in. `reset()` brings the seeded estate back: no roles, no faults, no counts."""

    endpoint: str

    @abstractmethod
    def control(self, verb: str, **words: Any) -> dict[str, Any]:
        """A verb of the control command; what is asked for, or the status after it was done."""

    def reset(self) -> None:
        self.control("reset")

    def advance(self, seconds: float) -> None:
        self.control("advance", seconds=seconds)

    def calls(self, name: str = "") -> int:
        """How many calls were seen since the last reset, of one kind (`ec2:DescribeInstances`) or of all."""
        seen = self.control("calls")["calls"]
        return sum(row["count"] for row in seen if row["call"] == name or not name)

    def mutating_calls(self) -> int:
        return int(self.control("calls")["mutating"])

    def deploy_role(self, account: Account, external_id: str, *actions: str, trust_external_id: bool = True) -> str:
        return deploy_role(self.endpoint, account, external_id, actions, trust_external_id=trust_external_id)

    def deploy_policy(self, account: Account, external_id: str, *statements: dict[str, Any]) -> str:
        """A role with exactly these statements."""
        return deploy_role(self.endpoint, account, external_id, [], statements=statements)

    def installation(self, service: str, region: str = "us-east-1") -> Any:
        """A client with the installation's own keys."""
        return client(self.endpoint, INSTALLATION.access_key, INSTALLATION.secret_key, None, service, region)

    def root(self, account: Account, service: str, region: str = "eu-west-3") -> Any:
        """A client with the customer's own keys."""
        return client(self.endpoint, account.root_access_key, account.root_secret_key, None, service, region)

    def assumed(self, role_arn: str, external_id: str, service: str, region: str = "eu-west-3", **more: Any) -> Any:
        """A client with the role's session; `more` goes into AssumeRole (Policy, DurationSeconds)."""
        sts = self.installation("sts", region)
        answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="test", ExternalId=external_id, **more)
        keys = answer["Credentials"]
        return client(
            self.endpoint, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], service, region
        )


@dataclass(frozen=True)
class LocalCloud(Doors):
    """A running local cloud."""

    endpoint: str
    state: Path
    process: subprocess.Popen[str]

    def control(self, verb: str, **words: Any) -> dict[str, Any]:
        """A verb of the control command, e.g. `control("throttle", action="DescribeInstances", count=2)`."""
        return tell(self.endpoint, verb, **words)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@cache
def session() -> boto3.Session:
    """Shared, so that the service descriptions are read once."""
    return boto3.Session("unused", "unused")


@lru_cache(maxsize=64)
def client(endpoint: str, key: str, secret: str, token: str | None, service: str, region: str) -> Any:
    return session().client(  # type: ignore[call-overload]
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=ONE_ATTEMPT,
    )


def start_cloud(state: Path, *arguments: str) -> LocalCloud:
    """Start it and wait until it is ready. Raises RuntimeError with what it said when it did not come up."""
    command = [sys.executable, "-m", "spotopt.local.cloud", "--port", "0", "--state", str(state), *arguments]
    environment = os.environ | {"SPOTOPT_PARENT_PID": str(os.getpid())}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready "):
        process.kill()
        raise RuntimeError(f"the local cloud did not start: {line!r}, exit code {process.wait()}")
    return LocalCloud(line.split()[1], state, process)


@pytest.fixture(scope="session")
def cloud_process() -> Iterator[LocalCloud]:
    """One cloud for the whole test process; with xdist each worker has its own."""
    with tempfile.TemporaryDirectory(prefix="spotopt-cloud-") as state:
        running = start_cloud(Path(state))
        yield running
        running.stop()


@pytest.fixture
def local_cloud(cloud_process: LocalCloud) -> LocalCloud:
    """The cloud as the seed made it."""
    cloud_process.reset()
    return cloud_process


@pytest.fixture(scope="session")
def one_inner_cloud() -> Iterator[InnerCloud]:
    from tests.fakes.inner_cloud import running  # brings moto, which most tests do not need

    with running() as cloud:
        yield cloud


@pytest.fixture
def inner_cloud(one_inner_cloud: InnerCloud, monkeypatch: pytest.MonkeyPatch) -> InnerCloud:
    """The cloud as the seed made it, at the moment the session began."""
    one_inner_cloud.reset()
    for name, value in one_inner_cloud.environment().items():
        monkeypatch.setenv(name, value)
    return one_inner_cloud


NORTHWIND, NORTHWIND_LAB, CONTOSO = ACCOUNTS
