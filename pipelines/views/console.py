"""Pages of the lab console: the instances, one instance, its run while it goes, and a decision's receipt."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts import audit, feed, lists
from accounts.authentication import caller_of, signed_in
from accounts.domain import Role
from accounts.models import AwsAccount
from accounts.ownership import owned, owned_or_404
from instances.models import Instance
from pipelines import linear, listing, picture
from pipelines.listing import ListingForm, listed, with_last_decision
from pipelines.models import ExperimentLog, PipelineRun
from pipelines.reading import readable
from pipelines.tasks import evaluate_instance


@require_GET
@signed_in()
def console(request: HttpRequest) -> HttpResponseBase:
    """All instances with their last decision; filters, order and page stand in the address."""
    own = owned(Instance, caller_of(request))
    form = ListingForm(request.GET, owned(AwsAccount, caller_of(request)))
    rows = listed(own, form.wanted)
    if lists.wants_sheet(request):
        return lists.sheet(request, rows, form, name="instances", columns=listing.COLUMNS, row=listing.as_row)
    page = lists.by_number(rows.defer("tags", "facts", "group__facts"), form, "instances")
    part = "#rows" if lists.wants_part(request) else ""
    context = {"section": "console", **lists.context(form, page)}
    return render(request, "pipelines/console.html" + part, context)


@require_GET
@signed_in()
def instance(request: HttpRequest, pk: int) -> HttpResponse:
    """One instance: what it is, its last decision, its runs."""
    own = owned(Instance, caller_of(request)).select_related("account", "group")
    found = owned_or_404(with_last_decision(own), caller_of(request), pk=pk)
    context = {
        "section": "console",
        "instance": found,
        "history": found.experiments.defer("receipt").select_related("run").order_by("-decided_at")[:20],
        "run": _last_run(found),
    }
    return render(request, "pipelines/instance.html", context)


@require_POST
@signed_in(Role.OPERATOR)
def evaluate(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue an evaluation, or join the one that runs; answer with its picture, which asks again until it ends."""
    caller = caller_of(request)
    found = owned_or_404(Instance, caller, pk=pk)
    if found.vanished_at:
        return HttpResponse("The last inventory no longer saw this instance.", status=409, content_type="text/plain")
    with transaction.atomic():
        run = linear.request(found, trigger="person", by=caller.user, now=timezone.now())
        audit.record(caller, "instance.evaluation_requested", found, after={"run": run.pk})
        transaction.on_commit(lambda: evaluate_instance.delay(str(run.pk)))
    if lists.wants_part(request):
        return render(request, "pipelines/run.html#flow", _run_context(run))
    return redirect("pipelines:run", pk=run.pk)


@require_GET
@signed_in()
def run(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A run as a picture of its steps."""
    rows = owned(PipelineRun, caller_of(request)).select_related("instance__account", "requested_by", "experiment")
    found = owned_or_404(rows, caller_of(request), pk=pk)
    part = "#flow" if lists.wants_part(request) else ""
    return render(request, "pipelines/run.html" + part, _run_context(found))


@require_GET
@signed_in()
def decision(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A decision and its receipt."""
    rows = owned(ExperimentLog, caller_of(request)).select_related("instance__account", "run", "model")
    found = owned_or_404(rows, caller_of(request), pk=pk)
    context = {"section": "experiments", "experiment": found, "receipt": readable(found.receipt)}
    return render(request, "pipelines/decision.html", context)


def _run_context(run: PipelineRun) -> dict[str, Any]:
    last = feed.reached(run.organization_id)  # before the steps: what comes between is told twice, not never
    return {"section": "console", "last": last, **picture.context(run)}


def _last_run(instance: Instance) -> PipelineRun | None:
    return instance.runs.order_by("-created_at").first()
