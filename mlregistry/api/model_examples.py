"""Examples of the models' endpoints, for the schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

SHA256 = "c698aeab433c797a41cf05d5407721cd1a17fdf7480e2d995b9a3f9ca0692777"
MODEL: dict[str, Any] = {
    "model_id": 1,
    "name": "interruption",
    "version": "1.0",
    "model_type": "spot_predictor",
    "trained_until": "2023-02-10",
    "active": True,
    "status": "graduated",
    "is_experimental": False,
    "feature_version": "pools-2",
    "horizon_seconds": 3600,
    "file_sha256": SHA256,
    "metadata_sha256": "0f8e2a9c7c8f1f3b2d4e5a6978b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c",
    "uploaded_at": "2026-11-20T09:00:00.000000Z",
    "activated_at": "2026-11-20T09:00:01.000000Z",
}
ACCURACY: dict[str, Any] = {
    "accuracy": None,
    "precision": None,
    "recall": None,
    "f1_score": None,
    "roc_auc": None,
    "brier": None,
    "calibration": [],
    "threshold": 0.2,
    "predictions_count": 4711,
    "labelled_count": 0,
}
JUDGED = {
    **ACCURACY,
    "accuracy": 0.97,
    "precision": 0.6,
    "recall": 0.5,
    "f1_score": 0.545,
    "roc_auc": 0.81,
    "brier": 0.021,
    "calibration": [{"predicted": 0.02, "observed": 0.018, "count": 2100}],
    "labelled_count": 2400,
}
USAGE: dict[str, Any] = {
    "predictions_24h": {"number": 240, "is_more": False},
    "predictions_30d": {"number": 4711, "is_more": False},
    "shadow_30d": {"number": 0, "is_more": False},
    "last_used_at": "2026-11-25T10:00:00.000000Z",
    "latency_ms": {"p50": 1.9, "p95": 4.2, "p99": 7.5, "predictions": 4711},
}
ASSIGNED: dict[str, Any] = {
    "assignment_id": 12,
    "model_id": 2,
    "kind": "serving",
    "account": 3,
    "account_id": "123456789012",
    "instance": 41,
    "instance_id": "i-0123456789abcdef0",
    "share": None,
    "assigned_at": "2026-11-25T10:00:00.000000Z",
}


def asked(name: str, value: Any, media: str = "application/json") -> OpenApiExample:
    return OpenApiExample(name, request_only=True, value=value, media_type=media)


def answered(name: str, value: Any, status: str = "200", media: str = "application/json") -> OpenApiExample:
    return OpenApiExample(name, response_only=True, status_codes=[status], value=value, media_type=media)


UPLOAD = [
    asked(
        "A model and its metadata",
        {
            "file": "(the file)",
            "model_name": "interruption",
            "model_version": "1.1",
            "model_type": "spot_predictor",
            "trained_until_date": "2026-10-31",
            "metadata": '{"horizon_seconds": 3600, "calibration": {}}',
        },
        "multipart/form-data",
    ),
    answered(
        "In testing",
        {
            "model_id": 2,
            "status": "testing",
            "upload_path": "/api/v1/ml/models/2/download",
            "file_sha256": SHA256,
        },
        "201",
    ),
]
ACTIVATE = [
    asked("The second one", {"model_id": 2, "version": "1.1"}),
    answered(
        "It counts now",
        {"status": "active", "activated_at": "2026-11-25T10:00:00.000000Z", "previous_active": 1},
    ),
]
DELETE = [answered("Gone from every list", {"status": "deleted", "deleted_at": "2026-11-25T10:00:00.000000Z"})]
DETAILS = [
    answered(
        "No outcome yet",
        {
            "model_id": 1,
            "metadata": {"name": "interruption", "horizon_seconds": 3600},
            "performance_metrics": ACCURACY,
            "usage_stats": USAGE,
        },
    )
]
PERFORMANCE = [answered("No outcome yet", ACCURACY), answered("With outcomes", JUDGED)]
HISTORY = [
    answered(
        "One of a decision",
        {
            "prediction_id": 4711,
            "prediction_type": "spot_interruption",
            "model_id": 1,
            "probability": 0.04,
            "confidence": 0.93,
            "evidence": "trace",
            "output": {"interruption_probability": 0.04},
            "is_shadow": False,
            "outcome": None,
            "latency_ms": 1.9,
            "created_at": "2026-11-25T10:00:00.000000Z",
        },
    )
]
LAB_MODELS = [answered("The shipped model", {**MODEL, "serving_instances": 0, "shadow_instances": 2, "shares": 0})]
STATUS = [
    asked("It proved itself", {"status": "graduated", "reason": "three weeks in shadow, better calibrated"}),
    answered("Graduated", {"model_id": 2, "status": "graduated"}),
]
ASSIGNMENTS = [answered("One instance", {"assignments": [ASSIGNED]})]
ASSIGN = [
    asked("Two instances", {"kind": "serving", "instances": [41, 42]}),
    asked("An A/B split", {"kind": "serving", "account": 3, "share": 0.2}),
    *ASSIGNMENTS,
]
UNASSIGN = [asked("That one", {"assignments": [12]}), answered("Ended", {"ended": 1})]
DOWNLOAD = [answered("LightGBM's text", "tree\nversion=v4\n", media="application/octet-stream")]
