"""Is the model better than what anybody could say without one? Figures, baselines, ablations, goals.

Views are subsets of the rows later than everything the model was fitted or calibrated on:
later              every pool of the families the model was trained on
later, same traces those of them whose own past is in the training slice
later, no history  the first again, with the interruption history blanked, as most pools in production have none
unseen family      r5, of which training knew nothing: why other families are left to the Advisor
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from instances.domain.pool import family_of
from mlregistry.domain.evaluation import METRICS, Figure, figures, platt
from mlregistry.domain.features import NAMES, RegionStatistics, statistics_of
from mlregistry.domain.hazard import advisor_hazard
from mlregistry.training.dataset import Looks, without_history
from mlregistry.training.fit import PRICE_COLUMNS, FitConfig, Fitted, Split, cut_times, fit, split

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Figures = Mapping[str, Figure]

AUC_GAIN, BRIER_SHARE, RELIABILITY = 0.02, 0.9, 0.05  # performance.md, "Models: what counts as good"
FEWEST_INTERRUPTED = 200  # labelled rows of a family before the model may speak of it
LATER, SAME_TRACES, NO_HISTORY, UNSEEN = "later", "later, same traces", "later, no history", "unseen family"


@dataclass(frozen=True, slots=True)
class Trial:
    """One horizon: the fitted model, its figures beside the baselines', and which goals they meet."""

    horizon: timedelta
    looks: Looks
    label: Mask
    parts: Split
    fitted: Fitted
    families: tuple[str, ...]
    views: Mapping[str, Figures]
    baselines: Mapping[str, Figures]
    sizes: Mapping[str, tuple[int, int]]  # view → rows, interrupted

    @property
    def goals(self) -> dict[str, tuple[float, float, bool]]:
        """Goal → figure, limit, met; all on the view `later`."""
        model, zone = self.views[LATER], self.baselines["zone rate"]
        trivial = max(named["roc_auc"].value for named in self.baselines.values())
        gain = model["roc_auc"].value - trivial
        share = model["brier"].value / zone["brier"].value
        apart = model["reliability_error"].value
        return {
            "ROC-AUC above the best trivial": (gain, AUC_GAIN, gain >= AUC_GAIN),
            "Brier as a share of the zone rate's": (share, BRIER_SHARE, share <= BRIER_SHARE),
            "reliability error": (apart, RELIABILITY, apart <= RELIABILITY),
        }

    @property
    def rank(self) -> tuple[int, float]:
        """Higher is better: goals met, then the Brier score's share of the zone rate's."""
        return sum(met for *_, met in self.goals.values()), -self.goals["Brier as a share of the zone rate's"][0]


def trial(
    every: Looks,
    horizon: timedelta,
    statistics: RegionStatistics,
    *,
    seed: int,
    config: FitConfig,
    fitted: Fitted | None = None,
    draws: int = 0,
) -> Trial:
    """Fit for one horizon, unless `fitted` is given, and judge; `draws` resamples give the intervals, 0 gives none.

    ValueError when a slice lacks one of the classes.
    """
    looks = every.watched(horizon)
    label = looks.label(horizon)
    parts = split(looks, horizon, cut_times(every))
    fitted = fitted or fit(looks, label, parts, statistics, seed=seed, config=config)
    families = traced_families(looks, label, parts)
    views = _views(looks, parts, families)
    scores = {name: _score(fitted, looks, mask, blank=name == NO_HISTORY) for name, mask in views.items()}
    later = views[LATER]
    return Trial(
        horizon=horizon,
        looks=looks,
        label=label,
        parts=parts,
        fitted=fitted,
        families=families,
        views={
            name: figures(label[mask], scores[name], looks.trace[mask], seed=seed, draws=draws)
            for name, mask in views.items()
        },
        baselines={
            name: figures(label[later], score[later], looks.trace[later], seed=seed, draws=draws)
            for name, score in baseline_scores(looks, label, parts, horizon).items()
        },
        sizes={name: (int(mask.sum()), int(label[mask].sum())) for name, mask in views.items()},
    )


def traced_families(looks: Looks, label: Mask, parts: Split) -> tuple[str, ...]:
    """Families of which the training slice holds enough interruptions to speak of."""
    families = np.array([family_of(trace.instance_type) for trace in looks.traces])[looks.trace]
    names, counts = np.unique(families[parts.train & label], return_counts=True)
    return tuple(names[counts >= FEWEST_INTERRUPTED].tolist())


def baseline_scores(looks: Looks, label: Mask, parts: Split, horizon: timedelta) -> dict[str, Floats]:
    """What anybody could say: probabilities for every row, learned from the training slice alone."""
    train = parts.train
    base = float(label[train].mean())
    pools = looks.pool_numbers
    seen = np.bincount(pools[train], minlength=pools.max() + 1)
    hit = np.bincount(pools[train], label[train], pools.max() + 1)
    zone = np.where(seen > 0, hit / np.maximum(seen, 1), base)  # a pool without a past: the base rate
    up = np.log1p(looks.up_hours)
    slope, intercept = platt(label[train], up[train])
    return {
        "base rate": np.full(len(looks), base),
        "zone rate": zone[pools],
        "Advisor band alone": advisor_hazard(looks.band, horizon).probability,
        "last state (it is up, so it stays up)": np.zeros(len(looks)),
        "uptime so far": 1 / (1 + np.exp(-(slope * up + intercept))),
    }


def price_ablation(judged: Trial, *, seed: int, config: FitConfig) -> dict[str, Figures | str]:
    """The view `later` with the price columns and without, every other column that has data among those read.

    Where a fit fails, its reason stands in place of figures.
    """
    looks, parts = judged.looks, judged.parts
    own = statistics_of(looks.raw[parts.train], looks.region[parts.train], len(looks.regions))
    statistics = judged.fitted.statistics.or_else(own)
    later = _views(looks, parts, judged.families)[LATER]
    found: dict[str, Figures | str] = {}
    for name, columns in {
        "the shipped columns and the prices": (*judged.fitted.columns, *PRICE_COLUMNS),
        "all columns, prices among them": NAMES,
        "all columns but the prices": tuple(column for column in NAMES if column not in PRICE_COLUMNS),
    }.items():
        try:
            other = fit(looks, judged.label, parts, statistics, columns=columns, seed=seed, config=config)
        except ValueError as reason:
            found[name] = f"cannot be measured: {reason}"
            continue
        score = _score(other, looks, later)
        found[name] = figures(judged.label[later], score, looks.trace[later], seed=seed, draws=0)
    return found


def without_skypilot(judged: Trial, every: Looks, *, seed: int) -> dict[str, Figures] | str:
    """Figures of a model that has seen the probe of 2020-03 alone, or why there are none.

    Two days of probing hold no slice to stop or calibrate on: the last 40 % are its own later rows, the first 60 % all
    of its past.
    """
    looks = judged.looks
    probe = looks.where(lambda trace: trace.campaign == "dime-2020-03")
    if not probe.any():
        return "cannot be measured: no rows of the probe"
    watched = every.at[every.where(lambda trace: trace.campaign == "dime-2020-03")]
    cut = float(watched.min() + 0.6 * (watched.max() - watched.min()))
    past = probe & (looks.at + judged.horizon.total_seconds() <= cut)
    parts = Split(past, past, past, probe & (looks.at >= cut), (cut, cut, cut))
    try:
        config = FitConfig("fit-probe-1", rows_per_leaf=50, most_rounds=judged.fitted.rounds, patience=10_000)
        fitted = fit(looks, judged.label, parts, judged.fitted.statistics, seed=seed, config=config)
    except ValueError as reason:
        return f"cannot be measured: {reason}"
    masks = {"the probe's own last 40 %": parts.later, LATER: _views(looks, judged.parts, judged.families)[LATER]}
    return {
        name: figures(judged.label[mask], _score(fitted, looks, mask), looks.trace[mask], seed=seed, draws=0)
        for name, mask in masks.items()
    }


def contribution_summary(judged: Trial) -> dict[str, float]:
    """Mean absolute contribution of each column read, in calibrated log-odds, over the view `later`; largest first."""
    later = _views(judged.looks, judged.parts, judged.families)[LATER]
    matrix = judged.fitted.matrix(judged.looks.raw[later], judged.looks.region[later])
    parts = np.abs(judged.fitted.contributions(matrix)).mean(axis=0)
    found = {name: float(value) for name, value in zip(NAMES, parts, strict=False) if name in judged.fitted.columns}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def later_scores(judged: Trial) -> tuple[Mask, Floats]:
    """Labels and scores of the view `later`, for plots."""
    later = _views(judged.looks, judged.parts, judged.families)[LATER]
    return judged.label[later], _score(judged.fitted, judged.looks, later)


def mean_of(figures_: Figures) -> dict[str, float]:
    """Metric → value."""
    return {name: figures_[name].value for name in METRICS}


def _views(looks: Looks, parts: Split, families: tuple[str, ...]) -> dict[str, Mask]:
    known = looks.where(lambda trace: family_of(trace.instance_type) in families)
    later = parts.later & known
    past = np.unique(looks.trace[parts.train])
    views = {
        LATER: later,
        SAME_TRACES: later & np.isin(looks.trace, past),
        NO_HISTORY: later,
        UNSEEN: parts.later & ~known,
    }
    return {name: mask for name, mask in views.items() if mask.any()}


def _score(fitted: Fitted, looks: Looks, mask: Mask, *, blank: bool = False) -> Floats:
    raw = looks.raw[mask]
    return fitted.predict(without_history(raw) if blank else raw, looks.region[mask])
