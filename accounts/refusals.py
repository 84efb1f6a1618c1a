"""What is said to a program whose request cannot be granted, beyond what the framework's own exceptions say?"""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException


class Unusable(APIException):
    """422: well-formed, but it cannot be done as asked; `errors` say what to change, each by JSON pointer."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "The request is well-formed but cannot be used; see errors."
    default_code = "unusable"

    def __init__(self, detail: str | None = None, *, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class Conflict(APIException):
    """409: a state stands in the way; `state` names it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The state of this does not allow that."
    default_code = "conflict"

    def __init__(self, detail: str | None = None, *, state: Any = None) -> None:
        super().__init__(detail)
        self.state = state


class TooLarge(APIException):
    """413: more bytes than are taken."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "too_large"


class DependencyDown(APIException):
    """503: something this answer needs does not answer; `dependency` names it."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "dependency_down"

    def __init__(self, dependency: str) -> None:
        super().__init__(f"{dependency} is down; try again.")
        self.dependency = dependency


class SwitchedOff(APIException):
    """503: this installation cannot do it as it is set up; the detail says what it lacks."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "switched_off"
