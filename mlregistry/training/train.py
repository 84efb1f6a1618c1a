"""How does a model come about, from files to the four files that ship?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mlregistry.adapters.lightgbm import load
from mlregistry.adapters.metadata import canonical
from mlregistry.training import card, report
from mlregistry.training.card import Account
from mlregistry.training.compliance import compliance
from mlregistry.training.dataset import looks
from mlregistry.training.fit import FitConfig
from mlregistry.training.judge import contribution_summary, later_scores, price_ablation, trial, without_skypilot
from mlregistry.training.market import catalogue_statistics, read_market
from mlregistry.training.traces import MissingData, Trace, all_traces, digests, located

HORIZONS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
MODEL, METADATA, CARD, REPORT = "model.txt", "metadata.json", "card.md", "report.html"
DRAWS = 100
# what people read; rounded, so that another processor family, whose trees may differ in the last bit, says the same
FIGURES = ("metrics", "rows", "baselines", "goals", "other_horizons", "ablations", "contributions", "compliance")


class NothingToLearn(Exception):
    """The traces that are left hold too little to fit, calibrate and judge a model."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to train on. Empty `regions` and `instances` mean all; an instance is a type or a family."""

    data: Path
    seed: int = 1
    horizons: Sequence[timedelta] = HORIZONS
    regions: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    more_prices: Sequence[Path] = ()

    def wants(self, trace: Trace) -> bool:
        names = {trace.instance_type, trace.instance_type.partition(".")[0]}
        is_region = not self.regions or trace.region in self.regions
        return is_region and (not self.instances or bool(names & self.instances))


def train(options: Options, say: Callable[[str], None]) -> dict[str, bytes]:
    """The four files by name; `say` hears of progress and figures.

    Raises MissingData when files are not there, NothingToLearn when too few traces are left. The same data, options
    and lock file give the same bytes.
    """
    paths = located(options.data)
    if missing := [str(path) for path in options.more_prices if not path.is_file()]:
        raise MissingData(Path(), missing)
    config = FitConfig()
    traces = [trace for trace in all_traces(paths) if options.wants(trace)]
    say(f"{len(traces)} traces, {sum(len(trace.dropped_at) for trace in traces)} interruptions")
    try:
        market = read_market(paths, traces, options.more_prices)
        every = looks(traces, market)
        say(f"{len(every)} rows: looks at pools that were up, ten minutes apart")
        statistics = catalogue_statistics(market, every.regions)
        trials = [trial(every, horizon, statistics, seed=options.seed, config=config) for horizon in options.horizons]
        best = max(trials, key=lambda tried: tried.rank)
        chosen = trial(
            every, best.horizon, statistics, seed=options.seed, config=config, fitted=best.fitted, draws=DRAWS
        )
    except ValueError as reason:
        raise NothingToLearn(str(reason)) from reason
    account = Account(
        chosen=chosen,
        trials=trials,
        ablation=price_ablation(chosen, seed=options.seed, config=config),
        without_skypilot=without_skypilot(chosen, every, seed=options.seed),
        contributions=contribution_summary(chosen),
        files=digests({**paths, **{path.name: path for path in options.more_prices}}),
        seed=options.seed,
        config=config,
    )
    model, stored = chosen.fitted.text.encode(), card.metadata(account)
    adapter = load(model, stored)  # what ships must load, and answer its sample, as in production
    adapter.try_sample()
    stored["compliance"] = compliance(market, adapter)
    page = report.card(stored)
    say(page)
    return {
        MODEL: model,
        METADATA: canonical(stored),
        CARD: page.encode(),
        REPORT: report.page(stored, *later_scores(chosen)).encode(),
    }


def differing(made: Mapping[str, bytes], folder: Path) -> list[str]:
    """Names of the files in `folder` that differ from what was made, or are not there."""
    return [name for name, content in made.items() if _read(folder / name) != content]


def other_figures(made: Mapping[str, bytes], folder: Path) -> list[str]:
    """Where the figures of the metadata in `folder` differ from those that were made; all when it is missing."""
    theirs, ours = json.loads(_read(folder / METADATA) or b"{}"), json.loads(made[METADATA])
    return [part for part in FIGURES if theirs.get(part) != ours[part]]


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
