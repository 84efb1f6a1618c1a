"""Do the adapters say to a cluster what they mean, and understand each of its refusals?"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import ApiClient

from accounts.kube import read, write
from accounts.kube.config import parse
from accounts.kube.errors import (
    BudgetSaysWait,
    Denied,
    Gone,
    KubeError,
    OutcomeUnknown,
    Overloaded,
    Replaced,
    SeveralBudgets,
)
from accounts.kube.session import client_for, eks_token
from spotopt.local.kube.server import DRAINER, Cluster, User
from tests.fakes.kube import Reached, reached, self_signed

NODE = {
    "metadata": {"name": "node-a", "labels": {"zone": "a"}},
    "spec": {
        "providerID": "aws:///eu-west-3a/i-0aaaaaaaaaaaaaaaa",
        "taints": [{"key": "team", "value": "x", "effect": "NoSchedule"}],
    },
}
READY = {
    "status": {
        "allocatable": {"cpu": "3920m", "memory": "7Gi", "pods": "58"},
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T12:00:00Z"}],
    }
}
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


class Clock:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Reached]:
    cluster = Cluster(clock=Clock())
    cluster.answer("POST", "/api/v1/nodes", NODE)
    cluster.answer("PATCH", "/api/v1/nodes/node-a/status", READY)
    with reached(cluster, tmp_path) as found:
        yield found


@pytest.fixture
def client(there: Reached) -> Iterator[ApiClient]:
    made = client_for(parse(there.kubeconfig()))
    yield made
    made.close()


def a_pod(there: Reached, name: str = "web-0", *, ready: bool = True, **spec: object) -> None:
    body = {
        "metadata": {"name": name, "labels": {"app": name.partition("-")[0]}},
        "spec": {"nodeName": "node-a", "containers": [], "terminationGracePeriodSeconds": 30, **spec},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }
    there.cluster.store.create("pods", "default", body)


def a_budget(there: Reached, name: str = "web", app: str = "web", **spec: object) -> None:
    body = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}, **spec}}
    there.cluster.store.create("poddisruptionbudgets", "default", {**body, "status": {}})


class TestReading:
    def test_a_node_is_known_by_the_id_of_its_machine_and_not_by_its_name(self, there, client):
        (node,) = read.nodes(client)
        assert (node.instance_id, node.zone, node.name) == ("i-0aaaaaaaaaaaaaaaa", "eu-west-3a", "node-a")
        assert (node.cpu, node.memory_bytes, node.pods) == (3.92, 7 * 2**30, 58)
        assert (node.is_ready, node.is_cordoned) == (True, False)
        assert node.ready_since == Clock.at

    def test_a_node_of_no_cloud_has_no_machine(self, there, client):
        there.cluster.store.create("nodes", "", {"metadata": {"name": "bare"}, "spec": {"providerID": "kind://x"}})
        assert {node.name: node.instance_id for node in read.nodes(client)}["bare"] is None

    def test_a_pods_owner_data_and_requests_are_read(self, there, client):
        requests = {"resources": {"requests": {"cpu": "250m", "memory": "128Mi"}}, "name": "c"}
        volumes = [{"name": "v", "emptyDir": {}}, {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
        a_pod(there, containers=[requests, {**requests, "name": "d"}], volumes=volumes)
        a_pod(there, "memory-0", volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}])
        by_name = {pod.name: pod for pod in read.pods_on(client, "node-a")}
        web = by_name["web-0"]
        assert (web.cpu, web.memory_bytes, web.claims, web.owner_kind) == (0.5, 2 * 128 * 2**20, ("data",), None)
        assert (web.has_local_data, by_name["memory-0"].has_local_data) == (True, False)
        assert web.is_ready
        assert not web.is_leaving

    def test_more_pods_than_a_page_holds_are_all_read(self, there, client, monkeypatch):
        monkeypatch.setattr(read, "PAGE", 2)
        for number in range(5):
            a_pod(there, f"web-{number}")
        assert len(read.pods_on(client, "node-a")) == 5

    def test_pods_of_no_node_are_not_asked_for(self, client):
        with pytest.raises(ValueError, match="which node"):
            read.pods_on(client, "")

    def test_a_budget_says_what_it_allows(self, there, client):
        for number in range(3):
            a_pod(there, f"web-{number}")
        a_budget(there, minAvailable=2)
        (budget,) = read.budgets(client)
        assert (budget.allowed, budget.healthy, budget.desired, budget.is_seen) == (1, 3, 2, True)

    def test_volumes_that_still_hang_on_the_node_are_named(self, there, client):
        for name, node in (("one", "node-a"), ("two", "node-b")):
            body = {"metadata": {"name": name}, "spec": {"attacher": "ebs", "nodeName": node, "source": {}}}
            there.cluster.store.create("volumeattachments", "", {**body, "status": {"attached": True}})
        assert read.attached_volumes(client, "node-a") == ["one"]


class TestChanging:
    def test_cordon_leaves_the_taints_of_others_alone_and_uncordon_undoes_it(self, there, client):
        write.cordon(client, read.node(client, "node-a"))
        after = read.node(client, "node-a")
        assert after.is_cordoned
        assert {taint.key for taint in after.taints} >= {"team", "node.kubernetes.io/unschedulable"}
        write.uncordon(client, after)
        again = read.node(client, "node-a")
        assert (again.is_cordoned, [taint.key for taint in again.taints]) == (False, ["team"])

    def test_another_node_of_the_same_name_is_not_touched(self, there, client):
        old = read.node(client, "node-a")
        there.cluster.store.remove(("nodes", "", "node-a"))
        there.cluster.store.create("nodes", "", NODE)
        for change in (write.cordon, write.uncordon, write.forget_node):
            with pytest.raises(Replaced):
                change(client, old)
        assert not read.node(client, "node-a").is_cordoned

    def test_marks_are_set_and_taken_off(self, there, client):
        node = read.node(client, "node-a")
        write.annotate(client, node, {"spotopt/operation": "7"})
        write.label(client, node, {"node.kubernetes.io/exclude-from-external-load-balancers": "true"})
        marked = read.node(client, "node-a")
        assert marked.annotations == {"spotopt/operation": "7"}
        assert "node.kubernetes.io/exclude-from-external-load-balancers" in marked.labels
        write.annotate(client, node, {"spotopt/operation": None})
        write.label(client, node, {"node.kubernetes.io/exclude-from-external-load-balancers": None})
        assert read.node(client, "node-a").annotations == {}
        assert read.node(client, "node-a").labels == {"zone": "a"}

    def test_a_node_whose_machine_has_ended_is_forgotten(self, there, client):
        write.forget_node(client, read.node(client, "node-a"))
        with pytest.raises(Gone):
            read.node(client, "node-a")


class TestEviction:
    def test_accepted_is_not_gone(self, there, client):
        a_pod(there)
        (pod,) = read.pods_on(client, "node-a")
        write.evict(client, pod)
        (leaving,) = read.pods_on(client, "node-a")
        assert leaving.is_leaving
        assert leaving.leaves_by == Clock.at + timedelta(seconds=30)

    def test_another_pod_of_the_same_name_is_not_evicted(self, there, client):
        a_pod(there)
        (pod,) = read.pods_on(client, "node-a")
        with pytest.raises(Replaced):
            write.evict(client, replace(pod, uid="00000000-0000-0000-0000-000000000000"))
        assert not read.pods_on(client, "node-a")[0].is_leaving

    def test_a_dry_run_asks_the_budget_and_changes_nothing(self, there, client):
        a_pod(there)
        (pod,) = read.pods_on(client, "node-a")
        write.evict(client, pod, dry_run=True)
        assert not read.pods_on(client, "node-a")[0].is_leaving

    def refusal(self, client: ApiClient, there: Reached) -> KubeError:
        pod = next(pod for pod in read.pods_on(client, "node-a") if pod.name == "web-0")
        with pytest.raises(KubeError) as refused:
            write.evict(client, pod)
        return refused.value

    def test_a_spent_budget_says_wait_in_its_own_words(self, there, client):
        a_pod(there)
        a_budget(there, minAvailable=1)
        no = self.refusal(client, there)
        assert type(no) is BudgetSaysWait
        assert "needs 1 healthy pods and has 1" in str(no)
        assert no.retry_after is None

    def test_a_budget_that_nobody_has_looked_at_names_a_wait(self, there, client):
        a_pod(there)
        there.cluster.has_controllers = False
        a_budget(there, minAvailable=1)
        no = self.refusal(client, there)
        assert (type(no), no.retry_after) == (BudgetSaysWait, 10)

    def test_an_overloaded_server_is_never_taken_for_a_budget(self, there, client):
        a_pod(there)
        (pod,) = read.pods_on(client, "node-a")
        there.cluster.overloaded_calls = 1
        with pytest.raises(Overloaded) as refused:
            write.evict(client, pod)
        assert refused.value.retry_after == 1

    def test_reads_are_not_repeated_behind_our_back(self, there, client):
        there.cluster.overloaded_calls = 2
        asked = len(there.cluster.calls)
        with pytest.raises(Overloaded):
            read.nodes(client)
        assert len(there.cluster.calls) == asked + 1

    def test_two_budgets_over_one_pod_are_not_waited_for(self, there, client):
        a_pod(there)
        a_budget(there, minAvailable=0)
        a_budget(there, "other", minAvailable=0)
        assert type(self.refusal(client, there)) is SeveralBudgets

    def test_a_pod_that_is_gone_is_gone(self, there, client):
        a_pod(there)
        (pod,) = read.pods_on(client, "node-a")
        there.cluster.store.remove(("pods", "default", "web-0"))
        with pytest.raises(Gone):
            write.evict(client, pod)


class TestGettingIn:
    def test_the_rights_we_ask_for_are_enough_and_no_more_is_tried(self, there):
        a_pod(there)
        there.cluster.users["drainer"] = User("drainer", DRAINER)
        client = client_for(parse(there.kubeconfig(user={"token": "drainer"})))
        node = read.node(client, "node-a")
        write.cordon(client, node)
        write.evict(client, read.pods_on(client, "node-a")[0])
        with pytest.raises(Denied, match="cannot delete"):
            write.forget_node(client, node)

    def test_a_wrong_token_is_denied(self, there):
        client = client_for(parse(there.kubeconfig(user={"token": "wrong"})))
        with pytest.raises(Denied):
            read.nodes(client)

    def test_a_server_with_another_authority_hears_no_token(self, there):
        other, _ = self_signed()
        client = client_for(parse(Reached(there.cluster, there.url, other).kubeconfig()))
        asked = len(there.cluster.calls)
        with pytest.raises(OutcomeUnknown):
            read.nodes(client)
        assert len(there.cluster.calls) == asked

    def test_a_server_that_is_not_there_has_an_unknown_outcome(self, there):
        client = client_for(parse(Reached(there.cluster, "https://127.0.0.1:1", there.authority).kubeconfig()))
        with pytest.raises(OutcomeUnknown):
            read.nodes(client)

    def test_an_eks_token_is_a_short_call_signed_for_this_cluster_alone(self, local_cloud):
        from accounts.aws.session import installation_session

        token = eks_token(installation_session("eu-west-3"), "nw-prod")
        assert token.startswith("k8s-aws-v1.")
        text = token.removeprefix("k8s-aws-v1.")
        address = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        asked = parse_qs(urlsplit(address).query)
        assert asked["Action"] == ["GetCallerIdentity"]
        assert asked["X-Amz-Expires"] == ["60"]
        assert "x-k8s-aws-id" in asked["X-Amz-SignedHeaders"][0].split(";")
