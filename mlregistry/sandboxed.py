"""The child's side of the sandbox: load what is needed, lock the door, and only then read what a stranger sent.

Not imported by anything: the parent starts it by name (mlregistry/sandbox.py).
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys

from mlregistry.lockdown import CannotLock, Limits, lock

NOT_LOCKED = 3


def main(task: str, limits: str) -> None:
    """Answer `module:function` for the JSON line and the bytes on the standard input, in the same form."""
    module, _, name = task.partition(":")
    answer = getattr(importlib.import_module(module), name)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it: too long an answer is to end the process
    try:
        lock(Limits(**json.loads(limits)))
    except (CannotLock, OSError, ValueError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.stderr.flush()
        os._exit(NOT_LOCKED)
    told, content = answer(json.loads(sys.stdin.buffer.readline()), sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + content)
    sys.stdout.buffer.flush()
    os._exit(0)  # no destructor of a library that held foreign data runs
