"""`decision/{name}`: a program asks an engine; the answer is kept."""

from __future__ import annotations

import functools
import json
import uuid
from datetime import datetime
from typing import Annotated, Any

import pydantic
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from pydantic_core import to_json
from rest_framework import generics, serializers
from rest_framework.request import Request

from accounts.authentication import Caller, caller_of, requires
from accounts.domain import Role, Scope
from accounts.idempotency import Repeatable
from accounts.models import AwsAccount
from accounts.ownership import NAME_A_CUSTOMER, Owned, owned_or_404
from accounts.refusals import TooLarge, Unusable
from accounts.wire import StrictFilters, UsdPerMonth, pointed
from instances.domain.pool import ZONE_ID, Product
from instances.market import zones
from pipelines import deciding
from pipelines.api import examples
from pipelines.engines.contract import Engine
from pipelines.engines.registry import BY_PATH
from pipelines.models import EngineDecision

LARGEST_BODY = 5 * 2**20
NOT_NOW = "Scores are kept for now only; leave `at` out, or give a time within five minutes of now."
NAME_AN_ACCOUNT = "A zone name is an account's own alias: give account_id with it, or the zone id (use1-az1)."

ACCOUNT_ID: Any = Annotated[str, pydantic.StringConstraints(pattern=r"^\d{12}$")] | None


@functools.cache
def request_model(engine: Engine) -> type[pydantic.BaseModel]:
    """The engine's DecisionRequest: its own shapes inside the common envelope, unknown fields refused."""
    return pydantic.create_model(
        "".join(word.title() for word in engine.decision_type.split("_")) + "Request",
        __config__=pydantic.ConfigDict(extra="forbid", frozen=True),
        request_id=(Annotated[str, pydantic.StringConstraints(min_length=1, max_length=80)], ...),
        cluster_id=(Annotated[str, pydantic.StringConstraints(max_length=120)], ""),
        customer_id=(uuid.UUID | None, None),
        account_id=(ACCOUNT_ID, None),
        product=(Product, Product.LINUX),
        at=(pydantic.AwareDatetime | None, None),
        decision_type=(str, engine.decision_type),
        current_state=(engine.State, engine.State()),
        requirements=(engine.Requirements, ...),
        constraints=(engine.Constraints, engine.Constraints()),
    )


EXAMPLE = OpenApiExample(
    "Ten web servers in Paris",
    request_only=True,
    value={
        "request_id": "web-2026-11-20",
        "requirements": [{"name": "web", "region": "eu-west-3", "vcpus": 4, "memory_gib": 8, "count": 10}],
        "constraints": {"max_interruption_probability": 0.1},
    },
)
POOL = {
    "rank": 1,
    "instance_type": "c5d.xlarge",
    "zone_id": "euw3-az1",
    "spot_price": "0.080600",
    "on_demand_price": "0.230000",
    "monthly_cost": "58.84",
    "monthly_savings": "109.06",
    "safety_score": 0.93,
    "risk_score": 0.07,
    "interruption_probability": 0.0017,
    "evidence": "advisor",
}
ANSWER = OpenApiExample(
    "Ranked pools and how to spread over them",
    response_only=True,
    value={
        "request_id": "web-2026-11-20",
        "decision_type": "spot_optimize",
        "recommendations": [
            {"requirement": "web", "region": "eu-west-3", "count": 10, "top_pools": [POOL], "refused": {"unknown": 12}}
        ],
        "confidence_score": 0.99,
        "estimated_savings": "872.48",
        "estimated_annual_savings": "10469.76",
        "execution_plan": [],
        "warnings": ["web: Spot pools pass in 1 zones only, 3 wanted"],
        "engine": {"name": "spot_optimizer", "version": "1"},
        "data_as_of": {"eu-west-3": {"spot_prices": "2026-11-20T11:50:00Z"}},
        "explanation": {"ranking": "0.6 × safety + 0.4 × savings"},
    },
)
ANY_OBJECT = {"type": "object", "additionalProperties": True}
RESPONSE = {
    "type": "object",
    "required": ["request_id", "decision_type", "recommendations", "engine", "warnings"],
    "properties": {
        "request_id": {"type": "string"},
        "decision_type": {"type": "string"},
        "recommendations": {"type": "array", "items": ANY_OBJECT},
        "confidence_score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "estimated_savings": {"type": ["string", "null"], "description": "USD a month"},
        "estimated_annual_savings": {"type": ["string", "null"]},
        "execution_plan": {"type": "array", "items": ANY_OBJECT},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "engine": ANY_OBJECT,
        "data_as_of": ANY_OBJECT,
        "explanation": ANY_OBJECT,
    },
}


class SpotOptimize(Repeatable):
    """Rank Spot pools for workloads and spread their instances; nothing is launched."""

    permission_classes = (requires(scope=Scope.DECIDE, role=Role.OPERATOR),)
    engine = BY_PATH["spot-optimize"]

    @extend_schema(
        summary="Which Spot pools should these workloads use?",
        request=request_model(BY_PATH["spot-optimize"]),
        responses={200: RESPONSE},
        examples=[EXAMPLE, ANSWER],
    )
    def post(self, request: Request) -> HttpResponse:
        return _answer(request, self.engine, timezone.now())


def _answer(request: Request, engine: Engine, now: datetime) -> HttpResponse:
    raw = request._request.body
    if len(raw) > LARGEST_BODY:
        raise TooLarge(f"A request has at most {LARGEST_BODY // 2**20} MiB.")
    try:
        wanted: Any = request_model(engine).model_validate_json(raw)
    except pydantic.ValidationError as error:
        raise Unusable(errors=pointed(error)) from None
    if wanted.decision_type != engine.decision_type:
        raise Unusable(errors=[{"pointer": "#/decision_type", "detail": f"Here it is {engine.decision_type}."}])
    if wanted.at is not None and abs((now - wanted.at).total_seconds()) > 300:
        raise Unusable(errors=[{"pointer": "#/at", "detail": NOT_NOW}])
    caller = _caller(request, wanted)
    asked = deciding.Asked(
        request_id=wanted.request_id,
        cluster_id=wanted.cluster_id,
        product=wanted.product,
        state=wanted.current_state,
        requirements=_with_zone_ids(wanted, caller),
        constraints=wanted.constraints,
    )
    decision = deciding.decide(engine, asked, at=now)
    response = deciding.answer(engine, asked, decision)
    assert caller.organization is not None  # _caller saw to it
    kept = deciding.keep(
        engine,
        asked,
        json.loads(raw),
        response,
        organization_id=caller.organization.pk,
        api_key_id=caller.api_key.pk if caller.api_key else None,
        at=now,
    )
    return HttpResponse(to_json({"execution_id": str(kept.pk), **response}), content_type="application/json")


def _caller(request: Request, wanted: Any) -> Caller:
    caller = caller_of(request)
    if wanted.customer_id is not None:
        caller = caller.for_customer(wanted.customer_id)
    if caller.organization is None:
        raise Unusable(NAME_A_CUSTOMER, errors=[{"pointer": "#/customer_id", "detail": NAME_A_CUSTOMER}])
    return caller


def _with_zone_ids(wanted: Any, caller: Caller) -> Any:
    """The requirements with every zone name replaced by its id in the named account."""
    named = any(not ZONE_ID.match(zone) for workload in wanted.requirements for zone in workload.zones)
    if not named:
        if wanted.account_id is not None:
            owned_or_404(AwsAccount, caller, account_id=wanted.account_id)
        return wanted.requirements
    if wanted.account_id is None:
        raise Unusable(errors=[{"pointer": "#/account_id", "detail": NAME_AN_ACCOUNT}])
    account = owned_or_404(AwsAccount, caller, account_id=wanted.account_id)
    return tuple(
        deciding.with_zones(workload, tuple(_zone_id(account, zone, at) for zone in workload.zones))
        for at, workload in enumerate(wanted.requirements)
    )


def _zone_id(account: AwsAccount, zone: str, at: int) -> str:
    if ZONE_ID.match(zone):
        return zone
    found = zones.zone_id(account, zone)
    if found is None:
        detail = f"{zone} is no zone of account {account.account_id} that we have seen."
        raise Unusable(errors=[{"pointer": f"#/requirements/{at}/zones", "detail": detail}])
    return found


class DecisionFilters(StrictFilters):
    class Meta:
        model = EngineDecision
        fields = {"cluster_id": ["exact"], "decision_type": ["exact"]}


class DecisionRow(serializers.ModelSerializer):
    execution_id = serializers.UUIDField(source="id")
    estimated_savings = UsdPerMonth(source="estimated_savings_usd_per_month", allow_null=True)

    class Meta:
        model = EngineDecision
        fields = ("execution_id", "decision_type", "cluster_id", "estimated_savings", "confidence_score", "executed_at")


class DecisionWhole(DecisionRow):
    class Meta:
        model = EngineDecision
        fields = (*DecisionRow.Meta.fields, "request_id", "engine_name", "engine_version", "request", "response")


@extend_schema_view(get=extend_schema(examples=[examples.ANSWERED]))
class DecisionHistory(Owned, generics.ListAPIView):
    """What engines answered, newest first."""

    queryset = EngineDecision.objects.defer("request", "response")
    serializer_class = DecisionRow
    filterset_class = DecisionFilters


@extend_schema_view(get=extend_schema(examples=[examples.ANSWERED_WHOLE]))
class DecisionDetail(Owned, generics.RetrieveAPIView):
    """One answer whole, with the request it answered."""

    queryset = EngineDecision.objects.all()
    serializer_class = DecisionWhole
    lookup_url_kwarg = "execution_id"
