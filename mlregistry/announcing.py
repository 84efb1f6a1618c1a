"""Who hears of a prediction as it is made?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts import feed
from accounts.feed import Kind, Stream
from mlregistry.models import Prediction

TOLD_AT_ONCE = 100  # predictions in a row of the feed: one call may make a thousand
INPUTS = ("instance_type", "region", "az", "zone_id", "product")


def announce(organization_id: Stream, predictions: Sequence[Prediction]) -> None:
    """Let the organization's streams hear of them, in the transaction that keeps them."""
    told = [_told(row) for row in predictions]
    chunks = (told[start : start + TOLD_AT_ONCE] for start in range(0, len(told), TOLD_AT_ONCE))
    feed.tell_all(organization_id, Kind.PREDICTION, [{"predictions": chunk} for chunk in chunks])


def _told(row: Prediction) -> dict[str, Any]:
    return {
        "prediction_id": row.pk,
        "prediction_type": row.prediction_type,
        "model_id": row.model_id,
        "inputs": {name: row.inputs[name] for name in INPUTS if name in row.inputs},
        "interruption_probability": row.probability,
        "confidence": row.confidence,
        "evidence": row.evidence,
        "created_at": row.created_at,
    }
