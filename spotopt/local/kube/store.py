"""What does the cluster hold? Objects under one resourceVersion, with the history that watches replay."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spotopt.local.kube import selectors
from spotopt.local.kube.status import (
    Json,
    already_there,
    another_uid,
    bad_request,
    expired,
    immutable,
    modified,
    not_found,
    not_yet,
    page_expired,
    wrong_type,
)

Key = tuple[str, str, str]  # resource, namespace ("" for what has none), name


@dataclass(frozen=True, slots=True)
class Kind:
    """How a resource is called in objects and addresses."""

    kind: str
    api_version: str
    is_namespaced: bool = True
    has_generation: bool = True


KINDS = {
    "nodes": Kind("Node", "v1", is_namespaced=False, has_generation=False),
    "pods": Kind("Pod", "v1"),
    "events": Kind("Event", "v1", has_generation=False),
    "poddisruptionbudgets": Kind("PodDisruptionBudget", "policy/v1"),
    "replicasets": Kind("ReplicaSet", "apps/v1"),
    "daemonsets": Kind("DaemonSet", "apps/v1"),
    "volumeattachments": Kind("VolumeAttachment", "storage.k8s.io/v1", is_namespaced=False, has_generation=False),
    "csinodes": Kind("CSINode", "storage.k8s.io/v1", is_namespaced=False, has_generation=False),
}
BOOLEANS = ("unschedulable",)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Objects and their history. Every method is safe to call from several threads."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.version = 0
        self.compacted = 0  # history up to here is gone
        self.objects: dict[Key, Json] = {}
        self.history: list[tuple[int, str, str, Json]] = []  # version, type of event, resource, object

    # -- reading

    def get(self, resource: str, namespace: str, name: str) -> Json:
        with self.lock:
            if (found := self.objects.get((resource, namespace, name))) is None:
                raise not_found(resource, name)
            return deepcopy(found)

    def all(self, resource: str, namespace: str = "", test: selectors.Test | None = None) -> list[Json]:
        """Those of a namespace ("" = of all), in the order of their names."""
        with self.lock:
            found = [(key, thing) for key, thing in self.objects.items() if key[0] == resource]
            return [
                deepcopy(thing)
                for key, thing in sorted(found, key=lambda each: each[0])
                if namespace in ("", key[1]) and (test is None or test(thing))
            ]

    def list(self, resource: str, namespace: str, query: Json) -> Json:
        """One page. Items carry neither kind nor apiVersion."""
        kind, test = KINDS[resource], chosen(resource, query)
        with self.lock:
            self._reachable(query)
            items, version, start = self.all(resource, namespace, test), self.version, ""
            if token := query.get("continue"):
                version, start = self._resumed(token)
                items = [item for item in items if self._place(item, namespace) >= start]
                version = self.version if version < 0 else version
            answer: Json = {
                "kind": f"{kind.kind}List",
                "apiVersion": kind.api_version,
                "metadata": {"resourceVersion": str(version)},
            }
            limit = int(query.get("limit") or 0)
            if limit and len(items) > limit:
                answer["metadata"]["continue"] = token_of(version, self._place(items[limit - 1], namespace) + "\0")
                items = items[:limit]
            return {**answer, "items": [{k: v for k, v in i.items() if k not in ("kind", "apiVersion")} for i in items]}

    def watch(self, resource: str, namespace: str, query: Json, seconds: float) -> Iterator[Json]:
        """Events after a version, until the time is over: a clean end, with a bookmark where one was asked for."""
        test, since = chosen(resource, query), int(query.get("resourceVersion") or 0)
        if since and since < self.compacted:
            body = expired("watch").body
            yield {"type": "ERROR", "object": body}
            return
        until = datetime.now(UTC).timestamp() + seconds
        while True:
            with self.changed:
                fresh = [each for each in self.history if each[0] > since]
                since = self.version
            for _, event, of, thing in fresh:
                if of == resource and namespace in ("", thing["metadata"].get("namespace", "")) and test(thing):
                    yield {"type": event, "object": deepcopy(thing)}
            left = until - datetime.now(UTC).timestamp()
            if left <= 0:
                break
            with self.changed:
                if self.version == since:
                    self.changed.wait(min(left, 0.2))
        if str(query.get("allowWatchBookmarks")).lower() == "true":
            kind = KINDS[resource]
            mark = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {"resourceVersion": str(since)}}
            yield {"type": "BOOKMARK", "object": mark}

    # -- writing

    def create(self, resource: str, namespace: str, body: Json) -> Json:
        kind, meta = KINDS[resource], dict(body.get("metadata") or {})
        with self.lock:
            name = meta.get("name") or f"{meta['generateName']}{uuid.uuid4().hex[:5]}"
            key = (resource, namespace if kind.is_namespaced else "", name)
            if key in self.objects:
                raise already_there(resource, name)
            born: Json = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": stamp(self.clock())}
            if kind.is_namespaced:
                born["namespace"] = namespace
            if kind.has_generation:
                born["generation"] = 1
            thing = {
                "kind": kind.kind,
                "apiVersion": kind.api_version,
                **{part: deepcopy(value) for part, value in body.items() if part not in ("kind", "apiVersion")},
                "metadata": {**meta, **born},
            }
            return self.put(key, thing, "ADDED")

    def patch(self, resource: str, namespace: str, name: str, body: Json, *, only: str = "") -> Json:
        """A strategic merge as nodes and budgets know it: maps merge, null removes, lists are replaced whole.

        `only` = "status" for the subresource; without it a status is left as it is.
        """
        key = (resource, namespace, name)
        with self.lock:
            before = self.get(*key)
            asked = (body.get("metadata") or {}).get("resourceVersion")
            if asked and asked != before["metadata"]["resourceVersion"]:
                raise modified(resource, name)
            if (uid := (body.get("metadata") or {}).get("uid")) and uid != before["metadata"]["uid"]:
                raise immutable(before["kind"], name, "metadata.uid", uid)
            for field in BOOLEANS:
                if field in (body.get("spec") or {}) and not isinstance(body["spec"][field], bool | None):
                    raise wrong_type(body, "bool")
            meant = {part: value for part, value in body.items() if (part == "status") == (only == "status")}
            after = merged(before, meant)
            after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
            if after == before:  # nothing changed: the version stays
                return before
            if KINDS[resource].has_generation and after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
            return self.put(key, after, "MODIFIED")

    def put(self, key: Key, thing: Json, event: str) -> Json:
        """Store as it is, under a new version."""
        with self.changed:
            self.version += 1
            thing = deepcopy(thing)
            thing["metadata"]["resourceVersion"] = str(self.version)
            self.objects[key] = thing
            self.history.append((self.version, event, key[0], deepcopy(thing)))
            self.changed.notify_all()
            return deepcopy(thing)

    def remove(self, key: Key) -> None:
        with self.changed:
            gone = self.objects.pop(key)
            self.version += 1
            gone["metadata"]["resourceVersion"] = str(self.version)
            self.history.append((self.version, "DELETED", key[0], gone))
            self.changed.notify_all()

    def compact(self) -> None:
        """Forget the history, as etcd does after five minutes: older watches and pages have expired."""
        with self.lock:
            self.compacted = self.version
            self.history.clear()

    # -- pages and versions

    def _reachable(self, query: Json) -> None:
        asked = int(query.get("resourceVersion") or 0)
        if asked > self.version:
            raise not_yet(asked, self.version)
        if query.get("resourceVersionMatch") == "Exact" and asked < self.compacted:
            raise expired("list")

    def _resumed(self, token: str) -> tuple[int, str]:
        try:
            said = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            version, start = int(said["rv"]), str(said["start"])
        except (ValueError, KeyError, TypeError) as wrong:
            raise bad_request(
                "invalid continue token: continue key is not valid: "
                "invalid character '\\u0081' looking for beginning of value"
            ) from wrong
        if 0 <= version < self.compacted:
            raise page_expired(token_of(-1, start))
        return version, start

    def _place(self, item: Json, namespace: str) -> str:
        name, of = item["metadata"]["name"], item["metadata"].get("namespace")
        return name if namespace or not of else f"/{of}/{name}"


def token_of(version: int, start: str) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def chosen(resource: str, query: Json) -> selectors.Test:
    """What the selectors of a query mean together."""
    by_label = selectors.labels(query.get("labelSelector") or "")
    by_field = selectors.fields(resource, query.get("fieldSelector") or "")
    return lambda thing: by_label(thing) and by_field(thing)


def merged(before: Any, patch: Any) -> Any:
    """Conditions merge by their type, as the real schema says; every other list is replaced."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    after = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        elif key == "conditions":
            by_type = {each["type"]: each for each in after.get(key) or ()}
            by_type.update({each["type"]: deepcopy(each) for each in value})
            after[key] = list(by_type.values())
        else:
            after[key] = merged(after.get(key), value)
    return after


def same_uid(kind: str, thing: Json, options: Json) -> None:
    """Refused (409) when the caller meant another object of this name."""
    asked = ((options or {}).get("preconditions") or {}).get("uid")
    if asked and asked != thing["metadata"]["uid"]:
        raise another_uid(kind, thing["metadata"]["name"], asked, thing["metadata"]["uid"])
