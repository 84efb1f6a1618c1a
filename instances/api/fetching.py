"""POST `ml/pricing/fetch`: market data now, for whoever keeps the market."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import OfThePlatform, caller_of
from accounts.idempotency import Repeatable
from accounts.refusals import Unusable
from instances.api.bodies import FetchOrderSerializer, FetchRequest
from instances.domain.market import DataType
from instances.market import orders
from instances.tasks import carry_out_order


class Fetch(Repeatable):
    """Fetch market data now. While the same is being fetched, that fetch is answered."""

    permission_classes = (OfThePlatform,)

    @extend_schema(
        summary="Fetch market data now, or join who does",
        request=FetchRequest,
        responses={202: FetchOrderSerializer},
        examples=[
            OpenApiExample(
                "A week of two types again",
                request_only=True,
                value={
                    "data_type": "spot_prices",
                    "instance_types": ["m5.large", "c5.large"],
                    "regions": ["us-east-1"],
                    "start_date": "2026-11-01",
                    "end_date": "2026-11-08",
                },
            ),
            OpenApiExample(
                "Queued",
                response_only=True,
                status_codes=["202"],
                value={
                    "task_id": "0b0e4b0a-8f0c-4f7e-9a53-0d9f2c1be7aa",
                    "status": "queued",
                    "estimated_records": 1480,
                },
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        wanted = FetchRequest(data=request.data, context={"regions": settings.MARKET_REGIONS})
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        try:
            with transaction.atomic():
                order, is_new = orders.place(
                    DataType(given["data_type"]),
                    regions=given["regions"],
                    instance_types=given["instance_types"],
                    since=given.get("start_date"),
                    until=given.get("end_date"),
                    by=caller_of(request).actor,
                    now=timezone.now(),
                )
                if is_new:
                    transaction.on_commit(lambda: carry_out_order.delay(str(order.pk)))
        except orders.NoSuchRange as error:
            raise Unusable(errors=[{"pointer": "#/start_date", "detail": str(error)}]) from error
        return Response(FetchOrderSerializer(order).data, status=status.HTTP_202_ACCEPTED)
