"""Auth 4: a ticket for a WebSocket."""

from __future__ import annotations

from typing import Any

import redis
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.authentication import get_authorization_header
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import tickets
from accounts.authentication import BEARER, caller_of, requires
from accounts.domain import Role, Scope
from accounts.idempotency import Repeatable
from accounts.live.door import claim_of
from accounts.refusals import DependencyDown
from accounts.wire import Strict

ASKED = OpenApiExample("Nothing to say", value={}, request_only=True)
TICKET = OpenApiExample(
    "For one handshake",
    value={"ticket": "vS3kJ1m0QmJzq5rYyqg4n0b7y2eQzJxk9xwJ2b0aQ3E", "expires_in": 30},
    response_only=True,
)


class TicketRequest(Strict):
    """An empty object."""


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="`wss://…/api/v1/ml/stream?ticket=…`; works once")
    expires_in = serializers.IntegerField(help_text="Seconds")


class WsTicket(Repeatable, APIView):
    """A ticket for one WebSocket, within 30 seconds: for whoever has no session to open it with.

    Sockets: `/api/v1/ml/stream`, `/api/v1/ml/predictions/live`, `/ws/audit/`, `/ws/logs/`. Each sends JSON,
    `{"last", "items"}`; give `last` back when you reconnect, and what you missed comes first.
    """

    permission_classes = (requires(scope=Scope.READ, role=Role.VIEWER),)
    holds_secrets = True
    look = "A ticket is told once and lasts 30 seconds: ask for another, with another key or none."

    @extend_schema(
        operation_id="auth_ws_ticket",
        request=TicketRequest,
        responses={200: TicketSerializer},
        examples=[ASKED, TICKET],
    )
    def post(self, request: Request) -> Response:
        TicketRequest(data=request.data).is_valid(raise_exception=True)
        words = get_authorization_header(request).decode("latin-1").split()
        token = words[1] if len(words) == 2 and words[0].lower() == BEARER.lower() else None
        claim = claim_of(request._request, caller_of(request), token)
        try:
            text = tickets.issue(claim)
        except redis.RedisError as error:
            raise DependencyDown("Redis") from error
        return Response(TicketSerializer({"ticket": text, "expires_in": tickets.LIFETIME_SECONDS}).data)
