"""The server that browser tests look at: the one that the demo has, pages and sockets, in a thread."""

from __future__ import annotations

import threading
import time

import uvicorn
from django.test.utils import modify_settings

from spotopt.local import house

PATIENCE = 30  # s


class Served:
    """In place of pytest-django's, which knows no sockets; it is asked the same."""

    def __init__(self) -> None:
        from spotopt.asgi import application

        port = house.free_port()
        self._server = uvicorn.Server(
            uvicorn.Config(
                application, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws_max_size=2**16
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._live_server_modified_settings = modify_settings(ALLOWED_HOSTS={"append": "127.0.0.1"})
        self.url = f"http://127.0.0.1:{port}"

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(PATIENCE)
