"""Does the local cluster keep itself as it was asked to, and does it answer over a real connection?"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotopt.local.kube.server import Cluster, KubeServer

NODE: dict[str, Any] = {
    "metadata": {"name": "node-a", "labels": {"zone": "a"}},
    "spec": {"providerID": "aws:///eu-west-3a/i-0aaaaaaaaaaaaaaaa"},
}
ROOM = {"cpu": "4", "memory": "8Gi", "pods": "20"}
READY = {"status": {"allocatable": ROOM, "conditions": [{"type": "Ready", "status": "True"}]}}
PODS = "/api/v1/namespaces/default/pods"


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster(clock: Clock) -> Cluster:
    made = Cluster(clock=clock)
    for name in ("node-a", "node-b"):
        join(made, name)
    return made


def join(cluster: Cluster, name: str, room: dict[str, str] = ROOM) -> None:
    cluster.answer("POST", "/api/v1/nodes", {**NODE, "metadata": {**NODE["metadata"], "name": name}})
    cluster.answer("PATCH", f"/api/v1/nodes/{name}/status", {"status": {**READY["status"], "allocatable": room}})


def a_set(cluster: Cluster, name: str = "web", replicas: int = 3, cpu: str = "1", grace: int = 30) -> None:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}],
            "terminationGracePeriodSeconds": grace,
        },
    }
    cluster.store.create(
        "replicasets", "default", {"metadata": {"name": name}, "spec": {"replicas": replicas, "template": template}}
    )


def pods(cluster: Cluster, where: str = "") -> list[dict[str, Any]]:
    code, answer, _ = cluster.answer("GET", f"{PODS}?fieldSelector={where}")
    assert code == 200
    return answer["items"]  # type: ignore[index, return-value]


def evict(cluster: Cluster, name: str) -> int:
    return cluster.answer("POST", f"{PODS}/{name}/eviction", {"metadata": {"name": name, "namespace": "default"}})[0]


def running(cluster: Cluster, clock: Clock) -> list[dict[str, Any]]:
    for _ in range(3):
        pods(cluster)
        clock.pass_by(2)
    return [pod for pod in pods(cluster, "status.phase=Running") if "deletionTimestamp" not in pod["metadata"]]


def test_a_set_is_filled_and_its_pods_become_ready(cluster, clock):
    a_set(cluster)
    assert {pod["spec"]["nodeName"] for pod in running(cluster, clock)} <= {"node-a", "node-b"}
    assert len(running(cluster, clock)) == 3


def test_an_evicted_pod_is_replaced_elsewhere_and_goes_when_its_containers_have_stopped(cluster, clock):
    a_set(cluster)
    first = running(cluster, clock)[0]
    node = first["spec"]["nodeName"]
    cluster.answer("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
    assert evict(cluster, first["metadata"]["name"]) == 201
    names = {pod["metadata"]["name"] for pod in pods(cluster)}
    assert first["metadata"]["name"] in names  # accepted is not gone
    after = running(cluster, clock)
    assert len(after) == 3
    assert first["metadata"]["uid"] not in {pod["metadata"]["uid"] for pod in after}
    assert all(pod["spec"]["nodeName"] != node for pod in after if pod["metadata"]["name"] not in names)


def test_a_pod_that_fits_nowhere_stays_pending(cluster, clock):
    a_set(cluster, cpu="5")
    assert running(cluster, clock) == []
    assert len(pods(cluster, "status.phase=Pending")) == 3


def test_a_daemons_pod_comes_back_even_on_a_cordoned_node(cluster, clock):
    template = {"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": []}}
    cluster.store.create("daemonsets", "default", {"metadata": {"name": "agent"}, "spec": {"template": template}})
    before = {pod["metadata"]["uid"] for pod in running(cluster, clock)}
    assert len(before) == 2
    cluster.answer("PATCH", "/api/v1/nodes/node-a", {"spec": {"unschedulable": True}})
    (there,) = pods(cluster, "spec.nodeName=node-a")
    assert evict(cluster, there["metadata"]["name"]) == 201
    clock.pass_by(5)
    after = running(cluster, clock)
    assert len(after) == 2
    assert len(before & {pod["metadata"]["uid"] for pod in after}) == 1


def test_joined_is_not_schedulable_at_once_and_a_node_that_left_takes_its_pods_along(cluster, clock):
    a_set(cluster, replicas=1)
    (pod,) = running(cluster, clock)
    cluster.answer("DELETE", f"/api/v1/nodes/{pod['spec']['nodeName']}")
    (moved,) = running(cluster, clock)
    assert moved["spec"]["nodeName"] != pod["spec"]["nodeName"]
    code, fresh, _ = cluster.answer("POST", "/api/v1/nodes", {**NODE, "metadata": {"name": "node-c"}})
    assert (code, fresh["spec"]["taints"][0]["key"]) == (201, "node.kubernetes.io/not-ready")


def test_shares_count_against_the_set_so_a_budget_in_percent_lets_pods_go(cluster, clock):
    a_set(cluster, replicas=4)
    running(cluster, clock)
    budget = {
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": "25%"},
    }
    cluster.answer("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    names = [pod["metadata"]["name"] for pod in running(cluster, clock)]
    assert [evict(cluster, name) for name in names[:2]] == [201, 429]
    assert len(running(cluster, clock)) == 4
    assert evict(cluster, names[1]) == 201


def test_of_four_who_evict_together_one_is_let_through(cluster, clock):
    a_set(cluster, replicas=4)
    names = [pod["metadata"]["name"] for pod in running(cluster, clock)]
    budget = {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 3}}
    cluster.answer("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    running(cluster, clock)
    with KubeServer(cluster) as server:
        codes: list[int] = []
        together = threading.Barrier(4)

        def ask(name: str) -> None:
            together.wait()
            codes.append(post(f"{server.url}{PODS}/{name}/eviction", {"metadata": {"name": name}}))

        threads = [threading.Thread(target=ask, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(codes) == [201, 429, 429, 429]


def test_a_watch_ends_cleanly_and_says_what_happened(cluster):
    with KubeServer(cluster) as server:
        version = cluster.store.version
        cluster.answer("PATCH", "/api/v1/nodes/node-a", {"spec": {"unschedulable": True}})
        query = f"watch=true&resourceVersion={version}&timeoutSeconds=0.1&allowWatchBookmarks=true"
        with urllib.request.urlopen(f"{server.url}/api/v1/nodes?{query}") as answer:
            events = [json.loads(line) for line in answer]
    assert events[0]["type"] == "MODIFIED"
    assert events[-1]["type"] == "BOOKMARK"


def post(address: str, body: dict[str, Any]) -> int:
    request = urllib.request.Request(address, json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as no:
        return no.code
