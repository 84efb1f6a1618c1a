"""Lab 17: how did a run go, step by step?"""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from accounts.ownership import Owned
from pipelines.api import examples
from pipelines.api.serializers import RunSerializer
from pipelines.models import PipelineRun


@extend_schema_view(get=extend_schema(examples=[examples.RUN]))
class RunDetail(Owned, generics.RetrieveAPIView[PipelineRun]):
    """A run with every step: what went in, what came out, how long it took."""

    queryset = (
        PipelineRun.objects.select_related("instance", "requested_by", "experiment")
        .prefetch_related("steps")
        .defer("experiment__receipt", "instance__facts", "instance__tags")
    )
    serializer_class = RunSerializer
    lookup_url_kwarg = "run_id"
