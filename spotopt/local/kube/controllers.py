"""Who keeps the cluster as it was asked for? Taints, budgets, sets, scheduler and kubelets, one deterministic pass.

A pass runs before each request and not with it: what a write causes is seen by the next reader, never in the answer,
as with real controllers, which are always a little late.
"""

from __future__ import annotations

import math
import re
from datetime import datetime

from spotopt.local.kube import leaving
from spotopt.local.kube.selectors import match_labels
from spotopt.local.kube.status import Json
from spotopt.local.kube.store import Store, stamp

NOT_READY = "node.kubernetes.io/not-ready"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
UNITS = {"": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
START = 2.0  # s from its binding until a pod is Ready
STOP = 1.0  # s that a container needs to stop, where its grace is not shorter


def settle(store: Store) -> None:
    """One pass of every controller, in the order in which one's work is the next one's reason."""
    with store.lock:
        for node in store.all("nodes"):
            _taint(store, node)
        _end_pods(store)
        _collect(store)
        for replicas in store.all("replicasets"):
            _replicate(store, replicas)
        for daemons in store.all("daemonsets"):
            _place_daemons(store, daemons)
        for pod in store.all("pods"):
            _bind(store, pod)
        for pod in store.all("pods"):
            _start(store, pod)
        for budget in store.all("poddisruptionbudgets"):
            _judge(store, budget)


def quantity(text: str) -> float:
    """`500m` CPUs, `16Gi` bytes: a number."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def is_node_ready(node: Json) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _taint(store: Store, node: Json) -> None:
    taints = list(node["spec"].get("taints") or ())
    wanted = {NOT_READY: not is_node_ready(node), UNSCHEDULABLE: bool(node["spec"].get("unschedulable"))}
    for key, is_wanted in wanted.items():
        if is_wanted and key not in {taint["key"] for taint in taints}:
            taints.append({"key": key, "effect": "NoSchedule", "timeAdded": stamp(store.clock())})
        elif not is_wanted:
            taints = [taint for taint in taints if taint["key"] != key]
    if taints != list(node["spec"].get("taints") or ()):
        patch = {"spec": {"taints": taints or None}}
        store.patch("nodes", "", node["metadata"]["name"], patch)


def _end_pods(store: Store) -> None:
    """Kubelets let go of pods whose containers have stopped; without a node's kubelet, nobody does."""
    alive = {node["metadata"]["name"] for node in store.all("nodes")}
    for pod in store.all("pods"):
        meta = pod["metadata"]
        if "deletionTimestamp" not in meta or meta.get("finalizers") or pod["spec"].get("nodeName") not in alive:
            continue
        asked_at = _instant(meta["deletionTimestamp"]).timestamp() - meta["deletionGracePeriodSeconds"]
        stubborn = float((meta.get("annotations") or {}).get("spotopt.test/stop-seconds", STOP))
        if store.clock().timestamp() >= asked_at + min(stubborn, meta["deletionGracePeriodSeconds"]):
            store.remove(("pods", meta["namespace"], meta["name"]))


def _collect(store: Store) -> None:
    """Pods of a node that is gone are garbage, whatever they were doing."""
    alive = {node["metadata"]["name"] for node in store.all("nodes")}
    for pod in store.all("pods"):
        if pod["spec"].get("nodeName") and pod["spec"]["nodeName"] not in alive:
            store.remove(("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]))


def _owned(store: Store, owner: Json) -> list[Json]:
    def is_ours(pod: Json) -> bool:
        return any(ref["uid"] == owner["metadata"]["uid"] for ref in pod["metadata"].get("ownerReferences") or ())

    return [pod for pod in store.all("pods", owner["metadata"]["namespace"]) if is_ours(pod)]


def _replicate(store: Store, replicas: Json) -> None:
    """A pod that is leaving, or has failed, counts no more: its successor comes before it is gone."""
    living = [
        pod
        for pod in _owned(store, replicas)
        if "deletionTimestamp" not in pod["metadata"] and (pod.get("status") or {}).get("phase") != "Failed"
    ]
    for _ in range(replicas["spec"]["replicas"] - len(living)):
        _bear(store, replicas, node=None)


def _place_daemons(store: Store, daemons: Json) -> None:
    """One on each node, cordoned or not."""
    here = {pod["spec"].get("nodeName") for pod in _owned(store, daemons)}
    for node in store.all("nodes"):
        if node["metadata"]["name"] not in here:
            _bear(store, daemons, node=node["metadata"]["name"])


def _bear(store: Store, owner: Json, *, node: str | None) -> None:
    template, meta = owner["spec"]["template"], owner["metadata"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    body = {
        "metadata": {
            **template.get("metadata", {}),
            "generateName": f"{meta['name']}-",
            "ownerReferences": [reference],
        },
        "spec": {**template["spec"], **({"nodeName": node} if node else {})},
        "status": {"phase": "Pending"},
    }
    store.create("pods", meta["namespace"], body)


def _bind(store: Store, pod: Json) -> None:
    """The scheduler: the first node, by name, that takes the pod."""
    if pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
        return
    for node in store.all("nodes"):
        if _takes(store, node, pod):
            patch = {"spec": {"nodeName": node["metadata"]["name"]}}
            store.patch("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], patch)
            return


def _takes(store: Store, node: Json, pod: Json) -> bool:
    tolerated = {(each.get("key"), each.get("operator", "Equal")) for each in pod["spec"].get("tolerations") or ()}
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not {(taint["key"], "Exists"), (None, "Exists")} & tolerated:
            return False
    labels = node["metadata"].get("labels") or {}
    if not (pod["spec"].get("nodeSelector") or {}).items() <= labels.items():
        return False
    here = [each for each in store.all("pods") if each["spec"].get("nodeName") == node["metadata"]["name"]]
    room = node["status"].get("allocatable") or {}
    return all(
        sum(_asks(each, what) for each in [*here, pod]) <= quantity(room.get(what, "0")) for what in ("cpu", "memory")
    ) and len(here) < quantity(room.get("pods", "0"))


def _asks(pod: Json, what: str) -> float:
    containers = pod["spec"].get("containers") or ()
    return sum(quantity(((each.get("resources") or {}).get("requests") or {}).get(what, "0")) for each in containers)


def _start(store: Store, pod: Json) -> None:
    meta, status = pod["metadata"], pod.get("status") or {}
    if not pod["spec"].get("nodeName") or status.get("phase", "Pending") != "Pending" or "deletionTimestamp" in meta:
        return
    if (meta.get("annotations") or {}).get("spotopt.test/never-ready"):
        return
    begun = status.get("startTime")
    if begun is None:
        patch: Json = {"status": {"phase": "Pending", "startTime": stamp(store.clock())}}
    elif store.clock().timestamp() >= _instant(begun).timestamp() + START:
        ready = {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp(store.clock())}
        patch = {"status": {"phase": "Running", "conditions": [ready]}}
    else:
        return
    store.patch("pods", meta["namespace"], meta["name"], patch, only="status")


def _judge(store: Store, budget: Json) -> None:
    """The disruption controller: how many of its pods are healthy, and how many may go."""
    spec, meta, now = budget["spec"], budget["metadata"], stamp(store.clock())
    old = budget.get("status") or {}
    pods = store.all("pods", meta["namespace"], match_labels(spec.get("selector") or {}))
    disrupted = {
        name: at
        for name, at in (old.get("disruptedPods") or {}).items()
        if any(p["metadata"]["name"] == name and "deletionTimestamp" not in p["metadata"] for p in pods)
    }
    healthy = sum(
        leaving.is_ready(p) and "deletionTimestamp" not in p["metadata"] and p["metadata"]["name"] not in disrupted
        for p in pods
    )
    expected, desired = _wanted(store, spec, pods)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    status: Json = {
        "observedGeneration": meta["generation"],
        **({"disruptedPods": disrupted} if disrupted else {}),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": [leaving.allowed_condition(allowed, meta["generation"], now)],
    }
    if _but_for_times(status) != _but_for_times(old):
        key = ("poddisruptionbudgets", meta["namespace"], meta["name"])
        store.put(key, {**budget, "status": status}, "MODIFIED")


def _but_for_times(status: Json) -> Json:
    plain = [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in status.get("conditions") or ()]
    return {**status, "conditions": plain}


def _wanted(store: Store, spec: Json, pods: list[Json]) -> tuple[int, int]:
    """Expected and desired. Shares, and what may be missing, count against the controllers: a bare pod has none."""
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and not str(least).endswith("%"):
        return len(pods), int(least)
    uids = {ref["uid"] for pod in pods for ref in pod["metadata"].get("ownerReferences") or () if ref.get("controller")}
    expected = sum(
        int(each["spec"]["replicas"]) for each in store.all("replicasets") if each["metadata"]["uid"] in uids
    )
    if least is not None:
        return expected, math.ceil(expected * float(str(least).rstrip("%")) / 100)
    missing = math.ceil(expected * float(str(most).rstrip("%")) / 100) if str(most).endswith("%") else int(most or 0)
    return expected, max(0, expected - missing)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
