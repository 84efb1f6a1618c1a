"""How is a LightGBM model loaded and asked? From its text form only, after a look at every tree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import lightgbm as library
import numpy as np
from numpy.typing import NDArray

from mlregistry.adapters.base import ModelAdapter
from mlregistry.adapters.lightgbm_text import BARE_TAIL, END, check_text
from mlregistry.adapters.metadata import ModelMetadata, ModelRefused, read_metadata
from mlregistry.domain.features import NAMES

Floats = NDArray[np.float64]
WIDE_ROWS = 5_000  # below this one thread is faster, and a request must not wait for a pool of threads


class LightGBMAdapter(ModelAdapter):
    """A LightGBM model in memory; answers do not depend on the number of rows or threads."""

    def __init__(self, booster: library.Booster, metadata: ModelMetadata) -> None:
        super().__init__(metadata)
        self._booster = booster

    def canonical(self) -> bytes:
        """The model as the library writes what it understood: one spelling, the same when it is read and written again.

        Without the importances and parameters that prediction does not need.
        """
        trees, _, _ = self._booster.model_to_string(num_iteration=-1).partition(END)
        return f"{trees}{END}{BARE_TAIL}".encode("ascii")

    def _log_odds(self, matrix: Floats) -> Floats:
        return self._ask(matrix, raw_score=True)

    def _log_odds_contributions(self, matrix: Floats) -> Floats:
        return self._ask(matrix, pred_contrib=True)

    def _ask(self, matrix: Floats, **kind: bool) -> Floats:
        threads = 1 if len(matrix) < WIDE_ROWS else os.cpu_count() or 1
        return np.asarray(self._booster.predict(matrix, num_threads=threads, **kind), dtype=np.float64)


def load(model: bytes, metadata: Mapping[str, Any]) -> LightGBMAdapter:
    """The adapter for a model file and its metadata. Raises ModelRefused, saying why; nothing is ever unpickled."""
    described = read_metadata(metadata)
    text = check_text(model, NAMES)
    try:
        booster = library.Booster(model_str=text)
    except library.basic.LightGBMError as wrong:
        raise ModelRefused(f"LightGBM does not take it: {wrong}") from wrong
    return LightGBMAdapter(booster, described)
