"""How is the cluster spoken to? HTTP on 127.0.0.1: addresses, who may do what, watches, and an overload on demand."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from spotopt.local.kube import controllers, leaving, status
from spotopt.local.kube.status import Json, Refused
from spotopt.local.kube.store import KINDS, Store, same_uid

ADDRESS = re.compile(
    r"/(?:api/v1|apis/(?P<group>[a-z.0-9]+)/v1)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}
# what is enough to cordon and drain, tried with a real server
DRAINER = frozenset(
    {("nodes", verb) for verb in ("get", "list", "watch", "patch")}
    | {("pods", verb) for verb in ("get", "list", "watch")}
    | {("pods/eviction", "create")}
    | {("poddisruptionbudgets", verb) for verb in ("get", "list", "watch")}
)


@dataclass(frozen=True, slots=True)
class User:
    """`rights` are (resource, verb); None = all of them."""

    name: str
    rights: frozenset[tuple[str, str]] | None = None


@dataclass
class Cluster:
    """A cluster and its switches: who holds which token, whether controllers work, how many calls are overload."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    users: dict[str, User] = field(default_factory=dict)
    has_controllers: bool = True
    overloaded_calls: int = 0
    calls: list[tuple[str, str, Json | None]] = field(default_factory=list)  # method, path with query, body
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.clock)

    def answer(
        self, method: str, target: str, body: Json | None = None, token: str | None = None
    ) -> tuple[int, Json | str | Iterator[Json], dict[str, str]]:
        """Code, body (an iterator for a watch) and headers of one request."""
        self.calls.append((method, target, body))
        try:
            return self._answered(method, target, body or {}, token)
        except Refused as no:
            headers = {"Retry-After": str(no.retry_after)} if no.retry_after else {}
            return no.code, no.body, headers

    def _answered(
        self, method: str, target: str, body: Json, token: str | None
    ) -> tuple[int, Json | str | Iterator[Json], dict[str, str]]:
        if self.overloaded_calls:
            self.overloaded_calls -= 1
            raise status.overloaded()
        parts = urlsplit(target)
        found, query = ADDRESS.fullmatch(parts.path), dict(parse_qsl(parts.query))
        if found is None or found["resource"] not in KINDS:
            raise status.refused(404, "NotFound", "the server could not find the requested resource", {})
        namespace, resource, name, sub = found["namespace"] or "", found["resource"], found["name"], found["sub"]
        is_watch = str(query.get("watch")).lower() == "true"
        verb = VERBS.get(method) or ("watch" if is_watch else "get" if name else "list")
        self._allow(token, verb, f"{resource}/{sub}" if sub else resource, found["group"] or "", namespace, name)
        if self.has_controllers:
            controllers.settle(self.store)
        if verb == "watch":
            return 200, self.store.watch(resource, namespace, query, float(query.get("timeoutSeconds", 60))), {}
        if verb == "list":
            return 200, self.store.list(resource, namespace, query), {}
        return (*self._one(verb, resource, namespace, name, sub, body, query), {})

    def _one(
        self, verb: str, resource: str, namespace: str, name: str | None, sub: str | None, body: Json, query: Json
    ) -> tuple[int, Json]:
        dry, store = query.get("dryRun") == "All", self.store
        if verb == "create" and sub == "eviction":
            return 201, leaving.evict(store, namespace, str(name), body, dry=dry)
        if verb == "create":
            return 201, store.create(resource, namespace, _born(resource, body))
        if verb == "get":
            return 200, store.get(resource, namespace, str(name))
        if verb == "patch":
            return 200, store.patch(resource, namespace, str(name), body, only=sub or "")
        if verb != "delete":
            raise status.refused(405, "MethodNotAllowed", "the server does not allow this method here", {})
        options = {
            **body,
            **({"gracePeriodSeconds": query["gracePeriodSeconds"]} if "gracePeriodSeconds" in query else {}),
        }
        if resource == "pods":
            return 200, leaving.delete(store, namespace, str(name), options, dry=dry)
        with store.lock:
            thing = store.get(resource, namespace, str(name))
            same_uid(thing["kind"], thing, options)
            if not dry:
                store.remove((resource, namespace, str(name)))
        return 200, status.success({"name": name, "kind": resource, "uid": thing["metadata"]["uid"]})

    def _allow(self, token: str | None, verb: str, resource: str, group: str, namespace: str, name: str | None) -> None:
        if not self.users:
            return
        if (user := self.users.get(token or "")) is None:
            raise status.unauthorized()
        if user.rights is not None and (resource, verb) not in user.rights:
            raise status.forbidden(user.name, verb, resource, group, namespace or None, name)


def _born(resource: str, body: Json) -> Json:
    """What the server adds to a new object before anybody sees it."""
    if resource == "nodes":
        spec = dict(body.get("spec") or {})
        spec["taints"] = [*(spec.get("taints") or ()), {"key": controllers.NOT_READY, "effect": "NoSchedule"}]
        return {**body, "spec": spec, "status": body.get("status") or {}}
    if resource == "poddisruptionbudgets":
        unseen = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
        return {**body, "status": unseen}
    return body


class Handler(BaseHTTPRequestHandler):
    """One request of the cluster's; the cluster hangs on the server."""

    protocol_version = "HTTP/1.1"
    server: KubeServer

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length) if length else b""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip() or None
        code, body, headers = self.server.cluster.answer(
            self.command, self.path, json.loads(sent) if sent else None, token
        )
        if isinstance(body, dict | str):
            self._whole(code, body, headers)
        else:
            self._streamed(body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _handle

    def _whole(self, code: int, body: Json | str, headers: dict[str, str]) -> None:
        is_text = isinstance(body, str)
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if is_text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _streamed(self, events: Iterator[Json]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: Any) -> None:
        """Whoever wants to know what was asked reads `Cluster.calls`."""


class KubeServer(ThreadingHTTPServer):
    """The cluster on a free port of 127.0.0.1, until the `with` ends."""

    daemon_threads = True

    def __init__(self, cluster: Cluster, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.cluster, self.scheme = cluster, "https" if tls else "http"
        super().__init__(("127.0.0.1", port), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> KubeServer:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()
