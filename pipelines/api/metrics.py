"""GET `ml/metrics`: how much is predicted and decided now, and how fast?"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from pipelines import metrics

_SHARED = "Of the installation: for a key of the platform that names no customer, else null"
_FIGURES = {
    "predictions_per_minute": 120.4,
    "decisions_per_minute": 3.2,
    "avg_prediction_latency_ms": 6.1,
    "p50_prediction_latency_ms": 4.9,
    "p95_prediction_latency_ms": 14.2,
    "p99_prediction_latency_ms": 31.8,
    "cache_hit_rate": None,
    "database_connections": None,
}


class MetricsSerializer(serializers.Serializer[Any]):
    """Of the last five minutes. A latency is that of the call, which may have had many inputs; null: there was none."""

    predictions_per_minute = serializers.FloatField()
    decisions_per_minute = serializers.FloatField(help_text="On instances, and of engines")
    avg_prediction_latency_ms = serializers.FloatField(allow_null=True)
    p50_prediction_latency_ms = serializers.FloatField(allow_null=True)
    p95_prediction_latency_ms = serializers.FloatField(allow_null=True)
    p99_prediction_latency_ms = serializers.FloatField(allow_null=True)
    cache_hit_rate = serializers.FloatField(allow_null=True, help_text=f"Since the cache started. {_SHARED}")
    database_connections = serializers.IntegerField(allow_null=True, help_text=_SHARED)


class Metrics(APIView):
    """The caller's own figures; Prometheus finds the installation's at `/metrics`."""

    @extend_schema(
        summary="How much is predicted and decided, and how fast?",
        responses={200: MetricsSerializer},
        examples=[OpenApiExample("Of an organization", response_only=True, value=_FIGURES)],
    )
    def get(self, request: Request) -> Response:
        return Response(MetricsSerializer(metrics.of_caller(caller_of(request), now=timezone.now())).data)
