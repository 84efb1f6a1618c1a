"""Pages of the models: the list, one model with what is known of it, sending one, and who is judged by which."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import Caller, caller_of, signed_in
from accounts.domain import Role
from accounts.models import AwsAccount
from accounts.ownership import owned, owned_or_404
from accounts.sheets import MOST_ROWS, sheet
from instances.models import Instance
from mlregistry import assigning, drawing, listing, registry, sandbox, track_record, uploads
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.artifacts import ModelTooLarge
from mlregistry.listing import ModelsForm
from mlregistry.model_forms import AssignForm, StatusForm, UploadForm
from mlregistry.models import Assignment, AssignmentKind, ModelStatus, ModelVersion

ROWS_A_PAGE = 50
MOST_SUBJECTS = 200  # on a model's page; the API lists all
MOST_VERSIONS = 50
View = Callable[..., HttpResponseBase]


def of_the_platform(view: View) -> View:
    """Models belong to the installation: its own people write them."""

    @functools.wraps(view)
    def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not caller_of(request).is_staff:
            raise PermissionDenied("This needs an admin of the platform.")
        return view(request, *args, **kwargs)

    return signed_in()(opened)


@require_GET
@signed_in()
def models(request: HttpRequest) -> HttpResponse:
    """Every model; filters, order and page stand in the address."""
    caller = caller_of(request)
    form = ModelsForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    rows = listing.listed(ModelVersion.objects.all(), owned(Assignment, caller), wanted)
    if request.GET.get("format") == "csv":
        text = sheet((listing.as_row(row) for row in rows[:MOST_ROWS]), listing.COLUMNS)
        named = {"Content-Disposition": 'attachment; filename="models.csv"'}
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=named)
    context = {
        "section": "models",
        "form": form,
        "page": Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "sort": wanted.get("sort") or "-uploaded",
        "address": _address(request),
        "is_filtered": any(value for name, value in wanted.items() if name != "sort"),
        "may_write": caller.is_staff,
    }
    return render(request, "mlregistry/models.html" + ("#rows" if _wants_part(request) else ""), context)


@require_http_methods(["GET", "POST"])
@of_the_platform
def upload(request: HttpRequest) -> HttpResponse:
    """Send a model. A script sends the form to the API and shows how far it is; without one it comes here."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            version = uploads.receive(form.cleaned_data["file"].read(), form.offered(), by=caller_of(request))
        except (ModelRefused, ModelTooLarge, registry.AlreadyRegistered, sandbox.SandboxOff) as refused:
            form.add_error("file", f"This model is not taken: {refused}.")
        else:
            messages.success(request, f"{version} is taken, in testing.")
            return redirect("mlregistry:model", model_id=version.pk)
    context = {"section": "models", "form": form, "off": sandbox.off(), "limit_bytes": uploads.limit_bytes()}
    return render(request, "mlregistry/upload.html", context)


@require_GET
@signed_in()
def model(request: HttpRequest, model_id: int) -> HttpResponse:
    """One model: what it is, how right and how quick it was, and whom it judges."""
    caller = caller_of(request)
    version = _model(model_id, with_card=True)
    others = ModelVersion.objects.present().defer("metadata", "trial").filter(model_type=version.model_type)
    known = list(others.order_by("-uploaded_at")[: MOST_VERSIONS * 4])
    accuracy = track_record.judged(version, caller)
    own = owned(Assignment, caller).filter(model=version).select_related("account", "instance")
    context = {
        "section": "models",
        "model": version,
        "card": version.metadata,
        "versions": [each for each in known if each.name == version.name][:MOST_VERSIONS],
        "previous": _previous(version, known) if caller.is_staff else None,
        "accuracy": accuracy,
        "plot": drawing.calibration_plot(accuracy.calibration),
        "usage": track_record.usage(version, caller, now=timezone.now()),
        "subjects": list(own.defer("instance__facts", "instance__tags")[:MOST_SUBJECTS]),
        "statuses": [each for each in ModelStatus if each != version.status],
        "may_write": caller.is_staff,
        "may_assign": _may_assign(caller),
        "is_assignable": version.status != ModelStatus.REJECTED,
    }
    return render(request, "mlregistry/model.html", context)


@require_POST
@of_the_platform
def activate(request: HttpRequest, model_id: int) -> HttpResponse:
    """Make it the one that counts, after its trial; going back is the same deed on the one before."""
    version = _model(model_id)
    try:
        previous = registry.activate(version, by=caller_of(request), now=timezone.now())
    except (ModelRefused, registry.NotActivatable) as refused:
        messages.error(request, f"Not activated: {refused}.")
    else:
        messages.success(request, f"{version} is active" + (f", after {previous}." if previous else "."))
    return redirect("mlregistry:model", model_id=version.pk)


@require_POST
@of_the_platform
def status(request: HttpRequest, model_id: int) -> HttpResponse:
    """Graduate or reject it, or put it back to testing."""
    version, form = _model(model_id), StatusForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a status.")
        return redirect("mlregistry:model", model_id=version.pk)
    wanted = ModelStatus(form.cleaned_data["status"])
    try:
        registry.judge(version, wanted, by=caller_of(request), reason=form.cleaned_data["reason"])
    except (registry.StillActive, registry.NoSuchMove) as refused:
        messages.error(request, f"{refused}.")
    else:
        messages.success(request, f"{version} is {wanted} now.")
    return redirect("mlregistry:model", model_id=version.pk)


@require_POST
@of_the_platform
def delete(request: HttpRequest, model_id: int) -> HttpResponse:
    version = _model(model_id)
    try:
        registry.delete(version, by=caller_of(request), now=timezone.now())
    except (registry.StillActive, registry.StillAssigned) as refused:
        messages.error(request, f"{refused}.")
        return redirect("mlregistry:model", model_id=version.pk)
    messages.success(request, f"{version} is deleted. Decisions made by it can still be replayed.")
    return redirect("mlregistry:models")


@require_http_methods(["GET", "POST"])
@signed_in(Role.ADMIN)
def assign(request: HttpRequest, model_id: int) -> HttpResponse:
    """Choose whom it judges, or beside whom it runs."""
    caller, version = caller_of(request), _model(model_id)
    form = AssignForm(
        request.POST or None,
        accounts=owned(AwsAccount, caller).filter(is_active=True),
        instances=owned(Instance, caller).present().select_related("account__organization").defer("facts"),  # type: ignore[attr-defined]
    )
    if request.method == "POST" and form.is_valid():
        try:
            _assign(version, form.cleaned_data, caller)
        except assigning.NotAssignable as refused:
            form.add_error(None, f"{refused}.")
        else:
            messages.success(request, f"{version} is assigned.")
            return redirect("mlregistry:model", model_id=version.pk)
    return render(request, "mlregistry/assign.html", {"section": "models", "form": form, "model": version})


@require_POST
@signed_in(Role.ADMIN)
def end(request: HttpRequest, assignment_id: int) -> HttpResponse:
    """Take the model away again: the active one judges."""
    caller = caller_of(request)
    rows = Assignment.objects.select_related("organization", "account", "instance", "model")
    assignment = owned_or_404(rows, caller, pk=assignment_id)
    assigning.unassign([assignment], by=caller)
    messages.success(request, "It is taken away; the active model judges again.")
    return redirect("mlregistry:model", model_id=assignment.model_id)


def _assign(version: ModelVersion, said: dict[str, Any], caller: Caller) -> None:
    kind, now = AssignmentKind(said["kind"]), timezone.now()
    if said["account"]:
        assigning.assign_share(version, said["account"], said["share_percent"] / 100, kind, by=caller, now=now)
    else:
        assigning.assign(version, said["instances"], kind, by=caller, now=now)


def _model(model_id: int, *, with_card: bool = False) -> ModelVersion:
    rows = ModelVersion.objects.present()
    found = (rows if with_card else rows.defer("metadata", "trial")).filter(pk=model_id).first()
    if found is None:
        raise Http404
    return found


def _previous(version: ModelVersion, known: list[ModelVersion]) -> ModelVersion | None:
    """The one to go back to from the active one."""
    once = [each for each in known if each.status == ModelStatus.GRADUATED and each.activated_at and each != version]
    return max(once, key=lambda each: each.activated_at, default=None) if version.is_active else None  # type: ignore[arg-type, return-value]


def _may_assign(caller: Caller) -> bool:
    return caller.role is not None and caller.role.includes(Role.ADMIN)


def _wants_part(request: HttpRequest) -> bool:
    """A partial for htmx, but the whole page when history asks for it again."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request and not htmx.boosted


def _address(request: HttpRequest) -> str:
    """The page's query without page, sort and format, for links that add theirs."""
    query = request.GET.copy()
    for name in ("page", "sort", "format"):
        query.pop(name, None)
    return query.urlencode()
