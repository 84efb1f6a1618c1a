"""`ml/models/…`: upload, activate, delete, look at and fetch models. They belong to the installation."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import HasCaller, OfThePlatform, caller_of
from accounts.idempotency import Repeatable
from accounts.refusals import Conflict, SwitchedOff, TooLarge, Unusable
from accounts.wire import EVERYWHERE, Strict
from mlregistry import artifacts, registry, track_record, uploads
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.api import model_bodies as bodies
from mlregistry.api import model_examples as examples
from mlregistry.artifacts import ModelTooLarge
from mlregistry.models import ModelFile, ModelType, ModelVersion
from mlregistry.sandbox import SandboxOff

IN_THE_WAY = OpenApiResponse(description="A state stands in the way; `state` names it.")


def model_or_404(model_id: int, *, with_card: bool = False) -> ModelVersion:
    """A registered model that was not deleted."""
    rows = ModelVersion.objects.present()
    found = (rows if with_card else rows.defer("metadata", "trial")).filter(pk=model_id).first()
    if found is None:
        raise Http404
    return found


class Upload(Repeatable):
    """Take a model. It is read in a sandbox, and is in testing until somebody graduates it."""

    permission_classes = (OfThePlatform,)
    parser_classes = (MultiPartParser,)

    @extend_schema(
        summary="Upload a model",
        request={"multipart/form-data": bodies.UploadRequest},
        responses={
            201: bodies.UploadedSerializer,
            409: OpenApiResponse(description="The name and version are taken."),
            413: OpenApiResponse(description="The file is larger than the setting allows."),
        },
        examples=examples.UPLOAD,
    )
    def post(self, request: Request) -> Response:
        wanted = bodies.UploadRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        if given["file"].size > uploads.limit_bytes():
            raise TooLarge(f"A model has at most {uploads.limit_bytes() // 2**20} MiB.")
        version = _received(given, request)
        place = reverse("ml:model-download", kwargs={"model_id": version.pk})
        version.upload_path = place  # type: ignore[attr-defined]
        answer = bodies.UploadedSerializer(version).data
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Location": place})


def _received(given: dict[str, Any], request: Request) -> ModelVersion:
    offered = uploads.Offered(
        name=given["model_name"],
        version=given["model_version"],
        model_type=ModelType(given["model_type"]),
        trained_until=given["trained_until_date"],
        metadata=given["metadata"],
    )
    try:
        return uploads.receive(given["file"].read(), offered, by=caller_of(request))
    except ModelTooLarge as large:
        raise TooLarge(f"This model is not taken: {large}.") from large
    except ModelRefused as refused:
        detail = f"This model is not taken: {refused}."
        raise Unusable(detail, errors=[{"pointer": "#/file", "detail": detail}]) from refused
    except registry.AlreadyRegistered as there:
        state = {"model_id": there.existing.pk, "status": there.existing.status}
        raise Conflict(str(there), state=state) from there
    except SandboxOff as off:
        raise SwitchedOff(f"Models cannot be uploaded here: {off}.") from off


class Activate(Repeatable):
    """Make a graduated model the one that counts; the answer names the one to go back to."""

    permission_classes = (OfThePlatform,)

    @extend_schema(
        summary="Activate a model, or go back to one",
        request=bodies.ActivateRequest,
        responses={200: bodies.ActivatedSerializer, 409: IN_THE_WAY},
        examples=examples.ACTIVATE,
    )
    def post(self, request: Request) -> Response:
        wanted = bodies.ActivateRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        version = model_or_404(given["model_id"])
        if version.version != given["version"]:
            raise Conflict(f"This is version {version.version}.", state={"version": version.version})
        try:
            previous = registry.activate(version, by=caller_of(request), now=timezone.now())
        except registry.NotActivatable as refused:
            raise Conflict(str(refused), state=refused.state) from refused
        except ModelRefused as refused:
            raise Conflict(f"It failed its trial and is not active: {refused}.", state="refused") from refused
        body = {
            "status": "active",
            "activated_at": version.activated_at,
            "previous_active": previous.pk if previous else None,
        }
        return Response(bodies.ActivatedSerializer(body).data)


class Model(APIView):
    """One model."""

    permission_classes = (OfThePlatform,)

    @extend_schema(
        summary="Delete a model; decisions made by it can still be replayed",
        responses={200: bodies.DeletedSerializer, 409: IN_THE_WAY},
        examples=examples.DELETE,
    )
    def delete(self, request: Request, model_id: int) -> Response:
        version = model_or_404(model_id)
        try:
            registry.delete(version, by=caller_of(request), now=timezone.now())
        except registry.StillActive as active:
            raise Conflict(str(active), state="active") from active
        except registry.StillAssigned as assigned:
            raise Conflict(str(assigned), state={"assigned": assigned.count}) from assigned
        except ModelVersion.DoesNotExist as gone:
            raise Http404 from gone
        return Response(bodies.DeletedSerializer({"status": "deleted", "deleted_at": version.deleted_at}).data)


class SinceQuery(Strict):
    since = serializers.DateTimeField(required=False)


class Performance(APIView):
    """How right it was; null where no outcome is known."""

    permission_classes: tuple[type[BasePermission], ...] = (HasCaller,)

    @extend_schema(
        summary="How right was a model?",
        parameters=[OpenApiParameter("since", OpenApiTypes.DATETIME, description="Of predictions made since")],
        responses=bodies.PerformanceSerializer,
        examples=examples.PERFORMANCE,
    )
    def get(self, request: Request, model_id: int) -> Response:
        version = model_or_404(model_id)
        query = SinceQuery(data={name: v for name, v in request.query_params.items() if name not in EVERYWHERE})
        query.is_valid(raise_exception=True)
        return Response(bodies.PerformanceSerializer(_performance(version, request, **query.validated_data)).data)


class Details(APIView):
    """A model's card, how right it was, and how it is used."""

    @extend_schema(summary="What is known of a model?", responses=bodies.DetailsSerializer, examples=examples.DETAILS)
    def get(self, request: Request, model_id: int) -> Response:
        version = model_or_404(model_id, with_card=True)
        body = {
            "model_id": version.pk,
            "metadata": version.metadata,
            "performance_metrics": _performance(version, request),
            "usage_stats": asdict(track_record.usage(version, caller_of(request), now=timezone.now())),
        }
        return Response(bodies.DetailsSerializer(body).data)


def _performance(version: ModelVersion, request: Request, **since: Any) -> dict[str, Any]:
    found, predictions = track_record.performance(version, caller_of(request), **since)
    return {**asdict(found), "predictions_count": predictions.number}


class AnyType(JSONRenderer):
    """What a client accepts does not matter to a file; a refusal is the problem it is."""

    media_type = "*/*"


class Download(APIView):
    """The stored file, with its digest."""

    renderer_classes = (AnyType,)

    @extend_schema(
        summary="Fetch a model's file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        examples=examples.DOWNLOAD,
    )
    def get(self, request: Request, model_id: int) -> HttpResponse:
        version = model_or_404(model_id)
        content = bytes(ModelFile.objects.only("content").get(pk=version.file_id).content)
        if artifacts.digest(content) != version.file_id:
            raise Conflict("Its stored bytes are not the ones that were registered.", state="damaged")
        answer = HttpResponse(content, content_type="application/octet-stream")
        answer["Content-Disposition"] = f'attachment; filename="{version.name}-{version.version}.txt"'
        answer["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(version.file_id)).decode()}:"
        return answer
