"""What does the shipped model say about itself? Its metadata for the machine, its card for people.

Both are made here from one run; nothing in them is written by hand. Figures are rounded to four digits, so that a
rerun on another processor family says the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instances.domain.pool import family_of
from mlregistry.adapters.metadata import SPOT_PREDICTOR
from mlregistry.domain import generations, hazard, safety
from mlregistry.domain.evaluation import METRICS
from mlregistry.domain.features import FEATURE_VERSION, NAMES, feature_hash
from mlregistry.training.dataset import without_history
from mlregistry.training.fit import WITHHELD, FitConfig, Fitted
from mlregistry.training.judge import Figures, Trial
from mlregistry.training.traces import SKYPILOT_FILES

Floats = NDArray[np.float64]
NAME, VERSION = "skypilot-interruptions", "1"
BINS = 8
SAMPLE_ROWS = 16
LICENCES = {
    "preemption/skypilot": "no licence file upstream: read where present, not shipped",
    "preemption/dime": "MIT, (c) 2020 Stanford Future Data Systems",
    "spot_prices/gpu": "MIT, (c) 2020 Stanford Future Data Systems; prices published by AWS",
    "spot_prices/eu": "prices published by AWS",
    "advisor/": "published by AWS",
    "catalog/": "Apache-2.0",
    "ondemand/": "Apache-2.0; CC BY-SA 4.0 (SpareCores rows)",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Everything one run has to tell."""

    chosen: Trial
    trials: Sequence[Trial]
    ablation: Mapping[str, Figures | str]
    without_skypilot: Mapping[str, Figures] | str
    contributions: Mapping[str, float]
    files: Mapping[str, str]  # file → SHA-256
    seed: int
    config: FitConfig


def metadata(account: Account) -> dict[str, Any]:
    """The model's metadata: what loading needs, then what people and pages may ask."""
    chosen = account.chosen
    known = dict(zip(NAMES, map(rounded, np.isfinite(chosen.looks.raw).mean(axis=0)), strict=True))
    unseen = chosen.parts.later & ~chosen.looks.where(lambda trace: family_of(trace.instance_type) in chosen.families)
    return {
        "name": NAME,
        "version": VERSION,
        "model_type": SPOT_PREDICTOR,
        "horizon_seconds": int(chosen.horizon.total_seconds()),
        "feature_version": FEATURE_VERSION,
        "feature_hash": feature_hash(),
        "features": list(NAMES),
        "features_read": list(chosen.fitted.columns),
        "features_withheld": {name: {"why": why, "known": known[name]} for name, why in WITHHELD.items()},
        "calibration": calibration(chosen, seed=account.seed),
        "trace_families": list(chosen.families),
        "trace_types": types_of(chosen, chosen.parts.train),
        "unseen_types": types_of(chosen, unseen),
        "trace_regions": list(chosen.looks.regions),
        "trace_years": sorted({datetime.fromtimestamp(at, UTC).year for at in chosen.looks.at[chosen.parts.train]}),
        "region_statistics": chosen.fitted.statistics.only(chosen.fitted.columns).as_metadata(chosen.looks.regions),
        "trained_until": datetime.fromtimestamp(chosen.parts.cuts[2], UTC).date().isoformat(),
        "trained_on": trained_on(account.files, chosen),
        "model_sha256": hashlib.sha256(chosen.fitted.text.encode()).hexdigest(),
        "metrics": {view: plain(figures) for view, figures in chosen.views.items()},
        "rows": {view: {"rows": rows, "interrupted": hit} for view, (rows, hit) in chosen.sizes.items()},
        "baselines": {name: plain(figures) for name, figures in chosen.baselines.items()},
        "goals": goals(chosen),
        "other_horizons": [other(trial) for trial in account.trials if trial.horizon != chosen.horizon],
        "ablations": {
            "prices": {name: plain(found) for name, found in account.ablation.items()},
            "without_skypilot": account.without_skypilot
            if isinstance(account.without_skypilot, str)
            else {name: plain(found) for name, found in account.without_skypilot.items()},
        },
        "contributions": {name: rounded(value) for name, value in account.contributions.items()},
        "seed": account.seed,
        "fit": {**asdict(account.config), "rounds": chosen.fitted.rounds},
        "configuration": {
            "generations": generations.VERSION,
            "advisor_bands": hazard.BANDS_VERSION,
            "stability": safety.STABILITY_VERSION,
            "safety_weights": {
                "adaptive": dict(safety.adaptive_weights().shares),
                "static": dict(safety.STATIC.shares),
            },
            "feedback_knots": [list(knot) for knot in safety.FEEDBACK_KNOTS],
            "feedback_milestone": "0 instance-hours of tenants observed: learned has share 0",
        },
        "sample": sample(chosen.fitted, chosen),
    }


def calibration(chosen: Trial, *, seed: int) -> dict[str, Any]:
    """The line from raw to calibrated log-odds, and per bin of probability the range of what was observed.

    The range is the 95 % interval of the observed share when days of traces are drawn with replacement.
    """
    looks, mask, fitted = chosen.looks, chosen.parts.calibration, chosen.fitted
    raw, region = looks.raw[mask], looks.region[mask]
    label = np.concatenate([chosen.label[mask]] * 2)
    score = np.concatenate([fitted.predict(rows, region) for rows in (raw, without_history(raw))])
    day = looks.trace[mask] * 100_000 + (looks.at[mask] // 86_400).astype(np.int64)
    block = np.unique(np.concatenate([day] * 2), return_inverse=True)[1]
    edges = np.unique(np.quantile(score, np.arange(1, BINS) / BINS).round(6))
    bin_of = np.searchsorted(edges, score, side="right")
    shape = (int(block.max()) + 1, len(edges) + 1)
    hits, rows_ = np.zeros(shape), np.zeros(shape)
    np.add.at(hits, (block, bin_of), label)
    np.add.at(rows_, (block, bin_of), 1.0)
    random = np.random.default_rng(seed)
    drawn = random.integers(0, shape[0], (400, shape[0]))
    share = hits[drawn].sum(axis=1) / np.maximum(rows_[drawn].sum(axis=1), 1.0)
    low, high = np.quantile(share, [0.025, 0.975], axis=0)
    return {
        "method": "platt",
        "slope": fitted.slope,
        "intercept": fitted.intercept,
        "edges": edges.tolist(),
        "low": low.round(6).tolist(),
        "high": high.round(6).tolist(),
    }


def sample(fitted: Fitted, chosen: Trial) -> dict[str, Any]:
    """Later rows, half of them without history, and the answers; what a model must repeat before it is activated."""
    rows = np.flatnonzero(chosen.parts.later)
    rows = rows[np.linspace(0, len(rows) - 1, SAMPLE_ROWS).astype(np.int64)]
    raw, region = chosen.looks.raw[rows], chosen.looks.region[rows]
    raw = np.concatenate([raw[::2], without_history(raw[1::2])])
    region = np.concatenate([region[::2], region[1::2]])
    order = np.argsort(region, kind="stable")
    return {
        "inputs": fitted.matrix(raw[order], region[order]).tolist(),
        "outputs": fitted.predict(raw[order], region[order]).tolist(),
    }


def trained_on(files: Mapping[str, str], chosen: Trial) -> list[dict[str, Any]]:
    """Every file read, with its SHA-256, its licence, and the labelled rows of the training slice that came from it."""
    train = chosen.parts.train
    probe = int((chosen.looks.where(lambda trace: trace.campaign.startswith("dime")) & train).sum())
    rows = {SKYPILOT_FILES[1]: int(train.sum()) - probe, "preemption/dime_aws_probe_2020-03.csv.gz": probe}
    return [
        {
            "file": name,
            "sha256": digest,
            "rows": rows.get(name, 0),
            "licence": next(words for start, words in LICENCES.items() if name.startswith(start)),
        }
        for name, digest in files.items()
    ]


def types_of(chosen: Trial, mask: NDArray[np.bool_]) -> list[str]:
    """Instance types of the rows."""
    return sorted({chosen.looks.traces[i].instance_type for i in np.unique(chosen.looks.trace[mask])})


def goals(trial: Trial) -> dict[str, Any]:
    return {
        name: {"figure": rounded(figure), "limit": limit, "met": met}
        for name, (figure, limit, met) in trial.goals.items()
    }


def other(trial: Trial) -> dict[str, Any]:
    """A horizon that was tried and not chosen."""
    return {
        "horizon_seconds": int(trial.horizon.total_seconds()),
        "metrics": {view: plain(figures) for view, figures in trial.views.items()},
        "baselines": {name: plain(figures) for name, figures in trial.baselines.items()},
        "goals": goals(trial),
    }


def plain(found: Figures | str) -> Any:
    """{metric: [value, low, high]}, or the reason there are none; low and high are null without an interval."""
    if isinstance(found, str):
        return found
    return {name: [rounded(v) for v in (found[name].value, found[name].low, found[name].high)] for name in METRICS}


def rounded(value: float) -> float | None:
    """Four digits; null for what could not be formed."""
    return round(float(value), 4) + 0.0 if np.isfinite(value) else None
