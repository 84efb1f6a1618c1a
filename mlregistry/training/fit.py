"""How is the model fitted, and on what? Split by time, early stopping, calibration, and nothing it has no data for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import lightgbm
import numpy as np
from numpy.typing import NDArray

from mlregistry.domain.evaluation import platt
from mlregistry.domain.features import COLUMN, NAMES, RegionStatistics, scaled
from mlregistry.training.dataset import Looks, without_history

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Columns the model may read. What the traces cannot teach is withheld from it, so that it cannot learn by which
# columns are empty from which data set a row came; the reasons stand in the card.
LEARNED = ("vcpus", "interruption_recency", "no_interruption_known", "interruptions_per_hour", "neighbours_hit")
_NO_PRICE = "few rows have prices, all from short campaigns: see the ablation"
_NO_CLOCK = "no trace knows its clock"
_NO_CONTRAST = "the same for nearly all traced pools"
WITHHELD = {
    **dict.fromkeys(("price_position", "family_stress", "volatility_7d", "hours_since_price_change"), _NO_PRICE),
    **dict.fromkeys(("slope_1d", "slope_7d", "zone_spread"), _NO_PRICE),
    **dict.fromkeys(("hour_sin", "hour_cos", "weekday_sin", "weekday_cos"), _NO_CLOCK),
    **dict.fromkeys(("interruption_rate", "is_burstable", "has_gpu"), _NO_CONTRAST),
    "memory_gib": "of so few traced types, vCPU and memory together would name each",
    "generation_age": "the traced families are a year apart, and it grows with the calendar",
}
PRICE_COLUMNS = tuple(name for name, why in WITHHELD.items() if why == _NO_PRICE)
# fresher trouble, more of it, here or next door, or a larger machine never make a pool safer: keeps 26 traces from
# teaching the contrary
RISING = ("vcpus", "interruption_recency", "interruptions_per_hour", "neighbours_hit")


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How trees are grown; named and stored with the model."""

    name: str = "fit-1"
    learning_rate: float = 0.03
    leaves: int = 4
    rows_per_leaf: int = 400
    l2: float = 10.0
    bagging: float = 0.7
    most_rounds: int = 600
    patience: int = 50


@dataclass(frozen=True, slots=True)
class Split:
    """Masks over looks, each later than the one before and at least a horizon apart from it."""

    train: Mask
    validation: Mask
    calibration: Mask
    later: Mask
    cuts: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model: trees as text, and the calibration line of its log-odds."""

    text: str
    rounds: int
    slope: float
    intercept: float
    columns: tuple[str, ...]
    statistics: RegionStatistics

    def matrix(self, raw: Floats, region: NDArray[np.int64]) -> Floats:
        """Scaled features; columns that are not read are 0, whatever they were."""
        z = np.array(scaled(raw, self.statistics, region), order="C")
        z[:, ~np.isin(NAMES, self.columns)] = 0.0
        return z

    def predict(self, raw: Floats, region: NDArray[np.int64]) -> Floats:
        """Calibrated probabilities."""
        booster = lightgbm.Booster(model_str=self.text)
        log_odds = np.asarray(booster.predict(self.matrix(raw, region), raw_score=True, num_threads=1))
        return 1 / (1 + np.exp(-(self.slope * log_odds + self.intercept)))

    def contributions(self, matrix: Floats) -> Floats:
        """Contributions of scaled rows to the calibrated log-odds, float64[n, n_features], the base left out."""
        booster = lightgbm.Booster(model_str=self.text)
        parts = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1))
        return self.slope * parts[:, :-1]


def cut_times(looks: Looks, fractions: Sequence[float] = (0.5, 0.6, 0.7)) -> tuple[float, float, float]:
    """Where the slices meet: at fractions of the campaign with most rows; what came before it is all for training."""
    campaigns = [looks.traces[i].campaign for i in looks.trace]
    names, counts = np.unique(campaigns, return_counts=True)
    at = looks.at[np.array(campaigns) == names[np.argmax(counts)]]
    first, second, third = (float(at.min() + fraction * (at.max() - at.min())) for fraction in fractions)
    return first, second, third


def split(looks: Looks, horizon: timedelta, cuts: tuple[float, float, float]) -> Split:
    """Slices by time. A row whose horizon reaches over a cut is in none: that is the embargo."""
    first, second, third = cuts
    ends = looks.at + horizon.total_seconds()
    return Split(
        train=ends <= first,
        validation=(looks.at >= first) & (ends <= second),
        calibration=(looks.at >= second) & (ends <= third),
        later=looks.at >= third,
        cuts=cuts,
    )


def fit(
    looks: Looks,
    label: Mask,
    parts: Split,
    statistics: RegionStatistics,
    *,
    columns: tuple[str, ...] = LEARNED,
    seed: int,
    config: FitConfig,
) -> Fitted:
    """Fit on `parts.train`, stop on `parts.validation`, calibrate on `parts.calibration`.

    Every row is there twice, with its interruption history and without: in production most pools have none.
    Deterministic: one thread, row-wise histograms, seeded. ValueError when a slice lacks one of the classes.
    """
    train, checked, calibrated = (
        _doubled(looks, label, mask, statistics, columns) for mask in (parts.train, parts.validation, parts.calibration)
    )
    booster = _grown(train, checked, columns, seed=seed, config=config)
    raw = np.asarray(booster.predict(calibrated[0], raw_score=True, num_threads=1))
    slope, intercept = platt(calibrated[1], raw)
    if slope <= 0:
        raise ValueError(f"on the calibration slice the model points the wrong way (slope {slope:.3g})")
    return Fitted(booster.model_to_string(), booster.current_iteration(), slope, intercept, columns, statistics)


def _doubled(
    looks: Looks, label: Mask, mask: Mask, statistics: RegionStatistics, columns: Sequence[str]
) -> tuple[Floats, Mask]:
    """Scaled rows with and without their history, the columns that are not read unknown."""
    if len(np.unique(label[mask])) < 2:
        raise ValueError(f"{int(mask.sum())} rows, {int(label[mask].sum())} interrupted: both classes are needed")
    raw, region = looks.raw[mask], looks.region[mask]
    matrix = np.concatenate([scaled(rows, statistics, region) for rows in (raw, without_history(raw))])
    matrix[:, ~np.isin(NAMES, list(columns))] = np.nan
    return matrix, np.concatenate([label[mask]] * 2)


def _grown(
    train: tuple[Floats, Mask],
    checked: tuple[Floats, Mask],
    columns: Sequence[str],
    *,
    seed: int,
    config: FitConfig,
) -> lightgbm.Booster:
    constraints = [0] * len(NAMES)
    for name in set(RISING) & set(columns):
        constraints[COLUMN[name]] = 1
    options = {
        "objective": "binary",
        "learning_rate": config.learning_rate,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.rows_per_leaf,
        "lambda_l2": config.l2,
        "bagging_fraction": config.bagging,
        "bagging_freq": 1,
        "monotone_constraints": constraints,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lightgbm.Dataset(train[0], train[1].astype(np.float64), feature_name=list(NAMES))
    check = lightgbm.Dataset(checked[0], checked[1].astype(np.float64), reference=data)
    stop = lightgbm.early_stopping(config.patience, verbose=False)
    booster = lightgbm.train(options, data, config.most_rounds, valid_sets=[check], callbacks=[stop])
    # only the rounds up to the best are kept, so that the file alone is the model
    return lightgbm.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))
