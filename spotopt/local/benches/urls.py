"""Which addresses do the benches add to the product's? A view that does nothing, and a decision that keeps nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import signed_in
from pipelines import deciding
from pipelines.api.decisions import SpotOptimize
from spotopt.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class Empty(APIView):
    """Knows its caller and may be asked by them, like the view it is the floor of; and that is all."""

    permission_classes = SpotOptimize.permission_classes

    def post(self, request: Request) -> HttpResponse:
        return HttpResponse(b"{}", content_type="application/json")


@signed_in()
def empty_page(request: HttpRequest) -> HttpResponse:
    """Knows the person, their organization and their role; and that is all."""
    return HttpResponse(b"-")


class Unkept(SpotOptimize):
    """The same answer without its durable row. One request at a time: `keep` is gone for all while it runs."""

    def post(self, request: Request) -> Any:
        with mock.patch.object(deciding, "keep", return_value=SimpleNamespace(pk="not kept")):
            return super().post(request)


urlpatterns = [
    path("bench/empty", Empty.as_view()),
    path("bench/empty-page", empty_page),
    path("bench/spot-optimize", Unkept.as_view()),
    path("", include("spotopt.urls")),
]
