"""How does a pod leave? Plain deletion, and eviction with its budgets."""

from __future__ import annotations

from datetime import timedelta

from spotopt.local.kube.selectors import match_labels
from spotopt.local.kube.status import Json, bad_request, budget_says_no, success, two_budgets
from spotopt.local.kube.store import Store, same_uid, stamp

UNSEEN = 10  # s that the server asks for while the controller has not seen a budget


def delete(store: Store, namespace: str, name: str, options: Json, *, dry: bool) -> Json:
    """The pod as it leaves, not a Status; no budget is asked."""
    with store.lock:
        pod = store.get("pods", namespace, name)
        same_uid("Pod", pod, options)
        return _leave(store, pod, options.get("gracePeriodSeconds"), dry=dry)


def evict(store: Store, namespace: str, name: str, body: Json, *, dry: bool) -> Json:
    """201 means accepted, not gone. Refused by its budget with 429, by two of them with 500."""
    meta, options = body.get("metadata") or {}, body.get("deleteOptions") or {}
    if meta.get("name", name) != name:
        raise bad_request("name in URL does not match name in Eviction object")
    if meta.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    with store.lock:
        pod = store.get("pods", namespace, name)
        same_uid("Pod", pod, options)
        if _asks_its_budget(pod):
            _spend(store, pod, dry=dry)
        if not dry:
            _say_why(store, pod)
        _leave(store, store.get("pods", namespace, name), options.get("gracePeriodSeconds"), dry=dry)
        return success(code=201)


def is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def budgets_of(store: Store, pod: Json) -> list[Json]:
    found = store.all("poddisruptionbudgets", pod["metadata"]["namespace"])
    return [budget for budget in found if match_labels(budget["spec"].get("selector") or {})(pod)]


def _asks_its_budget(pod: Json) -> bool:
    is_leaving = "deletionTimestamp" in pod["metadata"]
    return not is_leaving and (pod.get("status") or {}).get("phase") not in {"Pending", "Succeeded", "Failed"}


def _spend(store: Store, pod: Json, *, dry: bool) -> None:
    """Take one disruption from the pod's budget at once, so that of four who ask together one is let through."""
    budgets = budgets_of(store, pod)
    if len(budgets) > 1:
        raise two_budgets()
    if not budgets:
        return
    budget, status = budgets[0], budgets[0].get("status") or {}
    name = budget["metadata"]["name"]
    if not is_ready(pod):
        policy = budget["spec"].get("unhealthyPodEvictionPolicy", "IfHealthyBudget")
        healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        if policy == "AlwaysAllow" or healthy >= desired > 0:
            return
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
        raise budget_says_no(f"The disruption budget {name} is still being processed by the server.", UNSEEN)
    if status.get("disruptionsAllowed", 0) < 1:
        raise budget_says_no(_why_not(name, status))
    if not dry:
        _take_one(store, budget, pod)


def _why_not(name: str, status: Json) -> str:
    failed = [c["message"] for c in status.get("conditions") or () if c.get("reason") == "SyncFailed"]
    if failed:
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {failed[0]}"
        )
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if healthy > desired:
        return f"The disruption budget {name} does not allow evicting pods currently"
    return f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"


def _take_one(store: Store, budget: Json, pod: Json) -> None:
    now, status = stamp(store.clock()), dict(budget["status"])
    status["disruptionsAllowed"] -= 1
    status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod["metadata"]["name"]: now}
    status["conditions"] = [allowed_condition(status["disruptionsAllowed"], budget["metadata"]["generation"], now)]
    key = ("poddisruptionbudgets", budget["metadata"]["namespace"], budget["metadata"]["name"])
    store.put(key, {**budget, "status": status}, "MODIFIED")


def allowed_condition(allowed: int, generation: int, now: str) -> Json:
    return {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "observedGeneration": generation,
        "lastTransitionTime": now,
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
    }


def _say_why(store: Store, pod: Json) -> None:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": stamp(store.clock()),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    meta = pod["metadata"]
    store.patch("pods", meta["namespace"], meta["name"], {"status": {"conditions": [condition]}}, only="status")


def _leave(store: Store, pod: Json, grace: int | str | None, *, dry: bool) -> Json:
    """Mark a pod as leaving; it goes at once when it never had a node, or with no grace and no finalizer."""
    meta, key = pod["metadata"], ("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
    seconds = int(pod["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace)
    if not pod["spec"].get("nodeName"):
        seconds = 0
    if "deletionTimestamp" not in meta or seconds < meta["deletionGracePeriodSeconds"]:
        at = store.clock() + timedelta(seconds=seconds)
        if "deletionTimestamp" not in meta:
            meta["generation"] = meta.get("generation", 0) + 1
        meta.update(deletionTimestamp=stamp(at), deletionGracePeriodSeconds=seconds)
        if not dry:
            pod = store.put(key, pod, "MODIFIED")
    if not dry and seconds == 0 and not meta.get("finalizers"):
        store.remove(key)
    return pod
