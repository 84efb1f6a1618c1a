"""How good are probabilities, and how sure is that figure? Metrics in numpy, with intervals by resampled blocks.

`label` is bool[n] (1 = interrupted), `score` float64[n]. A figure that cannot be formed (no rows, one class only where
two are needed) is NaN, never a lucky number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Index = NDArray[np.int64]
Metric = Callable[[Labels, Floats], float]
SMALLEST = 1e-6  # log loss is cut here: one "never" that happens would otherwise outweigh everything
BINS = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric with its 95 % interval over resampled blocks."""

    value: float
    low: float
    high: float


def roc_auc(label: Labels, score: Floats) -> float:
    """Probability that an interrupted row scores above another, ties counting half."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return float("nan")
    _, rank_of, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2  # rank from 1, the middle of ties
    return float((middle[rank_of][label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(label: Labels, score: Floats) -> float:
    """Mean precision over the recalled, equal scores taken together."""
    if not label.any():
        return float("nan")
    values, group = np.unique(-score, return_inverse=True)
    hits = np.cumsum(np.bincount(group, label, len(values)))
    shown = np.cumsum(np.bincount(group, minlength=len(values)))
    gained = np.diff(hits, prepend=0.0)
    return float((gained * hits / shown).sum() / hits[-1])


def brier(label: Labels, score: Floats) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((score - label) ** 2)) if len(label) else float("nan")


def log_loss(label: Labels, score: Floats) -> float:
    """Mean negative log-likelihood, probabilities cut to [SMALLEST, 1 − SMALLEST]."""
    if not len(label):
        return float("nan")
    sure = np.clip(score, SMALLEST, 1 - SMALLEST)
    return float(-np.mean(np.where(label, np.log(sure), np.log1p(-sure))))


def reliability(label: Labels, score: Floats) -> tuple[Floats, Floats, Index]:
    """Mean score, observed share and number of rows of up to BINS bins with about equally many rows."""
    edges = np.unique(np.quantile(score, np.arange(1, BINS) / BINS)) if len(score) else np.empty(0)
    bin_of = np.searchsorted(edges, score, side="right")
    count = np.bincount(bin_of, minlength=len(edges) + 1)
    used = count > 0
    said = np.bincount(bin_of, score, len(count))[used] / count[used]
    seen = np.bincount(bin_of, label, len(count))[used] / count[used]
    return said, seen, count[used]


def reliability_error(label: Labels, score: Floats) -> float:
    """Mean distance between what was said and what was seen, over the bins of `reliability`."""
    if not len(label):
        return float("nan")
    said, seen, count = reliability(label, score)
    return float((np.abs(said - seen) * count).sum() / count.sum())


METRICS: dict[str, Metric] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "brier": brier,
    "log_loss": log_loss,
    "reliability_error": reliability_error,
}


def figures(label: Labels, score: Floats, block: Index, *, seed: int, draws: int = 200) -> dict[str, Figure]:
    """Every metric with its interval: whole blocks (traces) are drawn with replacement, for rows of one are not
    independent. Draws in which a metric cannot be formed are left out; the same seed gives the same interval."""
    random = np.random.default_rng(seed)
    rows_of = [np.flatnonzero(block == name) for name in np.unique(block)]
    drawn: dict[str, list[float]] = {name: [] for name in METRICS}
    for _ in range(draws if len(rows_of) > 1 else 0):
        rows = np.concatenate([rows_of[i] for i in random.integers(0, len(rows_of), len(rows_of))])
        for name, metric in METRICS.items():
            drawn[name].append(metric(label[rows], score[rows]))
    return {name: Figure(metric(label, score), *_interval(drawn[name])) for name, metric in METRICS.items()}


def platt(label: Labels, raw: Floats, rounds: int = 50) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of `label` on `raw`, by Newton's method with Platt's targets.

    ValueError unless both classes are there.
    """
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        raise ValueError(f"{positives} interrupted rows and {negatives} others: both are needed to calibrate")
    # Platt's targets keep the line finite where the classes are separable
    target = np.where(label, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, intercept = 0.0, float(np.log((positives + 1) / (negatives + 1)))
    for _ in range(rounds):
        said = _sigmoid(slope * raw + intercept)
        apart, weight = target - said, said * (1 - said)
        gradient = np.array([np.sum(apart * raw), np.sum(apart)])
        cross = np.sum(weight * raw)
        bend = np.array([[np.sum(weight * raw * raw) + 1e-9, cross], [cross, np.sum(weight) + 1e-9]])
        step = np.linalg.solve(bend, gradient)
        before = _misfit(target, slope * raw + intercept)
        # Newton overshoots from afar: halve the step until it helps
        while np.abs(step).max() > 1e-12:
            tried = _misfit(target, (slope + step[0]) * raw + intercept + step[1])
            if tried <= before:
                break
            step = step / 2
        slope, intercept = slope + float(step[0]), intercept + float(step[1])
        if np.abs(step).max() <= 1e-12:
            break
    return slope, intercept


def _sigmoid(x: Floats) -> Floats:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def _misfit(target: Floats, log_odds: Floats) -> float:
    """Negative log-likelihood of soft targets."""
    return float(np.sum(np.logaddexp(0.0, log_odds) - target * log_odds))


def _interval(drawn: list[float]) -> tuple[float, float]:
    formed = np.array([value for value in drawn if np.isfinite(value)])
    if not len(formed):
        return float("nan"), float("nan")
    low, high = np.quantile(formed, [0.025, 0.975])
    return float(low), float(high)
