"""Lab 13–15: which models are there to try, what are they worth, and who is judged by which?"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import HasCaller, OfThePlatform, caller_of, requires
from accounts.domain import Role, Scope
from accounts.idempotency import Repeatable
from accounts.models import AwsAccount
from accounts.ownership import owned, owned_or_404
from accounts.refusals import Conflict, Unusable
from instances.models import Instance
from mlregistry import assigning, registry
from mlregistry.api import model_bodies as bodies
from mlregistry.api import model_examples as examples
from mlregistry.api.models import IN_THE_WAY, model_or_404
from mlregistry.api.views import ModelList
from mlregistry.listing import with_assignments
from mlregistry.models import Assignment, AssignmentKind, ModelStatus, ModelVersion

ASSIGNS = requires(scope=Scope.MANAGE, role=Role.ADMIN)
NONE_SUCH = "There is none such, or it is not yours."


@extend_schema_view(get=extend_schema(operation_id="lab_models_list", examples=examples.LAB_MODELS))
class LabModelList(ModelList):
    """Models with what your organization has assigned them to."""

    serializer_class = bodies.LabModelSerializer

    def get_queryset(self) -> QuerySet[ModelVersion]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return with_assignments(rows, owned(Assignment, caller_of(self.request)))


class Status(Repeatable):
    """Graduate or reject a model, or put it back to testing. Assignments that this forbids end with it."""

    permission_classes = (OfThePlatform,)

    @extend_schema(
        summary="Say what a model is worth",
        request=bodies.StatusRequest,
        responses={200: bodies.JudgedSerializer, 409: IN_THE_WAY},
        examples=examples.STATUS,
    )
    def post(self, request: Request, model_id: int) -> Response:
        version = model_or_404(model_id)
        wanted = bodies.StatusRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        try:
            registry.judge(version, ModelStatus(given["status"]), by=caller_of(request), reason=given["reason"])
        except registry.StillActive as active:
            raise Conflict(str(active), state="active") from active
        except registry.NoSuchMove as refused:
            raise Conflict(str(refused), state=ModelStatus.REJECTED.value) from refused
        except ModelVersion.DoesNotExist as gone:
            raise Http404 from gone
        return Response(bodies.JudgedSerializer({"model_id": version.pk, "status": version.status}).data)


class Assign(Repeatable):
    """Who is judged by the model, or has it beside."""

    def get_permissions(self) -> list[Any]:
        request = getattr(self, "request", None)
        return [HasCaller() if request is None or request.method == "GET" else ASSIGNS()]

    @extend_schema(
        summary="Who is assigned to the model?",
        responses=bodies.AssignmentsSerializer,
        examples=examples.ASSIGNMENTS,
    )
    def get(self, request: Request, model_id: int) -> Response:
        rows = owned(Assignment, caller_of(request)).filter(model=model_or_404(model_id))
        return _told(rows.select_related("account", "instance").defer("instance__facts", "instance__tags"))

    @extend_schema(
        summary="Assign the model to instances, or to a share of an account's",
        request=bodies.AssignRequest,
        responses={200: bodies.AssignmentsSerializer, 409: IN_THE_WAY},
        examples=examples.ASSIGN,
    )
    def post(self, request: Request, model_id: int) -> Response:
        caller, version = caller_of(request), model_or_404(model_id)
        wanted = bodies.AssignRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        kind, now = AssignmentKind(given["kind"]), timezone.now()
        try:
            if "account" in given:
                account = owned_or_404(AwsAccount, caller, pk=given["account"])
                return _told([assigning.assign_share(version, account, given["share"], kind, by=caller, now=now)])
            chosen = _instances(request, given["instances"])
            return _told(assigning.assign(version, chosen, kind, by=caller, now=now))
        except assigning.NotAssignable as refused:
            raise Conflict(str(refused), state=refused.state) from refused


class Unassign(Repeatable):
    """Take the model away again: the active one judges, and nothing runs beside."""

    permission_classes = (ASSIGNS,)

    @extend_schema(
        summary="End assignments of the model",
        request=bodies.UnassignRequest,
        responses=bodies.UnassignedSerializer,
        examples=examples.UNASSIGN,
    )
    def post(self, request: Request, model_id: int) -> Response:
        caller, version = caller_of(request), model_or_404(model_id)
        wanted = bodies.UnassignRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        ids = wanted.validated_data["assignments"]
        rows = owned(Assignment, caller).filter(model=version, pk__in=ids)
        found = {row.pk: row for row in rows.select_related("organization", "account", "instance", "model")}
        _refuse_unknown("assignments", ids, found)
        return Response({"ended": assigning.unassign(found.values(), by=caller)})


def _instances(request: Request, ids: list[int]) -> list[Instance]:
    rows = owned(Instance, caller_of(request)).present().filter(pk__in=ids)  # type: ignore[attr-defined]
    found = {row.pk: row for row in rows.select_related("account__organization").defer("facts")}
    _refuse_unknown("instances", ids, found)
    return list(found.values())


def _refuse_unknown(field: str, ids: list[int], found: dict[int, Any]) -> None:
    errors = [{"pointer": f"#/{field}/{place}", "detail": NONE_SUCH} for place, pk in enumerate(ids) if pk not in found]
    if errors:
        raise Unusable(errors=errors)


def _told(rows: Any) -> Response:
    return Response(bodies.AssignmentsSerializer({"assignments": rows}).data)
