"""The local cloud as a process: `python -m spotopt.local.cloud --port P --state DIR [--seed 7] [--now ISO]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from spotopt.local.clock import Clock
from spotopt.local.control_page import ControlPage
from spotopt.local.estate import identities
from spotopt.local.faults import Switches
from spotopt.local.front import Front
from spotopt.local.identity import Identities
from spotopt.local.provider import Provider

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server  # isort: skip

LOOPBACK = "127.0.0.1"


class Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # header and body are two writes: without this each answer waits 40 ms for an ACK

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """One line a call helps nobody: the control page counts them."""


def front(state: Path, seed: int, clock: Clock) -> Front:
    """The whole cloud as one WSGI application; its memory is in `state`."""
    state.mkdir(parents=True, exist_ok=True)
    switches = Switches()
    provider = Provider(state, seed, clock, switches)
    known = Identities(identities(), clock, seal=f"spotopt-local-cloud-{seed}")
    return Front(provider, known, switches, ControlPage(provider, known, switches))


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m spotopt.local.cloud", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--now", type=_instant, default=None, help="start the clock here instead of now")
    return parser.parse_args()


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def follow_parent() -> None:
    """End with the process that started us (SPOTOPT_PARENT_PID), however it ended."""
    wanted = os.environ.get("SPOTOPT_PARENT_PID")
    if wanted is None:
        return

    first = os.getppid()  # not always the one wanted: a shell may stand between

    def watch() -> None:
        while os.getppid() == first and _is_alive(int(wanted)):
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> int:
    chosen = options()
    follow_parent()
    server = listen(chosen.port)
    application = front(chosen.state, chosen.seed, Clock(chosen.now))
    server.app = application
    signal.signal(signal.SIGTERM, _stop)
    print(f"ready http://{LOOPBACK}:{server.port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0


def listen(port: int) -> BaseWSGIServer:
    """Take the port before the slow start; werkzeug says in words that it is in use, and exits with 1."""
    return make_server(LOOPBACK, port, _starting, threaded=True, request_handler=Handler)


def _starting(environ: object, start_response: object) -> list[bytes]:
    return []


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)  # nothing to save: the journal is written with each change


if __name__ == "__main__":
    sys.exit(main())
