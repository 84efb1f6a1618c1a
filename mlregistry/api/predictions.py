"""`ml/predictions/history`: what was predicted, by which model, and what became of it?"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from accounts.ownership import Owned
from accounts.refusals import Unusable
from accounts.wire import Flag, Instant, StrictFilters
from mlregistry.api.model_bodies import LARGEST_ID, PredictionSerializer
from mlregistry.api.model_examples import HISTORY
from mlregistry.models import Outcome, Prediction

MOST, USUAL = 1000, 100


class ByCursor(BasePagination):
    """Newest first; `cursor` is where the last page ended, so that a page costs the same at any depth."""

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        self._request, self._next = request, None
        limit = self._whole("limit", USUAL, MOST)
        if request.query_params.get("cursor"):
            queryset = queryset.filter(pk__lt=self._whole("cursor", LARGEST_ID, LARGEST_ID))
        page = list(queryset.order_by("-pk")[: limit + 1])
        if len(page) > limit:
            self._next = replace_query_param(request.build_absolute_uri(), "cursor", str(page[limit - 1].pk))
        return page[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"count": None, "next": self._next, "previous": None, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        there = "https://spotopt.example/api/v1/ml/predictions/history?cursor=4711"
        properties = {
            "count": {"type": "null", "example": None, "description": "Nobody counts a history"},
            "next": {"type": ["string", "null"], "format": "uri", "example": there},
            "previous": {"type": "null", "example": None},
            "results": schema,
        }
        return {"type": "object", "required": ["next", "results"], "properties": properties}

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        told = {"limit": f"Rows of a page: at most {MOST}", "cursor": "Follow `next`: the page after that"}
        return [
            {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": "integer"}}
            for name, words in told.items()
        ]

    def _whole(self, name: str, default: int, most: int) -> int:
        raw = self._request.query_params.get(name)
        if raw is None:
            return default
        if not (raw.isascii() and raw.isdigit() and len(raw) < 20 and 1 <= int(raw) <= most):
            raise Unusable(errors=[{"pointer": f"?{name}", "detail": f"A whole number from 1 to {most}."}])
        return int(raw)


class PredictionFilters(StrictFilters):
    """Query parameters of the history."""

    model_id = filters.NumberFilter(field_name="model_id", max_value=LARGEST_ID)
    prediction_type = filters.CharFilter(max_length=24)
    is_shadow = Flag()
    outcome = filters.ChoiceFilter(choices=[(outcome.value, outcome.value) for outcome in Outcome])
    since = Instant(field_name="created_at", lookup_expr="gte")
    until = Instant(field_name="created_at", lookup_expr="lt")
    cursor = filters.CharFilter(method="paged")

    class Meta:
        model = Prediction
        fields: list[str] = []

    def paged(self, rows: QuerySet[Prediction], name: str, value: str) -> QuerySet[Prediction]:
        return rows  # the pagination reads it; here it is only known


@extend_schema_view(get=extend_schema(summary="What was predicted?", examples=HISTORY))
class PredictionHistory(Owned, generics.ListAPIView[Prediction]):
    """Predictions of the organization, newest first, each with its outcome where that is known."""

    queryset = Prediction.objects.defer("inputs")
    serializer_class = PredictionSerializer
    filterset_class = PredictionFilters
    pagination_class = ByCursor
