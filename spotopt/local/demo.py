"""./run demo: how does a fresh machine come to a running product, with a line for each step?"""

from __future__ import annotations

import argparse
import errno
import fcntl
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import django

from spotopt.local import house, services, supervise
from spotopt.local.postgres import CannotStart
from spotopt.local.services import Services
from spotopt.local.supervise import Child

SERVER_PATIENCE = 60  # s
MOST_RESTARTS = 5  # of one child; then it stays down, and was said to be


class Failed(Exception):
    """A step failed; its line has been printed."""


class Progress:
    """A line for each step on stdout, the whole trace of a failure in the log."""

    def __init__(self, log: Path) -> None:
        self._log = log

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step. What the body appends to the list is said beside its `ok`. Raises Failed when it fails."""
        said: list[str] = []
        began = time.monotonic()
        print(f"{name} … ", end="", flush=True)
        try:
            yield said
        except KeyboardInterrupt:
            print("stopped", flush=True)
            raise
        except Exception as error:
            print("FAILED", flush=True)
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a") as log:
                traceback.print_exc(file=log)
            raise Failed(f"{name}: {in_a_sentence(error)} (more in {self._log})") from error
        print(" — ".join([f"ok {time.monotonic() - began:.1f} s", *said]), flush=True)


def in_a_sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def alone(state: Path, address: str) -> Iterator[None]:
    """Hold the state while the demo runs. Raises CannotStart when another demo does, with its address."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "demo.lock").open("a+") as lock:
        _take(lock)
        lock.truncate(0)
        json.dump({"pid": os.getpid(), "address": address}, lock)
        lock.flush()
        yield


def _take(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        other = json.loads(lock.read() or '{"pid": 0, "address": "starting"}')
        raise CannotStart(f"The demo already runs: {other['address']} (process {other['pid']}).") from error


def bring_up(state: Path, is_once: bool, progress: Progress, stack: ExitStack) -> tuple[dict[str, str], list[Child]]:
    """Start the servers, carry out every step of the cycle; the environment of the product and what runs so far."""
    with progress.step("PostgreSQL and Redis"):
        running: Services = stack.enter_context(services.start(state, durable=True))
    cloud = house.start_cloud(state)  # loads its prices while we load Django
    stack.callback(cloud.stop)
    own = house.own_secrets(state)
    environment = house.settings(running, cloud.url, own)
    with progress.step("settings"):
        os.environ.clear()
        os.environ.update(environment, LOG_LEVEL="ERROR")  # the lines on the terminal are ours
        django.setup()
        from spotopt.local import cycle
    with progress.step("local cloud") as said:
        cloud.wait()
        said.append(cloud.url)
    demo = cycle.Demo(state, environment, cloud.url, own, is_once)
    for step in cycle.STEPS:
        with progress.step(step.name) as said:
            said.append(step.act(demo))
    return environment, [*running.children, cloud.child]


def serve(state: Path, environment: dict[str, str], port: int, progress: Progress, stack: ExitStack) -> list[Started]:
    """The product's own processes: server, worker, beat."""
    here = [supervise.python(), "-m"]
    commands = {
        "server": [*here, "uvicorn", "spotopt.asgi:application", "--port", str(port), *house.LIVE_OPTIONS],
        "worker": [*here, "celery", "-A", "spotopt", "worker", "-Q", "act,ingest,decide,scan", "-c", "2", "-l", "INFO"],
        "beat": [*here, "celery", "-A", "spotopt", "beat", "-l", "INFO", "--pidfile="],
    }
    started = []
    for name, command in commands.items():
        process = Started(name, command, state / "logs" / f"{name}.log", environment)
        stack.callback(process.stop)
        started.append(process)
    with progress.step(", ".join(commands)):
        wait_for(f"http://127.0.0.1:{port}/readyz", started[0])
    return started


class Started:
    """A process of the product that is started again when it ends by itself."""

    def __init__(self, name: str, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._start: Callable[[], Child] = lambda: supervise.start(
            name, command, log=log, env=environment, cwd=house.ROOT, on_orphaned=signal.SIGQUIT
        )
        self.child = self._start()
        self._restarts = 0
        self._is_given_up = False

    def stop(self) -> None:
        self.child.stop()

    def look(self) -> str | None:
        """One line when it has ended since the last look; it is started again a few times."""
        if self.child.is_running or self._is_given_up:
            return None
        ended = f"{self.name} ended with code {self.child.process.returncode}: {self.child.last_words(2)}"
        if self._restarts == MOST_RESTARTS:
            self._is_given_up = True
            return f"{ended} — it stays down, see {self.child.log}"
        self._restarts += 1
        self.child = self._start()
        return f"{ended} — started again"


def wait_for(url: str, process: Started) -> None:
    deadline = time.monotonic() + SERVER_PATIENCE
    while not house.answers(url):
        if not process.child.is_running or time.monotonic() > deadline:
            raise CannotStart(f"no answer at {url}: {process.child.last_words()}")
        time.sleep(0.1)


def watch(started: list[Started], beneath: list[Child]) -> None:
    """Until Ctrl-C: say what ended. A service underneath that ends cannot be started again alone."""
    silent: set[str] = set()
    while True:
        for process in started:
            if line := process.look():
                print(line, flush=True)
        for child in beneath:
            if not child.is_running and child.name not in silent:
                silent.add(child.name)
                print(f"{child.name} ended: {child.last_words(2)} — stop with Ctrl-C and start again", flush=True)
        time.sleep(0.5)


def run(arguments: argparse.Namespace) -> int:
    state = house.state_dir()
    address = f"http://127.0.0.1:{arguments.port}"
    if arguments.fresh:
        with alone(state, address):
            pass
        services.erase(state)
    with ExitStack() as stack:
        stack.enter_context(alone(state, address))
        if not arguments.once and not house.is_free(arguments.port):
            raise CannotStart(
                f"Port {arguments.port} is taken by another program: ./run demo --port {house.free_port()}"
            )
        progress = Progress(state / "logs" / "demo.log")
        environment, beneath = bring_up(state, arguments.once, progress, stack)
        if arguments.once:
            from spotopt.local import decisions

            print(decisions.told(state), flush=True)
            return 0
        started = serve(state, environment, arguments.port, progress, stack)
        password = house.own_secrets(state).passwords["alice"]
        second = "No second factor is asked for here; in production owners and staff need one (SECOND_FACTOR)."
        print(f"\n{address}\nuser alice, password {password}\n{second}\nCtrl-C stops everything.", flush=True)
        watch(started, beneath)
    return 0


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="one cycle, its decisions, and the end")
    parser.add_argument("--fresh", action="store_true", help="forget the last state first")
    parser.add_argument("--port", type=int, default=8000, help="of the pages; 8000 unless said")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """0 when it ended as it should, Ctrl-C too; 1 after one sentence that says what did not work."""
    arguments = parse(words)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell ignores it in the background
        signal.signal(number, signal.default_int_handler)
    try:
        return run(arguments)
    except KeyboardInterrupt:
        print("stopped")
        return 0
    except (CannotStart, Failed) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"The demo cannot keep its state: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
