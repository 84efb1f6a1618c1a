"""What stands behind the demo: where is its state, which secrets are its own, and which settings follow?"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from spotopt.local import supervise
from spotopt.local.estate import INSTALLATION
from spotopt.local.postgres import CannotStart
from spotopt.local.services import Services
from spotopt.local.supervise import Child

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = ("alice", "bob", "charlie", "admin")
CLOUD_PATIENCE = 60  # s; it loads moto and every price series
# of uvicorn, as in production (docs/live.md): frames of 64 KiB, and no copy squeezed for each of a thousand readers
LIVE_OPTIONS = ("--no-access-log", "--ws-max-size", "65536", "--ws-per-message-deflate", "false")
ADVISOR_PATH = "spot-advisor-data.json"  # of the public file, as the local cloud serves it


def state_dir() -> Path:
    """SPOTOPT_STATE, else `.local` in the checkout."""
    return Path(os.environ.get("SPOTOPT_STATE") or ROOT / ".local").absolute()


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once for each state directory; nobody else's demo has the same."""

    secret_key: str
    passwords: dict[str, str]

    @property
    def audit_key(self) -> str:
        """Of the same secret, so that a state made before there were seals keeps its people's passwords."""
        return hmac.digest(self.secret_key.encode(), b"audit seals", "sha256").hex()


def own_secrets(state: Path) -> Secrets:
    """The secrets of this state, made on first use in a file that only its owner can read."""
    kept = state / "credentials.json"
    if not kept.exists():
        made = {
            "secret_key": secrets.token_urlsafe(50),
            "passwords": {who: secrets.token_urlsafe(12) for who in PEOPLE},
        }
        fresh = kept.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made, file, indent=1)
        fresh.replace(kept)
    return Secrets(**json.loads(kept.read_text()))


def settings(services: Services, cloud_url: str, own: Secrets) -> dict[str, str]:
    """The environment of every process of the product: whoever runs the demo lends nothing of their own cloud."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "spotopt.settings",
        "PYTHONUNBUFFERED": "1",
        "SECRET_KEY": own.secret_key,
        "AUDIT_KEY": own.audit_key,
        "DEBUG": "false",
        "HTTPS": "false",  # 127.0.0.1 has no certificate
        "SECOND_FACTOR": "optional",  # user and password alone, on a machine of one's own
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "LOG_FORMAT": os.environ.get("LOG_FORMAT", "console"),
        **services.environment(),
        "AWS_ENDPOINT_URL": cloud_url,
        "AWS_ACCESS_KEY_ID": INSTALLATION.access_key,
        "AWS_SECRET_ACCESS_KEY": INSTALLATION.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "INSTALLATION_ACCOUNT_ID": INSTALLATION.account_id,
        "SPOTOPT_EGRESS_PROXY": cloud_url,  # the machines' own pages answer there
        "SPOT_ADVISOR_URL": f"{cloud_url}/{ADVISOR_PATH}",
    }


def as_owner(environment: dict[str, str]) -> dict[str, str]:
    """The same settings for who may change tables."""
    return environment | {"DATABASE_URL": environment["DATABASE_OWNER_URL"]}


@dataclass(frozen=True, slots=True)
class Cloud:
    """The local cloud's process, which takes seconds to load its prices, and the address it will have."""

    child: Child
    port: int
    record: Path
    already_said: int  # bytes of its log that are of an earlier start

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.child.stop()

    def wait(self) -> None:
        """Until it says that it is ready. Raises CannotStart with its last words when it ends instead."""
        deadline = time.monotonic() + CLOUD_PATIENCE
        while self.child.is_running and time.monotonic() < deadline:
            with self.child.log.open(errors="replace") as lines:
                lines.seek(self.already_said)
                is_ready = any(line.startswith("ready ") for line in lines)
            if is_ready:
                self.record.write_text(json.dumps({"port": self.port}))
                return
            time.sleep(0.05)
        self.stop()
        raise CannotStart(f"The local cloud did not start: {self.child.last_words()} (all of it: {self.child.log})")


def start_cloud(state: Path) -> Cloud:
    """The local cloud in a process of its own, on the port it had before where that is free; `wait` for it."""
    record = state / "cloud.json"
    port = json.loads(record.read_text())["port"] if record.exists() else 0
    port = port if port and is_free(port) else free_port()
    log = state / "logs" / "cloud.log"
    already_said = log.stat().st_size if log.exists() else 0
    where = ["--port", str(port), "--state", os.fspath(state / "cloud")]
    command = [supervise.python(), "-m", "spotopt.local.cloud", *where]
    return Cloud(supervise.start("local cloud", command, log=log, cwd=ROOT), port, record, already_said)


def running_cloud(state: Path) -> str | None:
    """The address of the cloud that a running demo has, or None."""
    record = state / "cloud.json"
    if not record.exists():
        return None
    port = json.loads(record.read_text())["port"]
    return None if is_free(port) else f"http://127.0.0.1:{port}"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
