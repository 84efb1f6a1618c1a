"""How is a model's metadata told to people? The card (Markdown), and a page with plots (HTML, SVG, nothing loaded)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlregistry.domain.evaluation import reliability

Floats = NDArray[np.float64]
WORDS = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "brier": "Brier",
    "log_loss": "log loss",
    "reliability_error": "reliability error",
}
SIDE = 260  # of a plot, in pixels


def card(stored: Mapping[str, Any]) -> str:
    """The card: what the model knows, what it only repeats, and every figure, bad ones too."""
    hours = _hours(stored)
    parts = [
        f"# {stored['name']} {stored['version']}: interruption within {hours}",
        _what(stored, hours),
        "## Figures",
        "On rows later than everything the model was fitted, stopped or calibrated on; in brackets the 95 % interval "
        "over resampled traces, which are few, so the intervals are wide. The columns, the size of the trees and, by "
        "its goals, the horizon were chosen with these same rows in sight: expect a little less of rows nobody has "
        "seen.",
        _table(_named_rows(stored["metrics"], stored["rows"])),
        "The same rows (`later`) without any model:",
        _table(_named_rows(stored["baselines"], {})),
        "## Goals",
        _bullets(_goal(name, goal) for name, goal in stored["goals"].items()),
        "## Other horizons tried",
        _bullets(_other(tried) for tried in stored["other_horizons"]),
        "## Without prices, without SkyPilot",
        _ablations(stored),
        "## What it reads",
        _reads(stored),
        "## Pools of the price files under the default limits",
        _compliance(stored["compliance"]),
        "## Data",
        _bullets(_file(entry) for entry in stored["trained_on"]),
        f"Made by `./run manage train_model --seed {stored['seed']}`; `--check` makes it again and compares. "
        f"SHA-256 of the model file: `{stored['model_sha256']}`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def page(stored: Mapping[str, Any], label: NDArray[np.bool_], score: Floats) -> str:
    """The report page: the card's text, and plots of the view `later`."""
    said, seen, _ = reliability(label, score)
    order = np.argsort(-score, kind="stable")
    hits, shown = np.cumsum(label[order]), np.arange(1, len(order) + 1)
    thin = np.unique(np.linspace(0, len(order) - 1, 120).astype(np.int64))
    recall, missed = hits / max(hits[-1], 1), (shown - hits) / max(shown[-1] - hits[-1], 1)
    plots = [
        _plot("Reliability: said against seen", said, seen, dots=True),
        _plot("ROC: false against true alarms", missed[thin], recall[thin]),
        _plot("Precision against recall", recall[thin], (hits / shown)[thin], diagonal=False),
        _bars("Mean contribution to the log-odds", stored["contributions"]),
    ]
    title = escape(f"{stored['name']} {stored['version']}")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        "<style>body{font:15px/1.5 system-ui;max-width:70em;margin:2em auto;padding:0 1em}"
        "pre{white-space:pre-wrap}figure{display:inline-block;margin:0 1em 1em 0}</style>\n"
        f"<h1>{title}</h1>\n<p>Plots of the view <i>later</i>: {len(label)} rows, {int(label.sum())} interrupted.</p>\n"
        + "\n".join(plots)
        + f"\n<pre>{escape(card(stored))}</pre>\n</html>\n"
    )


def _what(stored: Mapping[str, Any], hours: str) -> str:
    families, years = " and ".join(stored["trace_families"]), stored["trace_years"]
    where = f"{', '.join(stored['trace_types'])} in {', '.join(stored['trace_regions'])}; {years[0]} to {years[-1]}"
    facts = [
        f"**Evidence only for {families}** ({where}). For every other family the model is not asked: the system "
        "repeats the Spot Advisor's band, turned into a hazard over the same horizon, and says `advisor`; without a "
        "band it says `none`.",
        "What is read as an interruption: in SkyPilot's traces the number of available nodes falling to 0 (their "
        "README's meaning, an assumption), in the 2020-03 probe an instance found not running. Only looks at pools "
        "that were up count.",
        f"Trained until {stored['trained_until']}. Days are known, clocks are not: hour and weekday were unknown in "
        "training.",
        "In training prices are unknown for most rows; production is stricter and asks only about pools of which every "
        "feature is known.",
        "A pool without known interruptions, as most are in production, is judged by *later, no history*: little more "
        "than the base rate of the traced families.",
        "These were scarce GPUs: the figures say nothing about a common type.",
    ]
    if stored["unseen_types"]:
        facts.insert(
            1,
            f"{', '.join(stored['unseen_types'])} has traces too, but only later than the training slice: the row "
            "*unseen family* shows how the model does there, and it is not used there.",
        )
    return (
        f"The probability that an instance launched in a pool now is interrupted within {hours}.\n\n{_bullets(facts)}"
    )


def _named_rows(
    views: Mapping[str, Mapping[str, Sequence[float | None]]], sizes: Mapping[str, Mapping[str, int]]
) -> list[list[str]]:
    head = ["", *WORDS.values(), *(["rows (interrupted)"] if sizes else [])]
    rows = [head]
    for view, figures in views.items():
        cells = [_figure(*figures[name]) for name in WORDS]
        if sizes:
            cells.append(f"{sizes[view]['rows']} ({sizes[view]['interrupted']})")
        rows.append([view, *cells])
    return rows


def _figure(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _goal(name: str, goal: Mapping[str, Any]) -> str:
    return f"{name}: {goal['figure']:.3f}, goal {goal['limit']:g}: **{'met' if goal['met'] else 'not met'}**"


def _other(tried: Mapping[str, Any]) -> str:
    later = tried["metrics"]["later"]
    met = sum(goal["met"] for goal in tried["goals"].values())
    best = max(figures["roc_auc"][0] for figures in tried["baselines"].values())
    return (
        f"{_hours(tried)}: ROC-AUC {later['roc_auc'][0]:.3f} (best trivial {best:.3f}), Brier {later['brier'][0]:.3f} "
        f"(zone rate {tried['baselines']['zone rate']['brier'][0]:.3f}), reliability error "
        f"{later['reliability_error'][0]:.3f}; {met} of {len(tried['goals'])} goals met"
    )


def _ablations(stored: Mapping[str, Any]) -> str:
    shipped = stored["metrics"]["later"]
    lines = [f"shipped: {_short(shipped)}"]
    lines += [f"{name}: {_short(found)}" for name, found in stored["ablations"]["prices"].items()]
    alone = stored["ablations"]["without_skypilot"]
    if isinstance(alone, str):
        lines.append(f"without SkyPilot (the probe of 2020-03 alone): {alone}")
    else:
        lines += [f"without SkyPilot (the probe of 2020-03 alone), on {name}: {_short(f)}" for name, f in alone.items()]
    words = (
        "On *later*, unless said otherwise. The SkyPilot traces have no licence file; this is the model without them."
    )
    return words + "\n\n" + _bullets(lines)


def _short(found: Mapping[str, Sequence[float | None]] | str) -> str:
    if isinstance(found, str):
        return found
    return ", ".join(f"{words} {_figure(found[name][0], None, None)}" for name, words in WORDS.items())


def _reads(stored: Mapping[str, Any]) -> str:
    read = [f"`{name}`: mean contribution {value:.3f}" for name, value in stored["contributions"].items()]
    why: dict[tuple[str, float], list[str]] = {}
    for name, withheld in stored["features_withheld"].items():
        why.setdefault((withheld["why"], withheld["known"]), []).append(f"`{name}`")
    left = [
        f"not {', '.join(names)} (known in {share:.1%} of the rows): {words}" for (words, share), names in why.items()
    ]
    return _bullets([*read, *left])


def _compliance(found: Mapping[str, Any]) -> str:
    classes = ", ".join(f"{name} {count}" for name, count in found["classes"].items())
    lines = [f"{found['pass']} of {found['pools']} pools pass", f"by safety score: {classes}"]
    lines += [f"{name}: {count}" for name, count in found["violations"].items()]
    return (
        "Each price file at its last instant, with the Advisor of 2021 and no interruption known: what the limits of a "
        "pool would do (the layers about zones and fleets need a fleet).\n\n" + _bullets(lines)
    )


def _file(entry: Mapping[str, Any]) -> str:
    rows = f", {entry['rows']} training rows" if entry["rows"] else ""
    return f"`{entry['file']}`{rows}; {entry['licence']}; SHA-256 `{entry['sha256']}`"


def _hours(stored: Mapping[str, Any]) -> str:
    return f"{timedelta(seconds=stored['horizon_seconds']) / timedelta(hours=1):g} h"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _plot(title: str, x: Floats, y: Floats, *, dots: bool = False, diagonal: bool = True) -> str:
    points = [f"{20 + a * (SIDE - 40):.1f},{SIDE - 20 - b * (SIDE - 40):.1f}" for a, b in zip(x, y, strict=True)]
    end = SIDE - 20
    marks = "".join(f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3"/>' for p in points) if dots else ""
    line = f'<line x1="20" y1="{end}" x2="{end}" y2="20" stroke="#bbb"/>' if diagonal else ""
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg role="img" aria-label="{escape(title)}" width="{SIDE}" '
        f'height="{SIDE}"><rect x="20" y="20" width="{SIDE - 40}" height="{SIDE - 40}" fill="none" stroke="#999"/>'
        f"{line}"
        f'<polyline points="{" ".join(points)}" fill="none" stroke="#0b62a3" stroke-width="2"/>{marks}</svg></figure>'
    )


def _bars(title: str, values: Mapping[str, float]) -> str:
    largest = max(values.values(), default=0.0) or 1.0
    rows = "".join(
        f'<text x="4" y="{28 + 34 * i}" font-size="12">{escape(name)} {value:.3f}</text>'
        f'<rect x="4" y="{32 + 34 * i}" width="{(SIDE - 8) * value / largest:.1f}" height="10" fill="#0b62a3"/>'
        for i, (name, value) in enumerate(values.items())
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg role="img" aria-label="{escape(title)}" width="{SIDE}" '
        f'height="{SIDE}">{rows}</svg></figure>'
    )
