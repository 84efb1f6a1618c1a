"""Pages of experiments: every decision, and two models beside each other."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts import lists
from accounts.authentication import caller_of, signed_in
from accounts.models import AwsAccount
from accounts.ownership import owned
from mlregistry.drawing import calibration_plot
from mlregistry.models import ModelVersion
from pipelines.comparison import compare
from pipelines.experiments import COLUMNS, ComparisonForm, ExperimentsForm, as_row, listed
from pipelines.models import ExperimentLog


@require_GET
@signed_in()
def experiments(request: HttpRequest) -> HttpResponseBase:
    """All decisions of the organization, newest first; filters, order and place stand in the address."""
    caller = caller_of(request)
    form = ExperimentsForm(request.GET, owned(AwsAccount, caller), owned(ModelVersion, caller))
    rows = listed(owned(ExperimentLog, caller), form.wanted)
    if lists.wants_sheet(request):
        return lists.sheet(request, rows, form, name="experiments", columns=COLUMNS, row=as_row)
    context = {"section": "experiments", **lists.context(form, lists.by_cursor(rows, form, "decisions"))}
    return render(request, "pipelines/experiments.html" + ("#rows" if lists.wants_part(request) else ""), context)


@require_GET
@signed_in()
def comparison(request: HttpRequest) -> HttpResponse:
    """Two models on the instances that both have judged; without two in the address, the choice of them."""
    caller = caller_of(request)
    models = owned(ModelVersion, caller)
    form = ComparisonForm(request.GET, models)
    wanted = [int(form.cleaned_data[side]) for side in "ab"] if form.is_valid() else []
    at_hand = models.defer("metadata").in_bulk(wanted) if wanted else {}
    chosen = [at_hand[pk] for pk in wanted]
    found = compare(caller, *chosen) if chosen else None
    context = {
        "section": "experiments",
        "form": form,
        "found": found,
        "sides": (found.a, found.b) if found else (),
        "plots": [(side, calibration_plot(side.observed.calibration)) for side in (found.a, found.b)] if found else (),
        "n_models": len(form.models),
    }
    return render(request, "pipelines/comparison.html", context)
