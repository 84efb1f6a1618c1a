"""Auth 1 to 3: tokens for a person's programs: had for a password and a code, refreshed, given back."""

from __future__ import annotations

from dataclasses import asdict

import redis
from django.contrib.auth import authenticate
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit, second_factor, tokens
from accounts.authentication import BEARER, Caller, member
from accounts.domain import Role
from accounts.models import Membership, User
from accounts.refusals import DependencyDown
from accounts.throttling import wait_to_sign_in
from accounts.wire import Strict

WRONG = "Name, password or code is wrong."
ENROL_FIRST = "Your role needs a second factor: sign in with a browser and enrol an authenticator first."
PAIR = OpenApiExample(
    "Two tokens",
    value={"access": "eyJhbGciOiJIUzI1NiJ9.…", "refresh": "eyJhbGciOiJIUzI1NiJ9.…", "expires_in": 600},
    response_only=True,
)
SIGN_IN = OpenApiExample(
    "With an authenticator",
    value={"username": "alice", "password": "correct horse battery staple", "code": "492039"},
    request_only=True,
)
REFRESH = OpenApiExample("A refresh token", value={"refresh": "eyJhbGciOiJIUzI1NiJ9.…"}, request_only=True)
REVOKED = OpenApiExample("Ended", value={"status": "revoked"}, response_only=True)


class SignInRequest(Strict):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=4096, trim_whitespace=False)
    code = serializers.CharField(max_length=40, required=False, help_text="Of the authenticator, or a recovery code")
    customer_id = serializers.UUIDField(required=False, help_text="Among your own; else the first by name")


class RefreshRequest(Strict):
    refresh = serializers.CharField(max_length=4096)


class PairSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="`Authorization: Bearer …`, for ten minutes")
    refresh = serializers.CharField(help_text="Works once")
    expires_in = serializers.IntegerField(help_text="Seconds, of the access token")


class RevokedSerializer(serializers.Serializer):
    status = serializers.CharField()


class _Door(APIView):
    """Open to whoever is not known yet."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()  # tries are counted by name and address: `_count`

    def get_authenticate_header(self, request: Request) -> str:
        return BEARER  # what makes a refusal a 401 and not a 403


class TokenPair(_Door):
    """Sign in: an access token for ten minutes, and a refresh token that works once within a day.

    Whoever has a second factor sends its `code`; owners and staff must have one.
    """

    @extend_schema(
        operation_id="auth_token", request=SignInRequest, responses={200: PairSerializer}, examples=[SIGN_IN, PAIR]
    )
    def post(self, request: Request) -> Response:
        wanted = SignInRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        _count(request, given["username"])
        user = authenticate(request._request, username=given["username"], password=given["password"])
        if not isinstance(user, User):
            raise exceptions.AuthenticationFailed(WRONG)
        own = list(user.memberships.select_related("organization").order_by("organization__name"))
        is_proven = _proves(user, own, given.get("code", ""))
        caller = _in_organization(user, own, given.get("customer_id"))
        pair = tokens.issue(user, caller.organization, has_second_factor=is_proven, now=timezone.now())
        audit.record(caller, "token.issued", user)
        return Response(PairSerializer(asdict(pair)).data)


class TokenRefresh(_Door):
    """The next two tokens. A refresh token that comes back a second time ends all tokens of its sign-in."""

    @extend_schema(
        operation_id="auth_token_refresh",
        request=RefreshRequest,
        responses={200: PairSerializer},
        examples=[REFRESH, PAIR],
    )
    def post(self, request: Request) -> Response:
        wanted = RefreshRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            pair = tokens.refresh(wanted.validated_data["refresh"], now=timezone.now())
        except tokens.Refused as error:
            if error.reused:
                audit.record(
                    error.reused.user.get_username(),
                    "token.reused",
                    error.reused.user,
                    organization=error.reused.organization,
                    reason="A refresh token came back; all tokens of its sign-in ended.",
                )
            raise exceptions.AuthenticationFailed(str(error)) from error
        return Response(PairSerializer(asdict(pair)).data)


class TokenRevoke(_Door):
    """Sign out: all tokens of that sign-in end at once. The answer is the same for a token that is none."""

    @extend_schema(
        operation_id="auth_token_revoke",
        request=RefreshRequest,
        responses={200: RevokedSerializer},
        examples=[REFRESH, REVOKED],
    )
    def post(self, request: Request) -> Response:
        wanted = RefreshRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        family = tokens.revoke(wanted.validated_data["refresh"], now=timezone.now())
        if family:
            name = family.user.get_username()
            audit.record(name, "token.revoked", family.user, organization=family.organization)
        return Response({"status": "revoked"})


def _count(request: Request, name: str) -> None:
    try:
        wait = wait_to_sign_in(request._request, name)
    except redis.RedisError as error:  # uncounted tries would be a way around the limit
        raise DependencyDown("Redis") from error
    if wait:
        raise exceptions.Throttled(wait)


def _proves(user: User, own: list[Membership], code: str) -> bool:
    """Whether a second factor was proved. AuthenticationFailed where it had to be and was not."""
    if second_factor.device_of(user) is not None:
        if not second_factor.proves(user, code, now=timezone.now()):
            raise exceptions.AuthenticationFailed(WRONG)
        return True
    if second_factor.must_have(user, [Role(membership.role) for membership in own]):
        raise exceptions.PermissionDenied(ENROL_FIRST)
    return False


def _in_organization(user: User, own: list[Membership], wanted: object) -> Caller:
    """Them in the organization they named, or in the first of theirs. NotFound where it is none of theirs."""
    chosen = [each for each in own if wanted is None or each.organization_id == wanted]
    if wanted is not None and not chosen:
        raise exceptions.NotFound
    return member(user, chosen[0] if chosen else None)
