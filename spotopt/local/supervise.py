"""How is a child process started so that it never outlives us, and how is it stopped?"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class User:
    """Whom a child runs as, when not as we do."""

    uid: int
    gid: int

    def identity(self) -> dict[str, Any]:
        """What subprocess must be told, so that the child keeps none of our groups either."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, slots=True)
class Child:
    """A running process, its log, and the signal by which it stops cleanly."""

    name: str
    process: subprocess.Popen[bytes] = field(repr=False)
    log: Path
    stops_on: signal.Signals

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self, *, within: float = 10) -> None:
        """Ask it to stop, wait `within` seconds, then kill it with everything it started. Harmless when it is gone."""
        if self.is_running:
            self.process.send_signal(self.stops_on)
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def last_words(self, lines: int = 5) -> str:
        """The end of its log, on one line."""
        written = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return " | ".join(line.strip() for line in written[-lines:] if line.strip())


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: User | None = None,
    stops_on: signal.Signals = signal.SIGTERM,
    on_orphaned: signal.Signals | None = None,
) -> Child:
    """Start `command` with its output appended to `log`; when we die, however we die, it gets `on_orphaned` (or
    `stops_on`). Call it from the main thread: the kernel means the *thread* that forked when it says parent.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [os.fspath(word) for word in command]
    orphaned = on_orphaned or stops_on
    is_linux = sys.platform == "linux"
    if not is_linux:
        words = [sys.executable, __file__, str(os.getpid()), str(int(orphaned)), *words]
    with log.open("ab") as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd or "/",
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop the children in order
            preexec_fn=_die_with_parent(orphaned) if is_linux else None,
            **(user.identity() if user else {}),
        )
    return Child(name, process, log, stops_on)


def python() -> str:
    """This Python, for children that are ours."""
    return sys.executable


def _die_with_parent(orphaned: signal.Signals) -> Callable[[], None]:
    """What the forked child does before exec. Runs after setuid, which would clear the death signal."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        for number in (signal.SIGINT, signal.SIGQUIT):  # a shell ignores them for what it starts in the background
            signal.signal(number, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, int(orphaned), 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return ask_kernel


def watch(parent: int, orphaned: signal.Signals, command: Sequence[str]) -> int:
    """Run `command` until it ends or process `parent` is no longer ours: what prctl does, for systems without it."""
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    is_told = False
    while child.poll() is None:
        if not is_told and os.getppid() != parent:
            child.send_signal(orphaned)
            is_told = True
        time.sleep(POLL_SECONDS)
    return child.returncode


if __name__ == "__main__":
    sys.exit(watch(int(sys.argv[1]), signal.Signals(int(sys.argv[2])), sys.argv[3:]))
