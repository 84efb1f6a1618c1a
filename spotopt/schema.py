"""What does the OpenAPI schema say that no single view knows? How callers identify themselves, and how we refuse."""

from __future__ import annotations

import functools
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.utils import OpenApiExample, extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from spotopt.problems import MEDIA_TYPE

API_VERSION = "1.0"  # of the contract: the first number changes when a caller must
PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `errors` point into the body (`#/inputs/0/region`) or at a parameter (`?limit`).",
    "required": ["type", "title", "status", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "dependency": {"type": "string", "description": "With 503: what is down."},
        "state": {"description": "With 409: the state that stands in the way."},
        "request_id": {"type": "string", "description": "By which the server's log and the audit log name this call."},
    },
    "example": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "The request is well-formed but cannot be used; see errors.",
        "errors": [{"pointer": "#/regionn", "detail": "There is no such field."}],
        "request_id": "0f8fad5bd9cb469fa16570867728950e",
    },
}
REFUSALS = {
    "401": "No credentials, or bad ones.",
    "403": "The role or the scope is too low.",
    "404": "Not there, or not yours.",
    "422": "Well-formed but unusable; `errors` say what to change.",
    "429": "Too many requests; see Retry-After.",
    "503": "A dependency is down; `dependency` says which.",
}
CUSTOMER = {
    "in": "query",
    "name": "customer_id",
    "schema": {"type": "string", "format": "uuid"},
    "description": "For which organization: keys of the platform must say so, for all others it is their own.",
}
METHODS = ("get", "post", "put", "patch", "delete")


def say_how_it_refuses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the problem answers to every operation that asks who calls."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in (path[method] for method in METHODS if method in path):
            if {} in operation.get("security", [{}]):
                continue
            operation.setdefault("parameters", []).append(CUSTOMER)
            for status, description in REFUSALS.items():
                operation["responses"].setdefault(status, {"description": description, "content": content})
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key spotopt_…`; a key has scopes and belongs to one organization, or to the platform.",
        }


class JwtScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.JwtAuthentication"
    name = "Bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A person's token from `auth/token/`; for another organization of theirs: `customer_id`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.PersonAuthentication"
    name = "Session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The dashboard's session; a change also needs the X-CSRFToken header.",
        }


@functools.cache
def whole_schema() -> dict[str, Any]:
    """Drawn once a process: it takes a second, and anybody may ask for it."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return schema


class Open(APIView):
    """For anybody: it says nothing that the source code does not."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()


class Schema(Open):
    """OpenAPI 3.1 of everything under /api/v1/."""

    renderer_classes = (OpenApiJsonRenderer2, OpenApiYamlRenderer2)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(whole_schema())


class Docs(Open, SpectacularSwaggerSplitView):
    """The browsable schema. Its script and style are files of ours: the content policy allows no inline ones."""

    template_name = "api/docs.html"
    url_name = "schema"


class Index(Open):
    """Which contract is this? A newer executor asks before it sends what an older server would refuse."""

    @extend_schema(
        summary="Version of this interface, and where its schema is",
        responses={200: {"type": "object", "additionalProperties": {"type": "string"}}},
        examples=[OpenApiExample("This server", value={"name": "spotopt", "schema_version": API_VERSION})],
    )
    def get(self, request: Request) -> Response:
        return Response(
            {
                "name": "spotopt",
                "schema_version": API_VERSION,
                "schema": reverse("schema", request=request),
                "docs": reverse("docs", request=request),
            }
        )
