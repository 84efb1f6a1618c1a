"""What is in the cluster? Nodes, pods and budgets, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from kubernetes.client import ApiClient, CoreV1Api, PolicyV1Api, StorageV1Api

from accounts.kube.errors import translated_errors
from accounts.kube.seen import BudgetSeen, NodeSeen, PodSeen, Taint

PAGE = 500
PROVIDER = re.compile(r"aws:///(?P<zone>[a-z0-9-]+)/(?P<id>i-[0-9a-f]+)")
UNITS = {
    **dict(zip(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), (1000.0**n for n in range(-3, 7)), strict=True)),
    **dict(zip(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), (1024.0**n for n in range(1, 7)), strict=True)),
}


def nodes(client: ApiClient) -> list[NodeSeen]:
    """Every node. Raises KubeError."""
    return [_node(each) for each in _pages(CoreV1Api(client).list_node)]


def node(client: ApiClient, name: str) -> NodeSeen:
    """One node by name. Raises Gone."""
    with translated_errors():
        return _node(CoreV1Api(client).read_node(name))


def pods_on(client: ApiClient, node_name: str) -> list[PodSeen]:
    """All pods bound to a node, whatever their state."""
    if not node_name:
        raise ValueError("pods of which node? An empty name would select the pods without one")
    api = CoreV1Api(client)
    found = _pages(api.list_pod_for_all_namespaces, field_selector=f"spec.nodeName={node_name}")
    return [_pod(each) for each in found]


def pods(client: ApiClient) -> list[PodSeen]:
    return [_pod(each) for each in _pages(CoreV1Api(client).list_pod_for_all_namespaces)]


def budgets(client: ApiClient) -> list[BudgetSeen]:
    found = _pages(PolicyV1Api(client).list_pod_disruption_budget_for_all_namespaces)
    return [_budget(each) for each in found]


def attached_volumes(client: ApiClient, node_name: str) -> list[str]:
    """Names of the volume attachments that still bind a volume to the node."""
    found = _pages(StorageV1Api(client).list_volume_attachment)
    return [each.metadata.name for each in found if each.spec.node_name == node_name]


def quantity(text: Any) -> float:
    """`500m` of a CPU, `16Gi` of memory: a number. ValueError for what is none."""
    found = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?)([A-Za-z]*)", str(text))
    if found is None or found[2] not in UNITS:
        raise ValueError(f"{text!r} is no quantity")
    return float(found[1]) * UNITS[found[2]]


def _pages(listed: Callable[..., Any], **how: Any) -> Iterator[Any]:
    token = None
    while True:
        with translated_errors():
            page = listed(limit=PAGE, _continue=token, **how)
        yield from page.items
        token = page.metadata._continue
        if not token:
            return


def _node(found: Any) -> NodeSeen:
    where = PROVIDER.fullmatch(found.spec.provider_id or "")
    conditions = {each.type: each for each in (found.status.conditions if found.status else None) or ()}
    ready, room = conditions.get("Ready"), (found.status.allocatable if found.status else None) or {}
    return NodeSeen(
        name=found.metadata.name,
        uid=found.metadata.uid,
        version=found.metadata.resource_version,
        instance_id=where["id"] if where else None,
        zone=where["zone"] if where else None,
        is_ready=ready is not None and ready.status == "True",
        ready_since=ready.last_transition_time if ready is not None and ready.status == "True" else None,
        is_cordoned=bool(found.spec.unschedulable),
        taints=tuple(Taint(each.key, each.effect, each.value or "") for each in found.spec.taints or ()),
        labels=dict(found.metadata.labels or {}),
        annotations=dict(found.metadata.annotations or {}),
        cpu=quantity(room.get("cpu", 0)),
        memory_bytes=quantity(room.get("memory", 0)),
        pods=quantity(room.get("pods", 0)),
    )


def _pod(found: Any) -> PodSeen:
    meta, spec, status = found.metadata, found.spec, found.status
    owners = [each.kind for each in meta.owner_references or () if each.controller]
    ready = [each for each in (status.conditions if status else None) or () if each.type == "Ready"]
    volumes = spec.volumes or ()
    return PodSeen(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        node=spec.node_name,
        phase=(status.phase if status else None) or "Pending",
        is_ready=any(each.status == "True" for each in ready),
        is_leaving=meta.deletion_timestamp is not None,
        leaves_by=meta.deletion_timestamp,
        owner_kind=owners[0] if owners else None,
        labels=dict(meta.labels or {}),
        annotations=dict(meta.annotations or {}),
        has_local_data=any(_is_local(each) for each in volumes),
        claims=tuple(each.persistent_volume_claim.claim_name for each in volumes if each.persistent_volume_claim),
        cpu=_requested(spec, "cpu"),
        memory_bytes=_requested(spec, "memory"),
        grace_seconds=30 if spec.termination_grace_period_seconds is None else spec.termination_grace_period_seconds,
    )


def _is_local(volume: Any) -> bool:
    """Data that dies with the node; an emptyDir in memory holds none that anybody counts on."""
    return bool(volume.host_path) or bool(volume.empty_dir and volume.empty_dir.medium != "Memory")


def _requested(spec: Any, what: str) -> float:
    asked = [(each.resources.requests if each.resources else None) or {} for each in spec.containers or ()]
    return sum(quantity(each.get(what, 0)) for each in asked)


def _budget(found: Any) -> BudgetSeen:
    status = found.status
    return BudgetSeen(
        namespace=found.metadata.namespace,
        name=found.metadata.name,
        allowed=status.disruptions_allowed or 0,
        healthy=status.current_healthy or 0,
        desired=status.desired_healthy or 0,
        expected=status.expected_pods or 0,
        is_seen=(status.observed_generation or 0) >= (found.metadata.generation or 0),
    )
