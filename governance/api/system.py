"""System: how are the components doing, and how did their jobs end?"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from accounts.wire import Flag, StrictFilters
from governance import monitoring
from governance.api import examples
from governance.domain.components import COMPONENTS, Status, component_of
from governance.models import ComponentRun


class HourSerializer(serializers.Serializer[Any]):
    hours_ago = serializers.IntegerField(help_text="0 = the running hour")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()


class ComponentSerializer(serializers.Serializer[Any]):
    """Counts, rates and durations are of the last 24 hours; null where nothing ended."""

    name = serializers.CharField()
    status = serializers.ChoiceField(choices=[(s.value, s.name) for s in Status])
    last_started_at = serializers.DateTimeField(allow_null=True)
    last_ended_at = serializers.DateTimeField(allow_null=True)
    last_is_success = serializers.BooleanField(allow_null=True)
    runs = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True)
    p50_seconds = serializers.FloatField(allow_null=True)
    p95_seconds = serializers.FloatField(allow_null=True)
    uptime = serializers.FloatField(
        allow_null=True, help_text="Of the hours in which it ran: the share with a run that ended well"
    )
    hours = HourSerializer(many=True, help_text="Oldest first")


class JobRunSerializer(serializers.Serializer[Any]):
    """`detail` is empty where it is the installation's: its staff read it."""

    id = serializers.IntegerField(source="run.pk")
    component = serializers.CharField(source="run.component")
    task = serializers.CharField(source="run.task")
    subject = serializers.CharField(help_text="A region, an account, an instance, or empty")
    started_at = serializers.DateTimeField(source="run.started_at")
    ended_at = serializers.DateTimeField(source="run.ended_at", allow_null=True)
    duration_seconds = serializers.FloatField(allow_null=True)
    is_success = serializers.BooleanField(source="run.is_success", allow_null=True)
    detail = serializers.CharField()


class Components(APIView):
    """Every part of this software that does periodic work. Parts that are not built yet are not listed."""

    @extend_schema(responses=ComponentSerializer(many=True), examples=[examples.COMPONENT])
    def get(self, request: Request) -> Response:
        return Response(ComponentSerializer(monitoring.components(now=timezone.now()), many=True).data)


class RunFilters(StrictFilters):
    is_success = Flag()
    task = filters.CharFilter()
    since = filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = ComponentRun
        fields: list[str] = []


class LogFilters(RunFilters):
    component = filters.ChoiceFilter(choices=[(each.name, each.name) for each in COMPONENTS])


@extend_schema_view(get=extend_schema(examples=[examples.RUN]))
class Logs(generics.ListAPIView[ComponentRun]):
    """The log of jobs, newest first: the caller's own, and the market's in their regions."""

    queryset = ComponentRun.objects.none()
    serializer_class = JobRunSerializer
    filterset_class = LogFilters

    def get_queryset(self) -> QuerySet[ComponentRun]:
        if getattr(self, "swagger_fake_view", False):  # the schema is drawn without a caller
            return ComponentRun.objects.none()
        return monitoring.visible(caller_of(self.request))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        rows = monitoring.lines(page or [], caller_of(request))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


@extend_schema_view(get=extend_schema(examples=[examples.RUN]))
class ComponentRuns(Logs):
    """The runs of one component, newest first."""

    filterset_class = RunFilters

    def get_queryset(self) -> QuerySet[ComponentRun]:
        if getattr(self, "swagger_fake_view", False):
            return ComponentRun.objects.none()
        component = component_of(self.kwargs["name"])
        if component is None:
            raise Http404
        return super().get_queryset().filter(component=component.name)
