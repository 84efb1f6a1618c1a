"""Governance: who did what, and was the record of it changed?"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import sealing
from accounts.authentication import caller_of
from accounts.heads import Head
from accounts.models import AuditEntry
from accounts.wire import Strict, StrictFilters
from governance import audit_log
from governance.api import examples


class AuditFilters(StrictFilters):
    """Query parameters of the audit log."""

    deed = filters.CharFilter(lookup_expr="icontains", help_text="A part of it, e.g. `policy.`")
    actor = filters.CharFilter(lookup_expr="icontains")
    subject = filters.CharFilter(lookup_expr="icontains", help_text="e.g. `instance/41`")
    request_id = filters.CharFilter()
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


class EntrySerializer(serializers.Serializer[AuditEntry]):
    """`sequence` is the entry's place in the organization's chain of seals; null while it has no seal."""

    sequence = serializers.IntegerField(source="sealed.sequence", allow_null=True)
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    deed = serializers.CharField()
    subject = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    reason = serializers.CharField()
    request_id = serializers.CharField()


@extend_schema_view(get=extend_schema(examples=[examples.ENTRY]))
class AuditLog(generics.ListAPIView[AuditEntry]):
    """Audit entries, newest first: the organization's, or the platform's own for its key without `customer_id`."""

    queryset = AuditEntry.objects.none()
    serializer_class = EntrySerializer
    filterset_class = AuditFilters

    def get_queryset(self) -> QuerySet[AuditEntry]:
        if getattr(self, "swagger_fake_view", False):  # the schema is drawn without a caller
            return AuditEntry.objects.none()
        return audit_log.readable(caller_of(self.request)).order_by("-id")


class HeadRequest(Strict):
    """A head written down earlier: the chain must still hold it."""

    sequence = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    seal = serializers.RegexField(r"^[0-9a-f]{64}$", required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if len(given) == 1:
            raise serializers.ValidationError("Give sequence and seal, or neither.")
        return given


class HeadSerializer(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    seal = serializers.CharField()


class FaultSerializer(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    what = serializers.CharField()


class VerdictSerializer(serializers.Serializer[Any]):
    """`is_anchored` is false while no head kept outside the database was there: then a cut-off end would not show."""

    is_intact = serializers.BooleanField()
    verdict = serializers.CharField(help_text="The same in words")
    sealed = serializers.IntegerField()
    head = HeadSerializer(allow_null=True, help_text="Write it down, and give it back later")
    is_anchored = serializers.BooleanField()
    unsealed = serializers.IntegerField()
    oldest_unsealed_at = serializers.DateTimeField(allow_null=True)
    unsealed_for_seconds = serializers.FloatField()
    faults_count = serializers.IntegerField()
    faults = FaultSerializer(many=True, help_text=f"At most {sealing.MOST_FAULTS}")


class AuditVerify(APIView):
    """Recompute the seals: is any entry changed, missing, moved or cut off the end?"""

    @extend_schema(parameters=[HeadRequest], responses=VerdictSerializer, examples=[examples.VERDICT, examples.BROKEN])
    def get(self, request: Request) -> Response:
        wanted = HeadRequest(data={n: v for n, v in request.query_params.items() if n != "customer_id"})
        wanted.is_valid(raise_exception=True)
        known = Head(**wanted.validated_data) if wanted.validated_data else None
        found, now = sealing.verify(audit_log.whose_chain(caller_of(request)), known=known), timezone.now()
        body = {
            "is_intact": found.is_intact,
            "verdict": audit_log.in_words(found, now=now),
            "sealed": found.sealed,
            "head": found.head,
            "is_anchored": found.is_anchored,
            "unsealed": found.unsealed,
            "oldest_unsealed_at": found.oldest_unsealed_at,
            "unsealed_for_seconds": found.tail_lasts(now=now).total_seconds(),
            "faults_count": found.faults_count,
            "faults": found.faults,
        }
        return Response(VerdictSerializer(body).data)
