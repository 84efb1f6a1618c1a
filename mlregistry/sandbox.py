"""How are a stranger's bytes read without trusting them? In a child that can compute and nothing else.

The child has an empty environment, no files, no network, no second process, little memory and little time
(mlregistry/lockdown.py); it reads from and writes to memory that we hold, and is killed as a group by our clock.
What it answers is a stranger's word still.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from mlregistry.lockdown import Limits, missing
from mlregistry.sandboxed import NOT_LOCKED

ROOT = Path(__file__).resolve().parent.parent
# one thread: a second one could not be locked in, and none can be started after
QUIET = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
START = (
    f"import sys; sys.path.insert(0, {os.fspath(ROOT)!r}); from mlregistry.sandboxed import main; main(*sys.argv[1:])"
)
MOST_TOLD = 2_000  # characters of the child's own words that go into a log


class SandboxOff(RuntimeError):
    """This system cannot lock a process in, so nothing foreign is read; the message says which lock is missing."""


class SandboxFailed(RuntimeError):
    """The child ended without an answer; the message says how, `told` what it wrote about it."""

    def __init__(self, how: str, told: str = "") -> None:
        self.told = told
        super().__init__(how)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child said, and the bytes that came with it. Neither is to be trusted."""

    told: Mapping[str, Any]
    content: bytes


def off() -> str:
    """Why nothing can be run, in words; empty where it can."""
    return missing()


def run(task: str, told: Mapping[str, Any], content: bytes, *, limits: Limits | None = None) -> Answer:
    """Let `module:function`, which takes and returns (JSON object, bytes), answer in a locked child.

    The function is ours; what it reads is not. Raises SandboxOff, SandboxFailed.
    """
    limits = limits or Limits()
    if reason := off():
        raise SandboxOff(reason)
    with ExitStack() as files:
        given, answered, words = (files.enter_context(_memory(name)) for name in ("given", "answered", "words"))
        given.write(json.dumps(told).encode() + b"\n")
        given.write(content)
        given.seek(0)  # which flushes too
        status = _status_of(task, limits, given, answered, words)
        if status != 0:
            raise _failure(status, _read(words, MOST_TOLD).decode(errors="replace"))
        return _answer(_read(answered, limits.answer_mib * 2**20))


def _status_of(task: str, limits: Limits, given: IO[bytes], answered: IO[bytes], words: IO[bytes]) -> int:
    """How it ended: 0, its own code, or −signal. Raises SandboxFailed when our clock ran out."""
    command = [sys.executable, "-I", "-c", START, task, json.dumps(asdict(limits))]
    child = subprocess.Popen(  # noqa: S603 (our own interpreter, our own words)
        command, stdin=given, stdout=answered, stderr=words, env=QUIET, cwd="/", start_new_session=True
    )
    try:
        return child.wait(timeout=limits.wall_seconds)
    except subprocess.TimeoutExpired:
        raise SandboxFailed(f"it took longer than {limits.wall_seconds:g} s") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _failure(status: int, told: str) -> RuntimeError:
    if status == NOT_LOCKED:
        return SandboxOff(told.strip())
    how = {
        -signal.SIGSYS: "it tried something that reading a file does not need, and was killed",
        -signal.SIGXCPU: "it took too much time",
        -signal.SIGKILL: "it took too much time or memory",
        -signal.SIGXFSZ: "its answer was too long",
    }
    is_short_of_memory = "MemoryError" in told or "bad_alloc" in told
    return SandboxFailed("it took too much memory" if is_short_of_memory else how.get(status, "it crashed"), told)


def _answer(written: bytes) -> Answer:
    head, _, content = written.partition(b"\n")
    try:
        told = json.loads(head)
    except ValueError:
        raise SandboxFailed("its answer cannot be read") from None
    if not isinstance(told, dict):
        raise SandboxFailed("its answer cannot be read")
    return Answer(told, content)


def _memory(name: str) -> IO[bytes]:
    """A file without a name that only we and the child hold."""
    return os.fdopen(os.memfd_create(name), "w+b")


def _read(file: IO[bytes], most: int) -> bytes:
    return os.pread(file.fileno(), most, 0)
