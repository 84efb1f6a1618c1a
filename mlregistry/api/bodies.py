"""What do the prediction endpoints take and give? Read by pydantic: a thousand inputs in a millisecond or two."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import pydantic
from drf_spectacular.utils import OpenApiExample

from instances.domain.pool import INSTANCE_TYPE, Product
from mlregistry.predicting import BANDS

MOST_INPUTS = 1000
STRICT = pydantic.ConfigDict(extra="forbid")

Price = Annotated[Decimal, pydantic.Field(gt=0, le=1000, max_digits=10, decimal_places=6)]


@pydantic.dataclasses.dataclass(frozen=True, slots=True, config=STRICT)
class SpotInterruptionInput:
    """A launch somebody thinks of. `spot_price` and `launch_time` left out: at the current price, now."""

    instance_type: Annotated[str, pydantic.Field(pattern=INSTANCE_TYPE.pattern, max_length=32)]
    region: Annotated[str, pydantic.Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", max_length=24)]
    az: Annotated[str, pydantic.Field(description="A zone id (use1-az1), or with account_id a zone name (us-east-1a)")]
    spot_price: Annotated[Price | None, pydantic.Field(description="USD an hour, in place of the current price")] = None
    launch_time: pydantic.AwareDatetime | None = None
    account_id: Annotated[str, pydantic.Field(pattern=r"^\d{12}$")] | None = None
    product: Product = Product.LINUX


@pydantic.dataclasses.dataclass(frozen=True, slots=True, config=STRICT)
class OneRequest(SpotInterruptionInput):
    """The same for one launch, with the customer a platform key speaks for."""

    customer_id: uuid.UUID | None = None


@pydantic.dataclasses.dataclass(frozen=True, slots=True, config=STRICT)
class ManyRequest:
    prediction_type: Literal["spot_interruption"]
    inputs: Annotated[list[SpotInterruptionInput], pydantic.Field(min_length=1, max_length=MOST_INPUTS)]
    customer_id: uuid.UUID | None = None


ONE = pydantic.TypeAdapter(OneRequest)
MANY = pydantic.TypeAdapter(ManyRequest)
INPUTS = pydantic.TypeAdapter(list[SpotInterruptionInput])


def schema_of(adapter: pydantic.TypeAdapter[Any]) -> dict[str, Any]:
    """What the adapter takes as a schema for a request's media type, with its definitions written in place."""
    schema = adapter.json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(inner) for inner in part]
        if not isinstance(part, dict):
            return part
        named = definitions.get(part.get("$ref", "").rpartition("/")[2], {})
        return {key: inlined(inner) for key, inner in {**named, **part}.items() if key != "$ref"}

    return {"application/json": inlined(schema)}


ASKED = {
    "instance_type": "m5.large",
    "region": "us-east-1",
    "az": "use1-az1",
    "spot_price": "0.035400",
}  # no launch_time: an example would be too old for an answer a week later
ANSWERED = {
    "prediction_id": 4711,
    "instance_type": "m5.large",
    "region": "us-east-1",
    "az": "use1-az1",
    "zone_id": "use1-az1",
    "zone_name": None,
    "product": "Linux/UNIX",
    "interruption_probability": 0.000208,
    "probability_low": 0.0,
    "probability_high": 0.000421,
    "confidence": 0.999579,
    "horizon_seconds": 21600,
    "safety_score": 0.947,
    "risk_score": 0.053,
    "evidence": "advisor",
    "recommendation": "LAUNCH",
    "unknown": [],
    "explanation": {
        "summary": "No traces of its family; the Spot Advisor's band spread over the month gives 0.02% within 6 h. "
        "Safety 0.95.",
        "limits": {"interruption_probability": 0.2, "safety_score": 0.75},
        "contributions": None,
        "advisor_band": "<5%",
        "safety_components": {"advisor": {"value": 1.0, "weight": 0.6, "share": 0.6}},
    },
    "data_as_of": {
        "scored_at": "2026-11-20T11:50:00Z",
        "spot_prices": "2026-11-20T11:48:00Z",
        "spot_advisor": "2026-11-20T11:00:00Z",
        "on_demand_prices": "2026-11-20T00:10:00Z",
    },
    "model": {"id": 3, "name": "interruption", "version": "1.0", "horizon_seconds": 21600},
}
_NUMBER = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_TIME = {"type": ["string", "null"], "format": "date-time"}
PREDICTION = {
    "type": "object",
    "required": ["interruption_probability", "confidence", "recommendation", "evidence", "unknown", "data_as_of"],
    "properties": {
        "prediction_id": {"type": "integer"},
        **{name: {"type": "string"} for name in ("instance_type", "region", "az", "product")},
        "zone_id": {"type": ["string", "null"]},
        "zone_name": {"type": ["string", "null"], "description": "What the named account calls the zone"},
        "interruption_probability": {**_NUMBER, "description": "Within the horizon; null = unknown"},
        "probability_low": _NUMBER,
        "probability_high": _NUMBER,
        "confidence": {**_NUMBER, "description": "1 - (probability_high - probability_low)"},
        "horizon_seconds": {"type": "integer"},
        "safety_score": {**_NUMBER, "description": "1 = safe"},
        "risk_score": {**_NUMBER, "description": "1 - safety_score"},
        "evidence": {
            "type": "string",
            "enum": ["trace", "advisor", "none"],
            "description": "trace: the model has seen this family interrupted; advisor: the Advisor's band alone",
        },
        "recommendation": {"type": "string", "enum": ["LAUNCH", "AVOID", "UNKNOWN"]},
        "unknown": {"type": "array", "items": {"type": "string"}, "description": "Which data is missing"},
        "explanation": {
            "type": "object",
            "properties": {
                "summary": {"type": "string"},
                "limits": {"type": "object", "additionalProperties": {"type": "number"}},
                "contributions": {
                    "type": ["object", "null"],
                    "description": "Calibrated log-odds by feature, base, raw and calibrated probability",
                },
                "advisor_band": {"type": ["string", "null"], "enum": [*BANDS, None]},
                "safety_components": {"type": "object", "additionalProperties": True},
            },
        },
        "data_as_of": {"type": "object", "additionalProperties": _TIME},
        "model": {"type": "object", "additionalProperties": True},
    },
}
PREDICTIONS = {
    "type": "object",
    "required": ["prediction_type", "predictions"],
    "properties": {
        "prediction_type": {"type": "string"},
        "predictions": {"type": "array", "items": PREDICTION, "description": "One per input, in order"},
    },
}
ONE_EXAMPLES = [
    OpenApiExample("One launch", request_only=True, value=ASKED),
    OpenApiExample("Its outlook", response_only=True, value=ANSWERED),
]
MANY_EXAMPLES = [
    OpenApiExample(
        "Two launches",
        request_only=True,
        value={
            "prediction_type": "spot_interruption",
            "inputs": [
                ASKED,
                {"instance_type": "c5.xlarge", "region": "us-east-1", "az": "us-east-1a", "account_id": "123456789012"},
            ],
        },
    ),
    OpenApiExample(
        "Their outlooks",
        response_only=True,
        value={"prediction_type": "spot_interruption", "predictions": [ANSWERED]},
    ),
]
HEALTH = {
    "type": "object",
    "required": ["status", "database", "redis", "workers", "models_loaded"],
    "properties": {
        "status": {"type": "string", "enum": ["ok", "down"]},
        "database": {"type": "string", "enum": ["ok", "down"]},
        "redis": {"type": "string", "enum": ["ok", "down"], "description": "The cache"},
        "workers": {"type": ["integer", "null"], "description": "Workers that answered; null = the queue is down"},
        "models_loaded": {"type": ["integer", "null"], "description": "0 = the baseline; null = it does not load"},
        "problems": {"type": "array", "items": {"type": "string"}},
    },
}
WELL = {"status": "ok", "database": "ok", "redis": "ok", "workers": 4, "models_loaded": 1, "problems": []}
