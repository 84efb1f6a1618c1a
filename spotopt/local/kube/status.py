"""How does an API server say no? The Status objects of a recorded 1.36 server."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """An answer that is not the object asked for: a Status, or plain text when the server is overloaded."""

    def __init__(self, body: Json | str, code: int, retry_after: int | None = None) -> None:
        super().__init__(body if isinstance(body, str) else body["message"])
        self.body, self.code, self.retry_after = body, code, retry_after


def refused(code: int, reason: str | None, message: str, details: Json | None = None) -> Refused:
    """A Failure; what is None is left out, as the server does."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        body["reason"] = reason
    if details:
        body["details"] = details
    return Refused({**body, "code": code}, code, (details or {}).get("retryAfterSeconds"))


def overloaded() -> Refused:
    return Refused("Too many requests, please try again later.\n", 429, 1)


def bad_request(message: str) -> Refused:
    return refused(400, "BadRequest", message)


def not_found(resource: str, name: str) -> Refused:
    return refused(404, "NotFound", f'{resource} "{name}" not found', {"name": name, "kind": resource})


def already_there(resource: str, name: str) -> Refused:
    return refused(409, "AlreadyExists", f'{resource} "{name}" already exists', {"name": name, "kind": resource})


def modified(resource: str, name: str) -> Refused:
    message = (
        f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; please apply your '
        "changes to the latest version and try again"
    )
    return refused(409, "Conflict", message, {"name": name, "kind": resource})


def another_uid(kind: str, name: str, asked: str, there: str) -> Refused:
    message = (
        f'Operation cannot be fulfilled on {kind} "{name}": the UID in the precondition ({asked}) does not match the '
        f"UID in record ({there}). The object might have been deleted and then recreated"
    )
    return refused(409, "Conflict", message, {"name": name, "kind": kind})


def wrong_type(patch: Json, wanted: str) -> Refused:
    message = f'Invalid value: "{_as_go(patch)}": unrecognized type: {wanted}'
    cause = {"reason": "FieldValueInvalid", "message": message, "field": "patch"}
    return refused(422, "Invalid", f' "" is invalid: patch: {message}', {"causes": [cause]})


def immutable(kind: str, name: str, field: str, value: str) -> Refused:
    """Not recorded: from the server's source, ValidateObjectMetaUpdate."""
    message = f'Invalid value: "{value}": field is immutable'
    cause = {"reason": "FieldValueInvalid", "message": message, "field": field}
    details = {"name": name, "kind": kind, "causes": [cause]}
    return refused(422, "Invalid", f'{kind} "{name}" is invalid: {field}: {message}', details)


def expired(what: str) -> Refused:
    return refused(410, "Expired", f"The resourceVersion for the provided {what} is too old.")


def page_expired(fresh: str) -> Refused:
    """A continue token whose list is gone; the answer brings one with which an inconsistent list goes on."""
    no = refused(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    )
    assert isinstance(no.body, dict)
    no.body["metadata"] = {"continue": fresh}
    return no


def not_yet(version: int, current: int) -> Refused:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    return refused(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def budget_says_no(message: str, retry_after: int | None = None) -> Refused:
    """429 of an eviction: the reason stands in the cause alone, and only an unseen budget names a wait."""
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": message}]}
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    said = "Cannot evict pod as it would violate the pod's disruption budget."
    return refused(429, "TooManyRequests", said, details)


def two_budgets() -> Refused:
    said = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    return refused(500, None, said)


def unauthorized() -> Refused:
    return refused(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, resource: str, group: str, namespace: str | None, name: str | None) -> Refused:
    kind = resource.partition("/")[0]
    of = f'{kind} "{name}" is' if name else f"{kind} is"
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = f'{of} forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    details = {"name": name, "kind": kind} if name else {"kind": kind}
    return refused(403, "Forbidden", message, details)


def success(details: Json | None = None, code: int | None = None) -> Json:
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        body["details"] = details
    return body if code is None else {**body, "code": code}


def _as_go(value: Any) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_as_go(value[key])}' for key in sorted(value))}]"
    return str(value)
