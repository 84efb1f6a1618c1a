"""How right was a model, by what became of what it predicted? Unknown figures are None, never a lucky number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlregistry.domain.evaluation import Labels, brier, reliability, roc_auc

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about the same probability: what was said, and the share that was interrupted."""

    predicted: float
    observed: float
    count: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Figures over labelled predictions. A prediction above `threshold` says "interrupted".

    None where a figure cannot be formed: nothing labelled, nothing said to be interrupted, one class only.
    """

    labelled: int
    threshold: float
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1_score: float | None
    roc_auc: float | None
    brier: float | None
    calibration: tuple[Bin, ...]


def accuracy(label: Labels, probability: Floats, threshold: float) -> Accuracy:
    """`label` bool[n] (interrupted within the horizon), `probability` float64[n]."""
    said = probability > threshold
    hits, false_alarms = int((said & label).sum()), int((said & ~label).sum())
    missed = int((~said & label).sum())
    precision, recall = _share(hits, hits + false_alarms), _share(hits, hits + missed)
    f1_score = _share(2 * hits, 2 * hits + false_alarms + missed)
    bins = zip(*reliability(label, probability), strict=True) if len(label) else ()
    return Accuracy(
        labelled=len(label),
        threshold=threshold,
        accuracy=_share(int((said == label).sum()), len(label)),
        precision=precision,
        recall=recall,
        f1_score=f1_score,
        roc_auc=_known(roc_auc(label, probability)),
        brier=_known(brier(label, probability)),
        calibration=tuple(Bin(float(p), float(o), int(n)) for p, o, n in bins),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
