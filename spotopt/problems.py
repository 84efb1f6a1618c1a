"""How does the API say no? Always as application/problem+json (RFC 9457), never with a trace.

`handle` serves the API's views; the four `page_…` handlers serve what Django refuses before or outside them.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import kombu.exceptions
import psycopg.errors
import redis.exceptions
from django.core import signals
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from accounts import tracing
from accounts.refusals import Conflict, DependencyDown, TooLarge, Unusable
from accounts.wire import first_faults, pointer

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
API = "/api/"
NOTHING_HERE = "There is nothing here, or it is not yours."  # absent and foreign alike
READS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})  # whose parameters stand in the address


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: every error of an API view as a problem."""
    request = context.get("request")
    refusal = refusal_of(error)
    if refusal.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("failed", exc_info=error)
        signals.got_request_exception.send(sender=None, request=getattr(request, "_request", request))
    set_rollback()
    body = problem(refusal, in_address=getattr(request, "method", "") in READS)
    return Response(body, status=refusal.status_code, headers=_headers(refusal), content_type=MEDIA_TYPE)


def refusal_of(error: BaseException) -> exceptions.APIException:
    """The error as one of the API's: what it does not know is a 500."""
    if isinstance(error, exceptions.ValidationError):
        error.status_code = HTTPStatus.UNPROCESSABLE_ENTITY  # 400 is for what cannot even be read
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, SuspiciousOperation):
        return exceptions.ParseError()
    dependency = missing_dependency(error)
    return DependencyDown(dependency) if dependency else exceptions.APIException("Something failed here; it is logged.")


def missing_dependency(error: BaseException) -> str:
    """Which service did not answer, or empty. A statement that the database itself refused is not this."""
    if isinstance(error, OperationalError | InterfaceError):
        is_busy = isinstance(error.__cause__, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable)
        return "PostgreSQL (busy)" if is_busy else "PostgreSQL"
    if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        return "Redis"
    if isinstance(error, kombu.exceptions.OperationalError):
        return "Redis"
    return ""


def problem(refusal: exceptions.APIException, *, in_address: bool = False) -> dict[str, Any]:
    """The body. `errors` point into the body (`#/inputs/0`), or at a parameter of the address (`?limit`)."""
    status = refusal.status_code
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if isinstance(refusal, exceptions.ValidationError):
        body["detail"] = Unusable.default_detail
        body["errors"] = first_faults(_faults(refusal.detail, in_address=in_address))
    else:
        body["detail"] = NOTHING_HERE if isinstance(refusal, exceptions.NotFound) else str(refusal.detail)
        body["errors"] = refusal.errors if isinstance(refusal, Unusable) else []
    if isinstance(refusal, DependencyDown):
        body["dependency"] = refusal.dependency
    if isinstance(refusal, Conflict):
        body["state"] = refusal.state
    body["request_id"] = tracing.request_id.get()
    return body


def _faults(detail: Any, path: tuple[str | int, ...] = (), *, in_address: bool) -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            deeper = path if name == "non_field_errors" else (*path, name)
            yield from _faults(inner, deeper, in_address=in_address)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            deeper = (*path, index) if isinstance(inner, Mapping | list) else path
            yield from _faults(inner, deeper, in_address=in_address)
    else:
        yield {"pointer": f"?{path[0]}" if in_address and path else pointer(path), "detail": str(detail)}


def _headers(refusal: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(refusal, "auth_header", None):
        headers["WWW-Authenticate"] = refusal.auth_header  # type: ignore[attr-defined]
    if isinstance(refusal, exceptions.Throttled):
        headers["Retry-After"] = str(math.ceil(getattr(refusal, "wait", None) or 1))
    if isinstance(refusal, DependencyDown):
        headers["Retry-After"] = "5"
    return headers


def _answer(refusal: exceptions.APIException) -> HttpResponse:
    body = json.dumps(problem(refusal))
    return HttpResponse(body, status=refusal.status_code, headers=_headers(refusal), content_type=MEDIA_TYPE)


@csrf_exempt
def unknown_route(request: HttpRequest) -> HttpResponse:
    """Any address under /api/ that leads nowhere. One with a slash too many is sent to the one without."""
    bare = request.path_info.rstrip("/")
    try:
        if request.path_info != bare and resolve(bare).func is not unknown_route:
            query = request.META.get("QUERY_STRING", "")
            return HttpResponsePermanentRedirect(bare + (f"?{query}" if query else ""), preserve_request=True)
    except Resolver404:
        pass
    return _answer(exceptions.NotFound())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return _answer(exceptions.NotFound())
    return defaults.page_not_found(request, exception)


def page_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return _answer(exceptions.PermissionDenied())
    return defaults.permission_denied(request, exception)


def page_bad(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return _answer(refusal_of(exception))
    return defaults.bad_request(request, exception)


def page_failed(request: HttpRequest) -> HttpResponse:
    """Called while the error is still being handled, so that a dead database is told from a fault of ours."""
    error = sys.exc_info()[1]
    refusal = refusal_of(error) if error else exceptions.APIException()
    if request.path.startswith(API):
        return _answer(refusal)
    response = defaults.server_error(request)
    response.status_code = refusal.status_code if isinstance(refusal, DependencyDown) else response.status_code
    return response
