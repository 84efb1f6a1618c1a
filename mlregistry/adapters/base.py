"""How is any model asked, and what must hold before and after the question?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from mlregistry.adapters.metadata import ModelMetadata, ModelRefused
from mlregistry.domain.features import FEATURE_VERSION, NAMES
from mlregistry.domain.hazard import Evidence, advisor_hazard

Floats = NDArray[np.float64]
EXP_LIMIT = 709.0  # exp of more overflows; a probability of 1e-308 is 0
SAMPLE_TOLERANCE = 1e-12  # another processor family may round a sum otherwise, and no more than that


class BadMatrix(ValueError):
    """A matrix of another shape or type than float64[n, n_features]."""


class NotFinite(ValueError):
    """Rows that hold an unknown feature; callers leave unknown pools out before they ask. `rows` are their indices."""

    def __init__(self, rows: NDArray[np.int64]) -> None:
        self.rows = tuple(int(row) for row in rows)
        super().__init__(f"{len(self.rows)} rows hold an unknown feature, the first is row {self.rows[0]}")


class BadPrediction(RuntimeError):
    """A model answered something that is no probability."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """Why a probability is what it is.

    log_odds: float64[n, n_features + 1], what each feature adds to the calibrated log-odds, base last; a row's sum
        is the log-odds of `calibrated`
    raw, calibrated: float64[n], the probability before and after calibration
    """

    log_odds: Floats
    raw: Floats
    calibrated: Floats


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of n pools within the horizon; NaN where evidence is `none`.

    `confidence` = 1 − width of the interval [low, high]: for `trace` the range of frequencies observed on the
    calibration slice at that probability, for `advisor` the edges of the band.
    """

    probability: Floats
    low: Floats
    high: Floats
    evidence: NDArray[np.object_]  # of Evidence

    @property
    def confidence(self) -> Floats:
        return 1.0 - (self.high - self.low)


class ModelAdapter(ABC):
    """A loaded model. Inference only; adapters differ in file format alone."""

    def __init__(self, metadata: ModelMetadata) -> None:
        self.metadata = metadata

    @property
    def feature_version(self) -> str:
        return FEATURE_VERSION  # metadata of another version are refused at load

    @property
    def features(self) -> tuple[str, ...]:
        return NAMES

    @property
    def horizon(self) -> timedelta:
        return self.metadata.horizon

    @abstractmethod
    def _log_odds(self, matrix: Floats) -> Floats:
        """Raw log-odds, float64[n]."""

    @abstractmethod
    def _log_odds_contributions(self, matrix: Floats) -> Floats:
        """Each feature's share of the raw log-odds, float64[n, n_features + 1], base last."""

    def preprocess(self, matrix: Floats) -> Floats:
        """The matrix as it may be asked about. Raises BadMatrix, or NotFinite with the rows."""
        if not isinstance(matrix, np.ndarray) or matrix.dtype != np.float64:
            raise BadMatrix(f"a float64 matrix is needed, not {getattr(matrix, 'dtype', type(matrix).__name__)}")
        if matrix.ndim != 2 or matrix.shape[1] != len(NAMES):
            raise BadMatrix(f"shape {matrix.shape}, needed are {len(NAMES)} columns")
        is_known = np.isfinite(matrix)
        if not is_known.all():
            raise NotFinite(np.flatnonzero(~is_known.all(axis=1)))
        return matrix

    def predict(self, matrix: Floats) -> Floats:
        """Calibrated interruption probabilities within the horizon, float64[n]; one row is a matrix of one.

        Raises BadMatrix, NotFinite, BadPrediction.
        """
        matrix = self.preprocess(matrix)
        if len(matrix) == 0:
            return np.empty(0)
        return _checked(_sigmoid(self.metadata.calibration.log_odds(self._log_odds(matrix))), len(matrix))

    def contributions(self, matrix: Floats) -> Contributions:
        """Contributions in calibrated log-odds, with the raw and the calibrated probability; errors as `predict`."""
        matrix = self.preprocess(matrix)
        if len(matrix) == 0:
            return Contributions(np.empty((0, len(NAMES) + 1)), np.empty(0), np.empty(0))
        parts = self._log_odds_contributions(matrix) * self.metadata.calibration.slope
        parts[:, -1] += self.metadata.calibration.intercept
        raw = _checked(_sigmoid(self._log_odds(matrix)), len(matrix))
        return Contributions(parts, raw, self.predict(matrix))

    def try_sample(self) -> None:
        """Answer the stored sample. Raises ModelRefused where an answer differs from the stored one."""
        wanted = self.metadata.sample_outputs
        if len(wanted) == 0 or len(wanted) != len(self.metadata.sample_inputs):
            raise ModelRefused("it has no sample of inputs and outputs to be tried on")
        try:
            answered = self.predict(self.metadata.sample_inputs)
        except (NotFinite, BadPrediction) as wrong:
            raise ModelRefused(f"it fails on its own sample: {wrong}") from wrong
        apart = float(np.max(np.abs(answered - wanted)))
        if not apart <= SAMPLE_TOLERANCE:
            raise ModelRefused(f"it answers its own sample otherwise, by up to {apart:.3g}")


def outlook(
    adapter: ModelAdapter | None, matrix: Floats, families: list[str], bands: Floats, horizon: timedelta
) -> Outlook:
    """Probability, interval and evidence of n pools within `horizon`.

    A family the model has traces of is judged by the model, and only by it: with an unknown feature it has no number,
    for falling back to the Advisor would make it look safer. Every other family repeats the Advisor's band; unrated
    ones have no evidence. Without an adapter (day zero) all families are of the second kind.
    Raises ValueError when `horizon` is not the model's.
    """
    if adapter is not None and adapter.horizon != horizon:
        raise ValueError(f"the model's horizon is {adapter.horizon}, not {horizon}")
    hazard = advisor_hazard(bands, horizon)
    probability, low, high = hazard.probability, hazard.low, hazard.high
    traced = frozenset[str]() if adapter is None else adapter.metadata.trace_families
    is_traced = np.array([family in traced for family in families], dtype=bool)
    for values in (probability, low, high):
        values[is_traced] = np.nan
    is_judged = is_traced & np.isfinite(matrix).all(axis=1)
    if adapter is not None and is_judged.any():
        probability[is_judged] = adapter.predict(matrix[is_judged])
        low[is_judged], high[is_judged] = adapter.metadata.calibration.interval(probability[is_judged])
    evidence = np.where(is_traced, Evidence.TRACE, Evidence.ADVISOR).astype(object)
    evidence[np.isnan(probability)] = Evidence.NONE
    return Outlook(probability, low, high, evidence)


def _sigmoid(log_odds: Floats) -> Floats:
    odds_against = np.exp(np.minimum(-log_odds, EXP_LIMIT))  # silencing the overflow would take longer than avoiding it
    odds_against += 1.0
    return np.divide(1.0, odds_against, out=odds_against)


def _checked(probability: Floats, n_rows: int) -> Floats:
    if probability.shape != (n_rows,):
        raise BadPrediction(f"shape {probability.shape} for {n_rows} rows")
    if not probability.max() <= 1:  # what `_sigmoid` answers is never negative, and NaN is not at most 1
        raise BadPrediction("an answer is no number")
    return probability
