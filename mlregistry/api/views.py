"""`ml/predict`, `ml/models/list`, `ml/health`: parse, authorise, call one deed, render."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from pydantic_core import to_json
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import Caller, caller_of, requires
from accounts.domain import Role, Scope
from accounts.idempotency import Repeatable
from accounts.models import AwsAccount
from accounts.ownership import Owned, owned
from accounts.refusals import Unusable
from accounts.wire import Flag, Ordering, StrictFilters, parsed
from instances.domain.money import micro
from instances.domain.pool import ZONE_ID, ZONE_NAME
from instances.models import ZoneName
from mlregistry import health, predicting
from mlregistry.api import bodies
from mlregistry.api.bodies import SpotInterruptionInput
from mlregistry.api.model_examples import MODEL
from mlregistry.api.serializers import ModelVersionSerializer
from mlregistry.models import ModelStatus, ModelType, ModelVersion
from mlregistry.predicting import Forecast, Launch

NO_ZONE = "This is neither a zone id (use1-az1) nor a zone name (us-east-1a)."
NAME_AN_ACCOUNT = "A zone name is an account's own alias: give account_id with it, or the zone id (use1-az1)."
NOT_THEN = "Prices say nothing about that time: give one from an hour ago to seven days ahead, or leave it out."
BACK, AHEAD = timedelta(hours=1), timedelta(days=7)

Zones = dict[tuple[str, str], str]  # (account id, zone name) → zone id


class Predict(Repeatable):
    """Up to 1000 predictions in one call."""

    permission_classes = (requires(scope=Scope.PREDICT, role=Role.VIEWER),)

    @extend_schema(
        summary="How likely are these launches to be interrupted?",
        request=bodies.schema_of(bodies.MANY),
        responses={200: bodies.PREDICTIONS},
        examples=bodies.MANY_EXAMPLES,
    )
    def post(self, request: Request) -> HttpResponse:
        _refuse_other_types(request.data)
        wanted = parsed(bodies.MANY, request.data)
        pointers = [f"#/inputs/{row}" for row in range(len(wanted.inputs))]
        answers = _answers(_caller(request, wanted.customer_id), wanted.inputs, pointers, timezone.now())
        return _json({"prediction_type": wanted.prediction_type, "predictions": answers})


class PredictSpotInterruption(Repeatable):
    """The same for one launch."""

    permission_classes = (requires(scope=Scope.PREDICT, role=Role.VIEWER),)

    @extend_schema(
        summary="How likely is this launch to be interrupted?",
        request=bodies.schema_of(bodies.ONE),
        responses={200: bodies.PREDICTION},
        examples=bodies.ONE_EXAMPLES,
    )
    def post(self, request: Request) -> HttpResponse:
        wanted = parsed(bodies.ONE, request.data)
        return _json(_answers(_caller(request, wanted.customer_id), [wanted], ["#"], timezone.now())[0])


class ModelFilters(StrictFilters):
    """Query parameters of the list of models."""

    active = Flag(field_name="is_active")
    model_type = filters.ChoiceFilter(choices=[(kind.value, kind.value) for kind in ModelType])
    status = filters.ChoiceFilter(choices=[(status.value, status.value) for status in ModelStatus])
    ordering = Ordering(
        fields={
            "uploaded_at": "uploaded_at",
            "trained_until": "trained_until",
            "name": "name",
            "version": "version",
            "is_active": "active",
        }
    )

    class Meta:
        model = ModelVersion
        fields: list[str] = []


@extend_schema_view(
    get=extend_schema(
        summary="Which models are registered, and which one counts?",
        examples=[
            OpenApiExample("The shipped model", response_only=True, value=MODEL),
        ],
    )
)
class ModelList(Owned, generics.ListAPIView[ModelVersion]):
    """Registered models, newest first."""

    queryset = ModelVersion.objects.present().defer("metadata", "trial").order_by("-uploaded_at", "pk")
    serializer_class = ModelVersionSerializer
    filterset_class = ModelFilters


class Health(APIView):
    """Whether predictions can be had, asked of each part itself; 503 when one is down."""

    @extend_schema(
        summary="Is the service well?",
        responses={200: bodies.HEALTH, 503: bodies.HEALTH},
        examples=[OpenApiExample("All is well", response_only=True, value=bodies.WELL)],
    )
    def get(self, request: Request) -> Response:
        found = health.check()
        return Response(found.as_json(), status=200 if found.is_well else 503)


def _refuse_other_types(body: Any) -> None:
    """Before the inputs are looked at: those of another type have another shape."""
    asked = body.get("prediction_type") if isinstance(body, dict) else None
    if isinstance(asked, str) and asked not in predicting.PREDICTION_TYPES:
        detail = f"There is no model for {asked[:40]!r}; predicted is: {', '.join(predicting.PREDICTION_TYPES)}."
        raise Unusable(errors=[{"pointer": "#/prediction_type", "detail": detail}])


def _caller(request: Request, customer_id: Any) -> Caller:
    caller = caller_of(request)
    return caller if customer_id is None else caller.for_customer(customer_id)


def _answers(
    caller: Caller, wanted: Sequence[SpotInterruptionInput], pointers: Sequence[str], now: datetime
) -> list[dict[str, Any]]:
    """Predict, keep what was predicted, and say it."""
    began = time.perf_counter()
    launches = _launches(caller, wanted, pointers, now)
    forecasts = predicting.predict(launches, now=now)
    ids = predicting.keep(
        forecasts,
        bodies.INPUTS.dump_python(list(wanted), mode="json", exclude_none=True),
        organization_id=caller.organization.pk if caller.organization else None,
        latency_ms=round((time.perf_counter() - began) * 1000, 3),
    )
    return [
        {"prediction_id": pk, **_answer(asked, forecast)}
        for pk, asked, forecast in zip(ids, wanted, forecasts, strict=True)
    ]


def _launches(
    caller: Caller, wanted: Sequence[SpotInterruptionInput], pointers: Sequence[str], now: datetime
) -> list[Launch]:
    """The inputs with each zone under its id. Raises Unusable, or Http404 for an account that is not the caller's."""
    faults = [fault for asked, at in zip(wanted, pointers, strict=True) for fault in _faults(asked, at, now)]
    if faults:
        raise Unusable(errors=faults)
    zones = _zones(caller, wanted)
    names = {(account, zone_id): name for (account, name), zone_id in zones.items()}
    return [_launch(asked, zones, names) for asked in wanted]


def _faults(asked: SpotInterruptionInput, at: str, now: datetime) -> list[dict[str, str]]:
    faults = []
    if not ZONE_ID.fullmatch(asked.az) and not ZONE_NAME.fullmatch(asked.az):
        faults.append({"pointer": f"{at}/az", "detail": NO_ZONE})
    elif not ZONE_ID.fullmatch(asked.az) and asked.account_id is None:
        faults.append({"pointer": f"{at}/account_id", "detail": NAME_AN_ACCOUNT})
    if asked.launch_time is not None and not now - BACK <= asked.launch_time <= now + AHEAD:
        faults.append({"pointer": f"{at}/launch_time", "detail": NOT_THEN})
    return faults


def _zones(caller: Caller, wanted: Sequence[SpotInterruptionInput]) -> Zones:
    """What the named accounts call their zones; two queries, none where no account is named."""
    accounts = {asked.account_id for asked in wanted if asked.account_id}
    if not accounts:
        return {}
    known = dict(owned(AwsAccount, caller).filter(account_id__in=accounts).values_list("pk", "account_id"))
    if set(known.values()) != accounts:
        raise Http404
    rows = ZoneName.objects.filter(account__in=known).values_list("account_id", "name", "zone_id")
    return {(known[pk], name): zone_id for pk, name, zone_id in rows}


def _launch(asked: SpotInterruptionInput, zones: Zones, names: Zones) -> Launch:
    account, is_id = asked.account_id or "", bool(ZONE_ID.fullmatch(asked.az))
    return Launch(
        instance_type=asked.instance_type,
        region=asked.region,
        zone_id=asked.az if is_id else zones.get((account, asked.az)),
        zone_name=names.get((account, asked.az)) if is_id else asked.az,
        product=asked.product,
        spot_usd_micro=None if asked.spot_price is None else micro(asked.spot_price),
        launch_at=asked.launch_time,
    )


def _answer(asked: SpotInterruptionInput, forecast: Forecast) -> dict[str, Any]:
    row, safety = forecast.row, forecast.row["safety_score"]
    return {
        "instance_type": asked.instance_type,
        "region": asked.region,
        "az": asked.az,
        "zone_id": forecast.launch.zone_id,
        "zone_name": forecast.launch.zone_name,
        "product": asked.product,
        "interruption_probability": forecast.probability,
        "probability_low": row["probability_low"],
        "probability_high": row["probability_high"],
        "confidence": forecast.confidence,
        "horizon_seconds": row["horizon_seconds"],
        "safety_score": safety,
        "risk_score": None if safety is None else 1.0 - safety,
        "evidence": row["evidence"],
        "recommendation": forecast.recommendation,
        "unknown": row["unknown"],
        "explanation": predicting.explanation(forecast),
        "data_as_of": forecast.data_as_of,
        "model": forecast.model.as_json(),
    }


def _json(body: Any) -> HttpResponse:
    return HttpResponse(to_json(body), content_type="application/json")
