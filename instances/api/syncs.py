"""Lab 6: inventory now, and how far it is."""

from __future__ import annotations

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import HasCaller, caller_of, requires
from accounts.domain import Role, Scope
from accounts.idempotency import Repeatable
from accounts.models import AwsAccount
from accounts.ownership import owned_or_404
from accounts.refusals import Conflict
from accounts.wire import Strict
from instances import syncing
from instances.models import InventorySync, SyncState
from instances.tasks import sync_as_asked


class SyncRequest(Strict):
    """Nothing need be said."""


class RegionSerializer(serializers.Serializer[dict[str, object]]):
    region = serializers.CharField()
    instances = serializers.IntegerField()
    groups = serializers.IntegerField()
    vanished = serializers.IntegerField(help_text="No longer seen, and marked so")
    denied = serializers.ListField(child=serializers.CharField(), help_text="What the role may not ask")
    error = serializers.CharField(help_text="Empty: the region was read whole. Else nothing of it was changed")


class SyncSerializer(serializers.ModelSerializer[InventorySync]):
    """`regions` holds those that are done so far."""

    sync_id = serializers.IntegerField(source="pk")
    state = serializers.CharField(help_text="queued, running, done or failed")
    requested_by = serializers.CharField(source="requested_by.username", default=None, allow_null=True)
    is_lost = serializers.SerializerMethodField(help_text="Nobody is at it any more: ask again")
    regions = RegionSerializer(many=True)

    class Meta:
        model = InventorySync
        fields = (
            *("sync_id", "state", "is_lost", "requested_by", "requested_at", "started_at", "ended_at"),
            *("regions", "error"),
        )

    def get_is_lost(self, sync: InventorySync) -> bool:
        return sync.is_lost(at=timezone.now())


_QUEUED = {
    "sync_id": 7,
    "state": "queued",
    "is_lost": False,
    "requested_by": "alice",
    "requested_at": "2026-11-20T12:01:00.000000Z",
    "started_at": None,
    "ended_at": None,
    "regions": [],
    "error": "",
}
_REGION = {"region": "eu-west-3", "instances": 40, "groups": 3, "vanished": 0, "denied": [], "error": ""}
_DONE = {
    **_QUEUED,
    "state": "done",
    "started_at": "2026-11-20T12:01:01.000000Z",
    "ended_at": "2026-11-20T12:01:09.000000Z",
    "regions": [_REGION],
}
NOTHING = OpenApiExample("Nothing need be said", value={}, request_only=True)
QUEUED = OpenApiExample("Waits for a worker", value=_QUEUED, response_only=True, status_codes=["202"])
DONE = OpenApiExample("Read whole", value=_DONE, response_only=True, status_codes=["200"])


class Sync(Repeatable):
    """The inventory that was asked for last."""

    def get_permissions(self) -> list[BasePermission]:
        request = getattr(self, "request", None)
        reads = request is None or request.method in SAFE_METHODS
        return [HasCaller() if reads else requires(scope=Scope.MANAGE, role=Role.ADMIN)()]

    @extend_schema(
        summary="How far is the inventory that was asked for last?",
        operation_id="lab_account_sync_state",
        responses={200: SyncSerializer},
        examples=[DONE],
    )
    def get(self, request: Request, account_pk: int) -> Response:
        account = owned_or_404(AwsAccount, caller_of(request), pk=account_pk)
        sync = account.syncs.select_related("requested_by").first()
        if sync is None:
            raise Http404
        return Response(SyncSerializer(sync).data)

    @extend_schema(
        summary="Read the inventory now; while one is open a second request joins it",
        operation_id="lab_account_sync",
        request=SyncRequest,
        responses={202: SyncSerializer, 409: OpenApiResponse(description="Out of use, or its role is not valid.")},
        examples=[NOTHING, QUEUED],
    )
    def post(self, request: Request, account_pk: int) -> Response:
        SyncRequest(data=request.data).is_valid(raise_exception=True)
        caller = caller_of(request)
        account = owned_or_404(AwsAccount, caller, pk=account_pk)
        try:
            sync = syncing.request(account, by=caller, now=timezone.now())
        except syncing.NotReady as error:
            raise Conflict(str(error), state=error.state) from error
        if sync.state == SyncState.QUEUED:
            transaction.on_commit(lambda: sync_as_asked.delay(sync.pk))
        headers = {"Location": request.build_absolute_uri()}
        return Response(SyncSerializer(sync).data, status=status.HTTP_202_ACCEPTED, headers=headers)
