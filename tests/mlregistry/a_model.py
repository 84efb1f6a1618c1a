"""A small LightGBM model with its metadata, trained on numbers that mean nothing: for tests of the machinery."""

from functools import cache
from typing import Any

import lightgbm
import numpy as np

from mlregistry.domain.features import FEATURE_VERSION, N_FEATURES, NAMES, feature_hash


def a_matrix(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, N_FEATURES))


@cache
def model_bytes() -> bytes:
    matrix = a_matrix(2_000, seed=1)
    label = (matrix[:, 0] + matrix[:, 3] * matrix[:, 17] > 0).astype(np.float64)
    options = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1, "deterministic": True}
    data = lightgbm.Dataset(matrix, label, feature_name=list(NAMES))
    return lightgbm.train(options, data, 12).model_to_string().encode()


def metadata(**changes: Any) -> dict[str, Any]:
    """Metadata that fit `model_bytes`, with `changes`."""
    sample = a_matrix(5, seed=2)
    raw = lightgbm.Booster(model_str=model_bytes().decode()).predict(sample, raw_score=True)
    return {
        "name": "for-tests",
        "version": "1",
        "model_type": "spot_predictor",
        "horizon_seconds": 3600,
        "feature_version": FEATURE_VERSION,
        "feature_hash": feature_hash(),
        "features": list(NAMES),
        "calibration": {"slope": 0.8, "intercept": -0.3, "edges": [0.5], "low": [0.1, 0.6], "high": [0.3, 0.9]},
        "trace_families": ["p3"],
        "region_statistics": {"us-east-1": {"vcpus": [2.0, 1.0]}},
        "sample": {"inputs": sample.tolist(), "outputs": (1 / (1 + np.exp(-(0.8 * np.asarray(raw) - 0.3)))).tolist()},
        **changes,
    }
