"""Lab 10: evaluate an instance now."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts import audit
from accounts.authentication import caller_of, requires
from accounts.domain import Role, Scope
from accounts.idempotency import Repeatable
from accounts.ownership import owned_or_404
from accounts.refusals import Conflict
from accounts.wire import Strict
from instances.models import Instance
from pipelines import linear
from pipelines.api import examples
from pipelines.api.serializers import RunSerializer
from pipelines.tasks import evaluate_instance


class EvaluationRequest(Strict):
    """Nothing need be said."""


class Evaluation(Repeatable):
    """Evaluate an instance now. While one evaluation is open a second request joins it."""

    permission_classes = (requires(scope=Scope.DECIDE, role=Role.OPERATOR),)

    @extend_schema(
        request=EvaluationRequest,
        responses={202: RunSerializer, 409: OpenApiResponse(description="The instance is no longer there.")},
        examples=[examples.NOTHING, examples.QUEUED],
    )
    def post(self, request: Request, instance_id: int) -> Response:
        EvaluationRequest(data=request.data).is_valid(raise_exception=True)
        caller = caller_of(request)
        instance = owned_or_404(Instance.objects.select_related("account"), caller, pk=instance_id)
        if instance.vanished_at:
            raise Conflict("The last inventory no longer saw this instance.", state="vanished")
        with transaction.atomic():
            run = linear.request(instance, trigger=caller.kind.value, by=caller.user, now=timezone.now())
            audit.record(caller, "instance.evaluation_requested", instance, after={"run": run.pk})
        evaluate_instance.delay(str(run.pk))
        place = reverse("lab:run", kwargs={"run_id": run.pk}, request=request)
        return Response(RunSerializer(run).data, status=status.HTTP_202_ACCEPTED, headers={"Location": place})
