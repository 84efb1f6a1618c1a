"""What does a refusal of the API server mean for the next move?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException


class KubeError(Exception):
    """The API server refused or failed a call."""

    def __init__(self, message: str, *, code: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after  # s, where the server named a wait


class BudgetSaysWait(KubeError):
    """A disruption budget allows nothing now: ask again; it may never allow anything (a budget over bare pods)."""


class SeveralBudgets(KubeError):
    """More than one budget covers the pod; the server evicts such a pod never: a person has to act."""


class Overloaded(KubeError):
    """Too many requests, whoever makes them; says nothing about the pod. Never a budget's refusal."""


class Gone(KubeError):
    """There is no such object any more."""


class Replaced(KubeError):
    """Another object has its name now, or it changed since we read it: read again."""


class Denied(KubeError):
    """No or too few rights, or a token that ran out."""


class Unusable(KubeError):
    """The request itself is wrong."""


class OutcomeUnknown(KubeError):
    """No answer, or a server's failure: a change may or may not have happened, so observe."""


SORTED: Mapping[int, type[KubeError]] = {
    400: Unusable,
    401: Denied,
    403: Denied,
    404: Gone,
    405: Unusable,
    409: Replaced,
    410: Replaced,
    422: Unusable,
}


@contextmanager
def translated_errors() -> Iterator[None]:
    """The client's exceptions as ours."""
    try:
        yield
    except ApiException as refused:
        raise _sorted(refused) from refused
    except (urllib3.exceptions.HTTPError, OSError) as lost:
        raise OutcomeUnknown(f"the API server did not answer: {lost}") from lost


def _sorted(refused: ApiException) -> KubeError:
    status = _status(refused.body)
    message = str(status.get("message") or refused.body or refused.reason or "no reason given").strip()
    code, wait = int(refused.status or 0), _wait(refused)
    if code == 429:
        causes = (status.get("details") or {}).get("causes") or ()
        said = [cause["message"] for cause in causes if cause.get("reason") == "DisruptionBudget"]
        # the overloaded server answers 429 as well, in plain text: only the cause tells them apart
        return (
            BudgetSaysWait(said[0], code=code, retry_after=wait)
            if said
            else Overloaded(message, code=code, retry_after=wait)
        )
    if code == 500 and "more than one PodDisruptionBudget" in message:
        return SeveralBudgets(message, code=code)
    return SORTED.get(code, OutcomeUnknown)(message, code=code, retry_after=wait)


def _status(body: Any) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _wait(refused: ApiException) -> float | None:
    named = (refused.headers or {}).get("Retry-After")
    try:
        return float(named) if named is not None else None
    except ValueError:
        return None
