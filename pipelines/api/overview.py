"""Lab 20: the numbers of the landing page."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from accounts.ownership import owned
from accounts.wire import UsdPerHour, UsdPerMonth
from instances.models import Instance
from pipelines import needs, overview
from pipelines.api import examples
from pipelines.models import ExperimentLog, SavingsDaily


class KnownSerializer(serializers.Serializer[Any]):
    """`at` is of the oldest part that a figure rests on; null: of some of it nothing is known."""

    at = serializers.DateTimeField(allow_null=True)
    is_old = serializers.BooleanField()


class SumSerializer(serializers.Serializer[Any]):
    """Running instances; those without a known price are in `unpriced` and in no sum. Null: no price is known."""

    name = serializers.CharField()
    instances = serializers.IntegerField()
    spot = serializers.IntegerField()
    on_demand = serializers.IntegerField()
    unpriced = serializers.IntegerField()
    usd_per_hour = UsdPerHour(allow_null=True)
    usd_per_month = UsdPerMonth(allow_null=True)
    saved_usd_per_month = UsdPerMonth(help_text="What those on Spot cost less than On-Demand")


class FleetSerializer(serializers.Serializer[Any]):
    total = SumSerializer()
    idle = serializers.IntegerField(help_text="Instances that are there, and do not run")
    accounts = SumSerializer(many=True)
    regions = SumSerializer(many=True)
    types = SumSerializer(many=True)
    unpriced = serializers.ListField(child=serializers.CharField(), help_text="What has no known price")
    inventory = KnownSerializer()
    spot_prices = KnownSerializer()
    list_prices = KnownSerializer()


class SavingsSerializer(serializers.Serializer[Any]):
    """Of the latest decision on each instance; null where nothing was decided."""

    decided = serializers.IntegerField()
    switches = serializers.IntegerField()
    stays = serializers.IntegerField()
    usd_per_month = UsdPerMonth(allow_null=True)
    unknown = serializers.IntegerField(help_text="Switches whose savings are not known")
    is_shadow = serializers.BooleanField()
    oldest = KnownSerializer()
    newest_at = serializers.DateTimeField(allow_null=True)


class NeedSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    count = serializers.IntegerField()
    says = serializers.CharField()
    href = serializers.CharField(help_text="The page on which it is put right")
    is_urgent = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)


class DaySerializer(serializers.ModelSerializer[SavingsDaily]):
    usd_per_month = UsdPerMonth()
    savings_usd_per_month = UsdPerMonth()

    class Meta:
        model = SavingsDaily
        fields = (
            *("day", "noted_at", "instances", "unpriced", "usd_per_month"),
            *("switches", "savings_usd_per_month"),
        )


class OverviewSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    fleet = FleetSerializer()
    savings = SavingsSerializer()
    needs = NeedSerializer(many=True)
    days = DaySerializer(many=True, help_text="Of the last 30, those that are known, oldest first")


class Overview(APIView):
    """What runs, what it costs, what could be saved, and what needs somebody."""

    @extend_schema(responses=OverviewSerializer, examples=[examples.OVERVIEW])
    def get(self, request: Request) -> Response:
        caller, now = caller_of(request), timezone.now()
        body = {
            "at": now,
            "fleet": overview.fleet_of(owned(Instance, caller), now=now),
            "savings": overview.savings_of(owned(ExperimentLog, caller), now=now),
            "needs": needs.needs(caller, now=now),
            "days": overview.history_of(owned(SavingsDaily, caller), now=now),
        }
        return Response(OverviewSerializer(body).data)
