"""Sockets of predictions and decisions as they happen, and of a run that somebody watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.template.loader import render_to_string

from accounts.authentication import Caller
from accounts.feed import Kind, Stream, Told
from accounts.live.programs import Programs
from accounts.live.views import Plain, View
from accounts.ownership import owned_or_404
from pipelines.models import PipelineRun
from pipelines.picture import context

KINDS = frozenset({Kind.PREDICTION, Kind.DECISION, Kind.EVALUATION})


class PredictionsAndDecisions(Programs):
    def view(self, caller: Caller, asked: Mapping[str, str]) -> View:
        return Plain(caller.organization.pk if caller.organization else None, KINDS)


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of one run, drawn anew when something of it was told."""

    stream: Stream
    run: UUID

    def frame(self, rows: Sequence[Told], last: int) -> str | None:
        if not any(row.kind is Kind.RUN and row.body["run"] == str(self.run) for row in rows):
            return None
        run = PipelineRun.objects.select_related("experiment", "instance").filter(pk=self.run).first()
        if run is None:
            return None
        return render_to_string("pipelines/run.html#flow", {**context(run), "is_sent": True, "last": last})

    def opening(self, last: int, *, missed: bool) -> str:
        return render_to_string("live/last.html", {"part": "run", "last": last})


def run_part(caller: Caller, asked: Mapping[str, str]) -> View:
    """The page of a run. Http404 when it is not theirs, or none."""
    run = owned_or_404(PipelineRun, caller, pk=asked.get("run"))
    return Picture(run.organization_id, run.pk)
