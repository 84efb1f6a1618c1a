"""Which database and Redis do the tests use? Loaded with `-p`, for settings read the environment before any conftest.

One PostgreSQL and one Redis for a whole run, started beside the collection; each worker has a database and four Redis
databases of its own in them.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from spotopt.local import services, supervise
from spotopt.local.services import Services
from spotopt.local.supervise import Child

ROOT = Path(__file__).resolve().parents[1]
STATE = "SPOTOPT_TEST_STATE"  # how workers and nested runs learn of the services that the first process started
PATIENCE = 60  # s
keeper: Child | None = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Before pytest-django reads the settings, which must find a whole environment."""
    global keeper
    wanted = early_config.known_args_namespace
    if not (wanted.help or wanted.version):
        if STATE not in os.environ:
            os.environ[STATE] = os.fspath(_a_short_directory())
            command = [sys.executable, "-m", "spotopt.local.services", os.environ[STATE]]
            keeper = supervise.start("test services", command, log=state_dir() / "logs" / "keeper.log", cwd=ROOT)
        os.environ.update(environment())
    return (yield)


TOGETHER = {"tests/flows/": "demo", "tests/spotopt/test_services.py": "services"}


class WholeDemosOnOneWorker(LoadScopeScheduling):
    """Each test for itself, but those that need the running demo together, so that one demo serves them all.

    (xdist 3.8's own `loadgroup` finds no groups under pytest 9.2: the item's id no longer takes its suffix.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((group for place, group in TOGETHER.items() if nodeid.startswith(place)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return WholeDemosOnOneWorker(config, log) if config.getvalue("dist") == "load" else None


def pytest_unconfigure() -> None:
    if keeper:
        keeper.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Rules need no services; whatever else is tested finds them ready."""
    if any("domain" not in item.path.parts for item in session.items):
        wait_until_ready()


def worker() -> str:
    """gw0, gw1 …; gw0 also when the run has one process."""
    return os.environ.get("PYTEST_XDIST_WORKER", "gw0")


def database() -> str:
    return f"test_{worker()}"


def redis_databases() -> tuple[int, int, int]:
    """This worker's broker, what wakes its live pages, and its cache, of the four it may use."""
    first = 4 * int(re.sub(r"\D", "", worker()))
    return first, first + 1, first + 2


def state_dir() -> Path:
    return Path(os.environ[STATE])


def running() -> Services:
    """The services of this run by their addresses, ready or not."""
    return Services(state_dir() / "sockets")


def environment() -> dict[str, str]:
    """What settings need, and nothing of the developer's own cloud."""
    found = running()
    broker, live, cache = redis_databases()
    return {
        "DJANGO_SETTINGS_MODULE": "spotopt.settings",
        "SECRET_KEY": "for-tests-only-" + "x" * 40,
        "AUDIT_KEY": "for-tests-only-" + "a" * 40,
        "DEBUG": "false",
        "HTTPS": "false",
        "SECOND_FACTOR": "optional",  # or every story would begin with a code; test_second_factor.py requires it
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "DATABASE_URL": found.database_url("app", database()),
        "REDIS_BROKER_URL": found.broker_url(broker),
        "REDIS_CACHE_URL": found.cache_url(cache),
        "REDIS_LIVE_URL": found.live_url(live),
        "LOG_FORMAT": "console",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def wait_until_ready() -> None:
    """Until both services answer. Fails the run with their own words when they cannot start."""
    deadline = time.monotonic() + PATIENCE
    while not (state_dir() / "services.json").exists():
        failed = state_dir() / "failed"
        if failed.exists() or time.monotonic() > deadline:
            reason = failed.read_text() if failed.exists() else f"no answer within {PATIENCE} s, see {state_dir()}/logs"
            pytest.exit(f"The test services did not start: {reason}", returncode=3)
        time.sleep(0.02)


def _a_short_directory() -> Path:
    """A directory whose sockets have short, plain names and which PostgreSQL's user may enter."""
    place = Path(tempfile.gettempdir())
    is_fit = len(os.fsencode(place)) < 50 and services.PLAIN_PATH.fullmatch(os.fspath(place))
    made = Path(tempfile.mkdtemp(prefix="spotopt-test-", dir=place if is_fit else "/tmp")).resolve()
    made.chmod(0o711)
    return made
