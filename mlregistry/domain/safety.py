"""How safe is a pool, from 0 to 1, and what does each part contribute?

A score exists only where every component with a weight is known: NaN in, NaN out, never a default. Weights are named
and versioned, and sum to 1. Vectorized over pools, every operation elementwise: one pool and 60,000 give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AdaptiveComponents:
    """Components of the adaptive form; float64[n] in [0, 1] with 1 = safe, NaN = unknown."""

    advisor: Floats
    stability: Floats
    structural: Floats
    learned: Floats


@dataclass(frozen=True, slots=True)
class StaticComponents:
    """Components of the static form (engine version 1); float64[n] in [0, 1] with 1 = safe, NaN = unknown."""

    public_rate: Floats
    stability: Floats
    gap: Floats
    time_of_day: Floats


SafetyComponents = AdaptiveComponents | StaticComponents


@dataclass(frozen=True, slots=True)
class Weights:
    """A named, versioned share for each component. Raises ValueError unless none is negative and they sum to 1."""

    name: str
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        total = sum(self.shares.values())
        if not abs(total - 1) <= 1e-9:
            raise ValueError(f"weights {self.name} sum to {total:g}, not 1")
        if min(self.shares.values()) < 0:
            raise ValueError(f"weights {self.name} hold a negative share: {dict(self.shares)}")
        object.__setattr__(self, "shares", MappingProxyType(dict(self.shares)))


STATIC = Weights("static-1", {"public_rate": 0.60, "stability": 0.25, "gap": 0.10, "time_of_day": 0.05})

# instance-hours → feedback weight: 0 up to 10 k, then linear, flat after 500 k
FEEDBACK_KNOTS = ((10_000, 0.0), (50_000, 0.10), (200_000, 0.15), (500_000, 0.25))

# 7-day volatility of ln(price) → stability, linear between. A price that strays by 1 % is near 0.95, by 15 % near 0.25;
# from 30 % on nothing is left.
STABILITY_VERSION = "stability-1"
STABILITY_KNOTS = ((0.0, 1.0), (0.05, 0.75), (0.15, 0.25), (0.30, 0.0))

OFF_PEAK_VERSION = "off-peak-1"
OFF_PEAK = (20, 8)  # local hours: from 20:00 until 8:00


@dataclass(frozen=True, slots=True)
class StructuralConfig:
    """How the catalogue alone rates a type. `oldest_years` and `largest_vcpus` are where age and size score 0."""

    name: str
    generation: float
    size: float
    not_burstable: float
    not_metal: float
    oldest_years: float
    smallest_vcpus: float
    largest_vcpus: float


# old families lose supply; large sizes need a whole host, metal always does; burstable ones share theirs
STRUCTURAL = StructuralConfig("structural-1", 0.4, 0.3, 0.1, 0.2, oldest_years=15, smallest_vcpus=2, largest_vcpus=192)


def feedback_weight(instance_hours: float) -> float:
    """Share `w` of what was learned from interruptions, by instance-hours observed. ValueError for negative hours."""
    if not instance_hours >= 0:
        raise ValueError(f"{instance_hours} instance-hours")
    hours, weight = zip(*FEEDBACK_KNOTS, strict=True)
    return float(np.interp(instance_hours, hours, weight))


def adaptive_weights(feedback: float = 0.0) -> Weights:
    """(0.60 − w)·advisor + 0.30·stability + 0.10·structural + w·learned, with w = `feedback`."""
    shares = {"advisor": 0.60 - feedback, "stability": 0.30, "structural": 0.10, "learned": feedback}
    return Weights(f"adaptive-1 w={feedback:g}", shares)


def safety(components: SafetyComponents, weights: Weights) -> Floats:
    """Safety score float64[n]; NaN while a component with a weight is unknown. A weight of 0 asks for nothing.

    Raises ValueError when the weights name other components, or a component leaves [0, 1].
    """
    names = [field.name for field in fields(components)]
    if set(names) != set(weights.shares):
        raise ValueError(f"weights {weights.name} are for {sorted(weights.shares)}, not {names}")
    score = np.zeros(len(getattr(components, names[0])))
    for name in names:
        if weights.shares[name] == 0:
            continue
        values = getattr(components, name)
        if np.any(values < 0) or np.any(values > 1):
            raise ValueError(f"{name} leaves [0, 1]")
        score += weights.shares[name] * values
    return np.minimum(score, 1.0)  # binary shares may add up to 1 and a rounding


def as_json(values: Mapping[str, float | None], weights: Weights) -> dict[str, Any]:
    """Of one pool: component → value, weight, and share (their product); unknown = None."""
    return {
        name: {"value": values[name], "weight": weight, "share": _share(values[name], weight)}
        for name, weight in weights.shares.items()
    }


def _share(value: float | None, weight: float) -> float | None:
    if weight == 0:
        return 0.0
    return None if value is None else value * weight


def band_score(bands: Floats) -> Floats:
    """1, 0.75, 0.5, 0.25, 0 for Advisor bands 0 to 4; NaN stays NaN. ValueError for another band."""
    if np.any((bands < 0) | (bands > 4) | (np.floor(bands) < bands)):  # a remainder takes five times as long
        raise ValueError("an Advisor band is 0, 1, 2, 3 or 4")
    return 1.0 - 0.25 * bands


def stability(volatility: Floats) -> Floats:
    """Stability by 7-day volatility of ln(price), along STABILITY_KNOTS."""
    at, value = zip(*STABILITY_KNOTS, strict=True)
    return np.interp(volatility, at, value)


def gap(price_position: Floats) -> Floats:
    """1 − price position; a pool dearer than On-Demand has no gap."""
    return np.clip(1.0 - price_position, 0.0, 1.0)


def time_of_day(local_hour: Floats) -> Floats:
    """1 off-peak, 0 at peak, by the hour (0 to 24) in the region's own time zone."""
    begin, end = OFF_PEAK
    is_off = (local_hour >= begin) | (local_hour < end)
    return np.where(np.isnan(local_hour), np.nan, is_off.astype(np.float64))


def structural(
    vcpus: Floats, age_years: Floats, is_burstable: Floats, is_metal: Floats, config: StructuralConfig = STRUCTURAL
) -> Floats:
    """Structural score from the catalogue alone: generation, size, burstable, metal (1 or 0); NaN = not catalogued."""
    size_range = np.log(config.largest_vcpus / config.smallest_vcpus)
    young = 1.0 - np.clip(age_years / config.oldest_years, 0.0, 1.0)
    small = 1.0 - np.clip(np.log(vcpus / config.smallest_vcpus) / size_range, 0.0, 1.0)
    return (
        config.generation * young
        + config.size * small
        + config.not_burstable * (1.0 - is_burstable)
        + config.not_metal * (1.0 - is_metal)
    )
