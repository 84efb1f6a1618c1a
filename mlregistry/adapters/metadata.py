"""What does a model say about itself, and does it fit this program?"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlregistry.domain.features import FEATURE_VERSION, NAMES, feature_hash

Floats = NDArray[np.float64]
SPOT_PREDICTOR = "spot_predictor"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
LONGEST_NAME, LONGEST_VERSION = 80, 40  # the registry's columns


class ModelRefused(ValueError):
    """A model that is not loaded, with the reason in plain words."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From a raw log-odds to a calibrated probability, and how far that may be off.

    Platt's form: calibrated log-odds = slope × raw + intercept, so that contributions to the log-odds scale with it.
    `edges` float64[k − 1], ascending, cut calibrated probability into k bins; in bin i `low` and `high` bound the
    frequency that was observed on the calibration slice.
    """

    slope: float
    intercept: float
    edges: Floats
    low: Floats
    high: Floats

    def log_odds(self, raw: Floats) -> Floats:
        return self.slope * raw + self.intercept

    def interval(self, probability: Floats) -> tuple[Floats, Floats]:
        """The observed range of the probability's bin, widened where needed to hold the probability itself."""
        bin_of = np.searchsorted(self.edges, probability, side="right")
        return np.minimum(self.low[bin_of], probability), np.maximum(self.high[bin_of], probability)


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """The part of a model's metadata that loading and predicting need; the whole stays in `stored`."""

    name: str
    version: str
    horizon: timedelta
    calibration: Calibration
    trace_families: frozenset[str]
    region_statistics: Mapping[str, Mapping[str, Sequence[float]]]
    sample_inputs: Floats
    sample_outputs: Floats
    stored: Mapping[str, Any]


def read_metadata(stored: Mapping[str, Any]) -> ModelMetadata:
    """Parse and check metadata. Raises ModelRefused for what is missing, malformed, or of another feature version."""
    try:
        _check_fit(stored)
        _check_names(stored)
        horizon = float(stored["horizon_seconds"])
        if not (math.isfinite(horizon) and horizon > 0):
            raise ModelRefused(f"its horizon of {horizon} seconds is no time")
        return ModelMetadata(
            name=str(stored["name"]),
            version=str(stored["version"]),
            horizon=timedelta(seconds=horizon),
            calibration=_calibration(stored["calibration"]),
            trace_families=frozenset(stored["trace_families"]),
            region_statistics=stored["region_statistics"],
            sample_inputs=np.array(stored["sample"]["inputs"], dtype=np.float64).reshape(-1, len(NAMES)),
            sample_outputs=np.array(stored["sample"]["outputs"], dtype=np.float64),
            stored=stored,
        )
    except KeyError as missing:
        raise ModelRefused(f"its metadata lack {missing}") from missing
    except (TypeError, ValueError, AttributeError, OverflowError) as wrong:
        if isinstance(wrong, ModelRefused):
            raise
        raise ModelRefused(f"its metadata are malformed: {wrong}") from wrong


def canonical(stored: Mapping[str, Any]) -> bytes:
    """The one spelling of metadata that is stored and hashed."""
    return (json.dumps(stored, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def model_digest(model: bytes, stored: Mapping[str, Any]) -> str:
    """SHA-256 over the model file's own SHA-256 and its metadata, the calibration map among them."""
    return hashlib.sha256(hashlib.sha256(model).digest() + canonical(stored)).hexdigest()


def _check_fit(stored: Mapping[str, Any]) -> None:
    if stored["model_type"] != SPOT_PREDICTOR:
        raise ModelRefused(f"it is a {stored['model_type']!r}, not a {SPOT_PREDICTOR}")
    if stored["feature_version"] != FEATURE_VERSION:
        raise ModelRefused(
            f"it needs feature version {stored['feature_version']!r}, this program has {FEATURE_VERSION!r}"
        )
    if stored["feature_hash"] != feature_hash():
        raise ModelRefused(
            f"its features {FEATURE_VERSION!r} have the hash {stored['feature_hash']}, here it is {feature_hash()}"
        )
    if tuple(stored["features"]) != NAMES:
        raise ModelRefused("its features are not the ones of its version, in order")


def _check_names(stored: Mapping[str, Any]) -> None:
    """What is used by name long after the loading: there a fault would break a scoring, not an upload."""
    for key, longest in (("name", LONGEST_NAME), ("version", LONGEST_VERSION)):
        if not NAME.fullmatch(str(stored[key])) or len(str(stored[key])) > longest:
            raise ModelRefused(
                f"its {key} is not one of at most {longest} letters, digits and ._- that begins with one"
            )
    families, statistics = stored["trace_families"], stored["region_statistics"]
    if not isinstance(families, list) or not all(isinstance(family, str) for family in families):
        raise ModelRefused("its trace_families are no list of names")
    for region, known in statistics.items():
        if not all(name in NAMES and _is_spread(values) for name, values in known.items()):
            raise ModelRefused(f"its region_statistics of {region!r} are not a mean and a deviation for each feature")


def _is_spread(values: Any) -> bool:
    mean, deviation = values
    return math.isfinite(mean) and math.isfinite(deviation) and deviation >= 0


def _calibration(stored: Mapping[str, Any]) -> Calibration:
    edges, low, high = (np.array(stored[name], dtype=np.float64) for name in ("edges", "low", "high"))
    slope, intercept = float(stored["slope"]), float(stored["intercept"])
    if not (slope > 0 and math.isfinite(slope) and math.isfinite(intercept)):
        raise ModelRefused(f"its calibration (slope {slope}, intercept {intercept}) is no rising line")
    if len(low) != len(edges) + 1 or len(high) != len(low) or not np.all(np.diff(edges) > 0):
        raise ModelRefused("its calibration bins do not fit their edges")
    if not np.all((low >= 0) & (low <= high) & (high <= 1)):
        raise ModelRefused("its calibration bins are no probabilities")
    return Calibration(slope, intercept, edges, low, high)
