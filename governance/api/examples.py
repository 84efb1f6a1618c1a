"""What do answers of governance and system look like? Shown in the schema; a test holds them to it."""

from drf_spectacular.utils import OpenApiExample

_SEAL = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_VERDICT = {
    "is_intact": True,
    "verdict": "Intact: 1,204 entries as written, none missing, none moved, none cut off the end.",
    "sealed": 1204,
    "head": {"sequence": 1204, "seal": _SEAL},
    "is_anchored": True,
    "unsealed": 0,
    "oldest_unsealed_at": None,
    "unsealed_for_seconds": 0.0,
    "faults_count": 0,
    "faults": [],
}
_RUN = {
    "id": 981,
    "component": "inventory",
    "task": "sync_account",
    "subject": "shop",
    "started_at": "2026-11-18T12:00:00.000000Z",
    "ended_at": "2026-11-18T12:00:04.200000Z",
    "duration_seconds": 4.2,
    "is_success": True,
    "detail": "",
}

_LIMITS = {"min_zones": 2, "min_savings_percent": "15"}
_SET = {
    "level": "account",
    "id": 2,
    "name": "shop",
    "version": 3,
    "overrides": _LIMITS,
    "changed_at": "2026-11-18T12:00:00.000000Z",
    "changed_by": "alice",
}
_EFFECTIVE = {
    "min_zones": {"value": 2, "set_by": "account"},
    "min_safety_score": {"value": 0.8, "set_by": "organization"},
    "cool_down_hours": {"value": 12.0, "set_by": "default"},
}
_CHANGE = {
    "at": "2026-11-18T12:00:00.000000Z",
    "actor": "alice",
    "before": {"min_zones": 3},
    "after": _LIMITS,
}

SET_POLICY = OpenApiExample("Of an account", value=_SET, response_only=True)
POLICY = OpenApiExample(
    "Of an account; `effective` shortened", value={**_SET, "effective": _EFFECTIVE}, response_only=True
)
LIMITS = OpenApiExample("Two zones are enough here", value={"version": 2, "overrides": _LIMITS}, request_only=True)
POLICY_CHANGE = OpenApiExample("Two limits", value=_CHANGE, response_only=True)
ENTRY = OpenApiExample(
    "A policy was changed",
    value={
        "sequence": 1204,
        "at": "2026-11-18T12:00:00.000000Z",
        "actor": "alice",
        "deed": "policy.changed",
        "subject": "optimization-policy/3",
        "before": {"min_savings_percent": 10},
        "after": {"min_savings_percent": 15},
        "reason": "",
        "request_id": "0d5c1f6e9a7b4c12",
    },
    response_only=True,
)
VERDICT = OpenApiExample("Nothing was changed", value=_VERDICT, response_only=True)
BROKEN = OpenApiExample(
    "Somebody changed an entry",
    value={
        **_VERDICT,
        "is_intact": False,
        "verdict": "The log was changed after it was written: 1 place does not fit.",
        "faults_count": 1,
        "faults": [{"sequence": 17, "what": "the entry, its seal or its place in the chain was changed"}],
    },
    response_only=True,
)
RUN = OpenApiExample("An account was read", value=_RUN, response_only=True)
COMPONENT = OpenApiExample(
    "The price scraper",
    value={
        "name": "price-scraper",
        "status": "partly",
        "last_started_at": "2026-11-18T11:50:00.000000Z",
        "last_ended_at": "2026-11-18T11:50:21.000000Z",
        "last_is_success": True,
        "runs": 290,
        "succeeded": 288,
        "failed": 2,
        "success_rate": 0.9931,
        "p50_seconds": 18.4,
        "p95_seconds": 41.0,
        "uptime": 1.0,
        "hours": [{"hours_ago": 1, "succeeded": 12, "failed": 0}],
    },
    response_only=True,
)
