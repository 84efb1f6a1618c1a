"""What do answers of the lab's addresses look like? Shown in the schema; a test holds them to it."""

from drf_spectacular.utils import OpenApiExample

RUN_ID = "5f0c2f6e-3b1d-4a57-9f0e-0d0c5a1f7b11"
EXPERIMENT_ID = "0b8a9a52-6c2e-4b8e-8f62-7b5d9f1f2a90"
MODEL = {"model_id": 3, "name": "interruption", "version": "1.0"}
NAMED = {"id": 41, "instance_id": "i-0a1b2c3d4e5f60718", "name": "web-3"}

_INSTANCE = {
    **NAMED,
    "account": {"id": 2, "account_id": "111122223333", "name": "shop", "environment": "PROD"},
    "region": "eu-west-3",
    "zone_name": "eu-west-3a",
    "zone_id": "euw3-az1",
    "instance_type": "c5.xlarge",
    "product": "Linux/UNIX",
    "state": "running",
    "is_spot": False,
    "launched_at": "2026-10-19T12:00:00.000000Z",
    "group": None,
    "cluster_name": "",
    "tags": {"team": "web"},
    "pipeline_mode": "LINEAR",
    "is_shadow_mode": True,
    "stateless_said_by": "alice",
    "stateless_said_at": "2026-11-01T09:00:00.000000Z",
    "health_port": 80,
    "health_path": "/health",
    "policy_overrides": {},
    "assigned_model": MODEL,
    "settings_version": 4,
    "settings_changed_at": "2026-11-01T09:00:00.000000Z",
    "settings_changed_by": "alice",
    "last_switched_at": None,
    "seen_at": "2026-11-18T11:55:00.000000Z",
    "vanished_at": None,
    "last_evaluation": {
        "experiment_id": EXPERIMENT_ID,
        "decision": "SWITCH",
        "reason": "c5d.xlarge in euw3-az1 saves 109.06 USD a month and passes every gate",
        "target_instance_type": "c5d.xlarge",
        "target_zone_id": "euw3-az1",
        "interruption_probability": 0.0017,
        "evidence": "advisor",
        "safety_score": 0.93,
        "expected_savings_usd_per_month": "109.06",
        "decided_at": "2026-11-18T12:00:00.000000Z",
    },
    "open_run_id": None,
}
_EXPERIMENT = {
    "id": EXPERIMENT_ID,
    "run_id": RUN_ID,
    "instance": NAMED,
    "model": MODEL,
    "decision": "SWITCH",
    "reason": "c5d.xlarge in euw3-az1 saves 109.06 USD a month and passes every gate",
    "instance_type": "c5.xlarge",
    "target_instance_type": "c5d.xlarge",
    "target_zone_id": "euw3-az1",
    "interruption_probability": 0.0017,
    "evidence": "advisor",
    "safety_score": 0.93,
    "risk_score": 0.07,
    "current_usd_per_month": "147.46",
    "expected_savings_usd_per_month": "109.06",
    "is_shadow": True,
    "receipt_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "decided_at": "2026-11-18T12:00:00.000000Z",
}
_STEP = {
    "position": 1,
    "name": "candidates",
    "state": "done",
    "inputs": {"instance": 41},
    "outputs": {"note": "212 of 540 pools could host it"},
    "count_in": 540,
    "count_out": 212,
    "started_at": "2026-11-18T12:00:00.120000Z",
    "duration_ms": 84.2,
    "error": "",
}
_RUN = {
    "id": RUN_ID,
    "instance": NAMED,
    "pipeline": "LINEAR",
    "trigger": "person",
    "requested_by": "alice",
    "state": "done",
    "created_at": "2026-11-18T11:59:59.000000Z",
    "started_at": "2026-11-18T12:00:00.000000Z",
    "ended_at": "2026-11-18T12:00:01.000000Z",
    "error": "",
    "experiment_id": EXPERIMENT_ID,
    "steps": [_STEP],
}
_SIDE = {
    "model": MODEL,
    "decisions": 240,
    "switches": 31,
    "last_decided_at": "2026-11-20T12:00:00.000000Z",
    "interruption_probability": {"n": 60, "value": 0.021, "low": 0.017, "high": 0.025},
    "savings_usd_per_month": {"n": 60, "value": "2210.40", "low": "1702.11", "high": "2718.69"},
    "observed": {
        "labelled": 0,
        "interrupted": 0,
        "share": None,
        "low": None,
        "high": None,
        "predicted": None,
        "censored": 2,
    },
}
_COMPARISON = {
    "a": _SIDE,
    "b": {**_SIDE, "model": {"model_id": 4, "name": "interruption", "version": "1.1"}, "switches": 29},
    "agreement": {"judged": 60, "agreed": 58, "share": 0.967, "low": 0.886, "high": 0.991},
    "gain_usd_per_month": {"n": 60, "value": "-81.20", "low": "-171.92", "high": "9.52"},
    "differences": [
        {
            "instance_id": "i-0a1b2c3d4e5f60718",
            "a": EXPERIMENT_ID,
            "a_decision": "SWITCH",
            "b": "7a1f6a0e-97a5-4b7e-8a6c-40a1a8a3a6f3",
            "b_decision": "STAY",
        }
    ],
    "same_decisions": {
        "judged": 180,
        "agreed": 171,
        "share": 0.95,
        "low": 0.908,
        "high": 0.974,
        "gain_usd_per_month": {"n": 180, "value": "-1.35", "low": "-2.87", "high": "0.17"},
    },
    "labelled_count": 0,
    "calibration": None,
}

SETTINGS = OpenApiExample(
    "Where it says that it is well, and a wider limit",
    request_only=True,
    value={
        "settings_version": 3,
        "health_port": 80,
        "health_path": "/health",
        "stateless": True,
        "policy_overrides": {"max_interruption_probability": 0.1},
    },
)
INSTANCE = OpenApiExample("An On-Demand machine that could move", value=_INSTANCE, response_only=True)
EXPERIMENT = OpenApiExample("A decision to switch", value=_EXPERIMENT, response_only=True)
RECEIPT = OpenApiExample(
    "With its receipt, shortened",
    value={**_EXPERIMENT, "receipt": {"version": 1, "gates": [{"gate": "fresh_data", "outcome": "pass"}]}},
    response_only=True,
)
RUN = OpenApiExample("A run that has ended", value=_RUN, response_only=True)
QUEUED = OpenApiExample(
    "A run that waits for a worker",
    value={**_RUN, "state": "queued", "started_at": None, "ended_at": None, "experiment_id": None, "steps": []},
    response_only=True,
    status_codes=["202"],
)
NOTHING = OpenApiExample("Nothing need be said", value={}, request_only=True)
COMPARISON = OpenApiExample("Two versions on sixty instances", value=_COMPARISON, response_only=True)

_ANSWERED = {
    "execution_id": "c1f7a6de-5b57-4d52-8a2e-2f4a1c9f0e55",
    "decision_type": "spot_optimize",
    "cluster_id": "web",
    "estimated_savings": "872.48",
    "confidence_score": 0.99,
    "executed_at": "2026-11-20T12:00:00.000000Z",
}
ANSWERED = OpenApiExample("An answer of the spot optimizer", value=_ANSWERED, response_only=True)
ANSWERED_WHOLE = OpenApiExample(
    "With what was asked and said, shortened",
    value={
        **_ANSWERED,
        "request_id": "web-2026-11-20",
        "engine_name": "spot_optimizer",
        "engine_version": "1",
        "request": {"request_id": "web-2026-11-20", "requirements": [{"name": "web", "region": "eu-west-3"}]},
        "response": {"request_id": "web-2026-11-20", "decision_type": "spot_optimize", "recommendations": []},
    },
    response_only=True,
)

_SUM = {
    "name": "all",
    "instances": 42,
    "spot": 6,
    "on_demand": 36,
    "unpriced": 1,
    "usd_per_hour": "4.212000",
    "usd_per_month": "3074.76",
    "saved_usd_per_month": "211.30",
}
_READ = {"at": "2026-11-20T11:50:00.000000Z", "is_old": False}
OVERVIEW = OpenApiExample(
    "A fleet with one machine that has no known price",
    value={
        "at": "2026-11-20T12:00:00.000000Z",
        "fleet": {
            "total": _SUM,
            "idle": 3,
            "accounts": [{**_SUM, "name": "shop (PROD, 123456789012)"}],
            "regions": [{**_SUM, "name": "eu-west-3"}],
            "types": [{**_SUM, "name": "m5.large"}],
            "unpriced": ["mac2.metal in eu-west-3, On-Demand"],
            "inventory": _READ,
            "spot_prices": _READ,
            "list_prices": _READ,
        },
        "savings": {
            "decided": 42,
            "switches": 31,
            "stays": 11,
            "usd_per_month": "1702.11",
            "unknown": 0,
            "is_shadow": True,
            "oldest": _READ,
            "newest_at": "2026-11-20T11:50:00.000000Z",
        },
        "needs": [
            {
                "kind": "runs_failed",
                "count": 1,
                "says": "The last evaluation of 1 instance failed",
                "href": "/instances/41/",
                "is_urgent": True,
                "since": "2026-11-20T11:50:00.000000Z",
            }
        ],
        "days": [
            {
                "day": "2026-11-20",
                "noted_at": "2026-11-20T11:50:00.000000Z",
                "instances": 42,
                "unpriced": 1,
                "usd_per_month": "3074.76",
                "switches": 31,
                "savings_usd_per_month": "1702.11",
            }
        ],
    },
    response_only=True,
)
