"""What do we change in a cluster? One object a call, each for the object we read and no other of its name.

A node is cordoned by `spec.unschedulable` alone: a patch of its taints would replace the whole list, others' among it.
"""

from __future__ import annotations

from typing import Any

from kubernetes.client import ApiClient, CoreV1Api, V1DeleteOptions, V1Eviction, V1ObjectMeta, V1Preconditions

from accounts.kube.errors import Replaced, Unusable, translated_errors
from accounts.kube.seen import NodeSeen, PodSeen


def cordon(client: ApiClient, node: NodeSeen) -> None:
    """No new pods there. Harmless when repeated. Raises Gone; Replaced when another node has the name."""
    _patch(client, node, {"spec": {"unschedulable": True}})


def uncordon(client: ApiClient, node: NodeSeen) -> None:
    _patch(client, node, {"spec": {"unschedulable": None}})


def annotate(client: ApiClient, node: NodeSeen, annotations: dict[str, str | None]) -> None:
    """Set annotations; None removes one."""
    _patch(client, node, {"metadata": {"annotations": annotations}})


def label(client: ApiClient, node: NodeSeen, labels: dict[str, str | None]) -> None:
    """Set labels; None removes one."""
    _patch(client, node, {"metadata": {"labels": labels}})


def evict(client: ApiClient, pod: PodSeen, *, grace_seconds: int | None = None, dry_run: bool = False) -> None:
    """Ask for the pod's eviction; a return means accepted, not gone.

    Raises BudgetSaysWait, SeveralBudgets, Overloaded, Gone; Replaced when another pod has the name; OutcomeUnknown.
    """
    body = V1Eviction(
        api_version="policy/v1",
        kind="Eviction",
        metadata=V1ObjectMeta(name=pod.name, namespace=pod.namespace),
        delete_options=V1DeleteOptions(preconditions=V1Preconditions(uid=pod.uid), grace_period_seconds=grace_seconds),
    )
    with translated_errors():
        CoreV1Api(client).create_namespaced_pod_eviction(
            pod.name, pod.namespace, body, dry_run="All" if dry_run else None
        )


def forget_node(client: ApiClient, node: NodeSeen) -> None:
    """Delete the Node object, which is only right once its machine has ended. Raises Gone, Replaced."""
    with translated_errors():
        CoreV1Api(client).delete_node(node.name, body=V1DeleteOptions(preconditions=V1Preconditions(uid=node.uid)))


def _patch(client: ApiClient, node: NodeSeen, body: dict[str, Any]) -> None:
    """The uid in the patch makes the server refuse another node of the same name: an id cannot change (422)."""
    body = {**body, "metadata": {**body.get("metadata", {}), "uid": node.uid}}
    try:
        with translated_errors():
            CoreV1Api(client).patch_node(node.name, body)
    except Unusable as refused:
        if "metadata.uid" in str(refused):
            raise Replaced(str(refused), code=refused.code) from refused
        raise
