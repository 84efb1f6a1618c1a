"""`ml/pricing/…`: what is known of prices and ratings, as JSON or as a sheet (`format=csv`)."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.db.models import Q, QuerySet, Subquery
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from accounts.authentication import caller_of
from accounts.models import AwsAccount
from accounts.ownership import Owned, owned
from accounts.refusals import Unusable
from accounts.sheets import Csv
from accounts.wire import EVERYWHERE, StrictFilters
from instances.api import bodies
from instances.domain.money import usd
from instances.domain.pool import ZONE_ID
from instances.market import statistics, zones
from instances.models import FetchSource, MarketFetch, OnDemandPrice, Pool, SpotAdvisorRating, SpotPrice

FARTHEST = 10_000  # rows that may be skipped by offset: each is read to be thrown away
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGING = [
    OpenApiParameter("limit", int, description="Rows of a page: at most 1000, of a sheet 50000"),
    OpenApiParameter("offset", int, description="Rows to skip: at most 10000, beyond that read by cursor"),
]


class SpotPrices(generics.GenericAPIView[SpotPrice]):
    """Spot price changes, newest first."""

    renderer_classes = (JSONRenderer, Csv)
    columns = ("instance_type", "region", "az", "zone_name", "product", "spot_price", "timestamp")

    @extend_schema(
        summary="How did Spot prices change?",
        parameters=[bodies.SpotQuery, *PAGING],
        responses={(200, "application/json"): bodies.SpotPricePage, (200, "text/csv"): OpenApiTypes.STR},
        filters=False,
        examples=[
            OpenApiExample(
                "By cursor, with an account's zone names",
                response_only=True,
                value={
                    "count": None,
                    "next": "https://spotopt.example/api/v1/ml/pricing/spot?cursor=MTc5NDk3NzQ2NzAwMDAwMC4xMg&limit=1",
                    "previous": None,
                    "results": [
                        {
                            "instance_type": "m5.large",
                            "region": "us-east-1",
                            "az": "use1-az1",
                            "zone_name": "us-east-1a",
                            "product": "Linux/UNIX",
                            "spot_price": "0.041600",
                            "timestamp": "2026-11-18T11:31:07.000000Z",
                        }
                    ],
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        given = {name: value for name, value in request.query_params.items() if name not in EVERYWHERE}
        query = bodies.SpotQuery(data=given, context={"now": timezone.now()})
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        account = _account(request, wanted.get("account_id"))
        rows = SpotPrice.objects.filter(
            pool_id__in=_pools(wanted, account).values("pk"), at__gte=wanted["start_date"], at__lt=wanted["end_date"]
        ).order_by("-at", "pool_id")
        if "cursor" in wanted:
            return Response(self._by_cursor(rows, wanted["cursor"], account))
        return self._by_offset(rows, account)

    def _by_offset(self, rows: QuerySet[SpotPrice], account: AwsAccount | None) -> Response:
        given = self.request.query_params.get("offset", "")
        if given.isdigit() and int(given[:12]) > FARTHEST:
            detail = f"At most {FARTHEST}; a longer history is read by cursor: begin with an empty `cursor`."
            raise Unusable(errors=[{"pointer": "?offset", "detail": detail}])
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(_shown(page or [], account))

    def _by_cursor(self, rows: QuerySet[SpotPrice], cursor: str, account: AwsAccount | None) -> dict[str, Any]:
        if "offset" in self.request.query_params:
            raise Unusable(errors=[{"pointer": "?offset", "detail": "Either cursor or offset."}])
        limit = cast(LimitOffsetPagination, self.paginator).get_limit(self.request) or 0
        if cursor:
            at, pool_id = _position(cursor)
            rows = rows.filter(Q(at__lt=at) | Q(at=at, pool_id__gt=pool_id), at__lte=at)
        page = list(rows[: limit + 1])
        address = None
        if len(page) > limit:
            here = self.request.build_absolute_uri()
            address = replace_query_param(here, "cursor", _cursor(page[limit - 1]))
        return {"count": None, "next": address, "previous": None, "results": _shown(page[:limit], account)}


def _account(request: Request, account_id: str | None) -> AwsAccount | None:
    """The caller's account of that id. Http404 when they have none."""
    if account_id is None:
        return None
    found = owned(AwsAccount, caller_of(request)).filter(account_id=account_id).order_by("pk").first()
    if found is None:
        raise Http404
    return found


def _pools(wanted: dict[str, Any], account: AwsAccount | None) -> QuerySet[Pool]:
    pools = Pool.objects.filter(product=wanted["product"])
    for name in ("instance_type", "region"):
        if name in wanted:
            pools = pools.filter(**{name: wanted[name]})
    zone = wanted.get("availability_zone")
    if zone and not ZONE_ID.fullmatch(zone):
        zone_id = zones.zone_id(account, zone)
        if zone_id is None:
            detail = f"The account's zones as we know them have no {zone}."
            raise Unusable(errors=[{"pointer": "?availability_zone", "detail": detail}])
        zone = zone_id
    return pools.filter(zone_id=zone) if zone else pools


def _shown(rows: list[SpotPrice], account: AwsAccount | None) -> list[dict[str, Any]]:
    """Two queries more, whatever the number of rows; one without an account."""
    pools = Pool.objects.in_bulk({row.pool_id for row in rows})
    regions = {pool.region for pool in pools.values()}
    names = {k: v for region in regions for k, v in zones.zone_names(account, region).items()} if account else {}
    told = [
        {
            "instance_type": pool.instance_type,
            "region": pool.region,
            "az": pool.zone_id,
            "zone_name": names.get(pool.zone_id),
            "product": pool.product,
            "spot_price": usd(row.usd_micro),
            "timestamp": row.at,
        }
        for row, pool in ((row, pools[row.pool_id]) for row in rows)
    ]
    return bodies.SpotPriceSerializer(told, many=True).data  # type: ignore[return-value]


def _cursor(row: SpotPrice) -> str:
    text = f"{(row.at - EPOCH) // MICROSECOND}.{row.pool_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, int]:
    """Where that page ended. Raises Unusable for a cursor that we did not give."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        micros, _, pool_id = text.partition(".")
        at, pool = EPOCH + int(micros) * MICROSECOND, int(pool_id)
        if not 0 <= pool < 2**31:
            raise ValueError(pool)
    except (binascii.Error, ValueError, OverflowError) as error:
        detail = "This is no cursor of ours: follow `next`, or begin with an empty one."
        raise Unusable(errors=[{"pointer": "?cursor", "detail": detail}]) from error
    return at, pool


class OnDemandFilters(StrictFilters):
    instance_type = filters.CharFilter()
    region = filters.CharFilter()
    operating_system = filters.CharFilter()

    class Meta:
        model = OnDemandPrice
        fields: list[str] = []


@extend_schema_view(
    get=extend_schema(
        summary="What do types cost On-Demand, and what did they?",
        responses={
            (200, "application/json"): bodies.OnDemandPriceSerializer(many=True),
            (200, "text/csv"): OpenApiTypes.STR,
        },
        examples=[
            OpenApiExample(
                "A list price",
                response_only=True,
                value={
                    "instance_type": "m5.large",
                    "region": "us-east-1",
                    "hourly_price": "0.096000",
                    "operating_system": "Linux",
                    "effective_date": "2026-08-01T00:00:00.000000Z",
                    "fetched_at": "2026-11-18T03:10:04.000000Z",
                },
            )
        ],
    )
)
class OnDemandPrices(Owned, generics.ListAPIView[OnDemandPrice]):
    """List prices by region and type, each type's newest first."""

    queryset = OnDemandPrice.objects.order_by("region", "instance_type", "operating_system", "-effective_at")
    serializer_class = bodies.OnDemandPriceSerializer
    filterset_class = OnDemandFilters
    renderer_classes = (JSONRenderer, Csv)
    columns = bodies.OnDemandPriceSerializer.Meta.fields


class AdvisorFilters(StrictFilters):
    instance_type = filters.CharFilter()
    family = filters.CharFilter(method="of_family", help_text="All sizes of it: m5")
    region = filters.CharFilter()
    operating_system = filters.CharFilter()

    class Meta:
        model = SpotAdvisorRating
        fields: list[str] = []

    def of_family(self, rows: QuerySet[SpotAdvisorRating], _: str, family: str) -> QuerySet[SpotAdvisorRating]:
        return rows.filter(instance_type__startswith=f"{family}.")


def _last_asked() -> Subquery:
    whole = MarketFetch.objects.whole().filter(source=FetchSource.ADVISOR)
    return Subquery(whole.order_by("-through").values("through")[:1])


@extend_schema_view(
    get=extend_schema(
        summary="How often does AWS say that types are interrupted?",
        responses={
            (200, "application/json"): bodies.AdvisorRatingSerializer(many=True),
            (200, "text/csv"): OpenApiTypes.STR,
        },
        examples=[
            OpenApiExample(
                "Rarely interrupted",
                response_only=True,
                value={
                    "instance_type": "m5.large",
                    "region": "us-east-1",
                    "operating_system": "Linux",
                    "interruption_band": "<5%",
                    "interruption_rate": 0.025,
                    "savings_over_od": 57,
                    "observed_at": "2026-11-02T09:00:00.000000Z",
                    "last_updated": "2026-11-18T11:00:00.000000Z",
                },
            )
        ],
    )
)
class AdvisorRatings(Owned, generics.ListAPIView[SpotAdvisorRating]):
    """The Spot Advisor's ratings in force."""

    queryset = SpotAdvisorRating.objects.filter(superseded_at=None).order_by(
        "region", "instance_type", "operating_system"
    )
    serializer_class = bodies.AdvisorRatingSerializer
    filterset_class = AdvisorFilters
    renderer_classes = (JSONRenderer, Csv)
    columns = bodies.AdvisorRatingSerializer.Meta.fields

    def get_queryset(self) -> QuerySet[SpotAdvisorRating]:
        return super().get_queryset().annotate(fetched_at=_last_asked())


class Statistics(APIView):
    """How much of the market is stored, and how old it is."""

    @extend_schema(
        summary="How much is stored?",
        responses=bodies.StatisticsSerializer,
        examples=[
            OpenApiExample(
                "Two regions",
                response_only=True,
                value={
                    "spot_prices_count": 1480211,
                    "is_estimate": True,
                    "spot_days_count": 412000,
                    "on_demand_prices_count": 1240,
                    "spot_advisor_count": 1322,
                    "last_updated": "2026-11-18T11:50:00.000000Z",
                    "updated": {
                        "spot_prices": "2026-11-18T11:50:00.000000Z",
                        "on_demand": "2026-11-18T03:10:04.000000Z",
                        "spot_advisor": "2026-11-18T11:00:00.000000Z",
                    },
                    "coverage": {
                        "instance_types": ["c5.large", "m5.large"],
                        "regions": ["eu-west-3", "us-east-1"],
                        "date_range": {"from": "2026-08-20T00:00:00.000000Z", "to": "2026-11-18T11:50:00.000000Z"},
                    },
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        return Response(bodies.StatisticsSerializer(statistics.gathered()).data)
