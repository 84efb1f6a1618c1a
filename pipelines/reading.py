"""How is a receipt read by people? Its own figures, put where a page can draw them; nothing is computed anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.domain.policy import DEFAULT

SHOWN = 8  # candidates in the grid; the rest are in a table below
LARGEST_PARTS = 10  # contributions that get a bar; the rest are added up in one
QUIET = ("pass", "not_applicable")
MARKS = {"pass": "✓", "fail": "✕", "unknown": "?", "needed": "!", "not_applicable": "·"}
WORDS = {
    "pass": "passes",
    "fail": "fails",
    "unknown": "unknown",
    "needed": "needed before acting",
    "not_applicable": "does not apply",
}
BADGES = {"pass": "good", "fail": "bad", "unknown": "warn", "needed": "warn", "not_applicable": "mute"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One gate's answer, with its mark and word."""

    gate: str
    outcome: str
    mark: str
    word: str
    badge: str
    value: Any
    limit: Any
    margin: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Part:
    """One bar: where it begins and how wide it is, in hundredths of the drawing."""

    name: str
    value: float | None
    weight: float | None
    start: float
    width: float
    is_raising: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One candidate."""

    rank: int
    pool: str
    instance_type: str
    zone_id: str
    spot_usd_micro: int | None
    probability: float | None
    low: float | None
    high: float | None
    safety: float | None
    evidence: str
    is_chosen: bool
    answers: tuple[Answer, ...]
    safety_parts: tuple[Part, ...]
    contributions: tuple[Part, ...]
    raw_probability: float | None
    features: tuple[tuple[str, float | None], ...]
    unknown: tuple[str, ...]
    savings: Mapping[str, Any] | None

    @property
    def telling(self) -> tuple[Answer, ...]:
        """What stands in the way."""
        return tuple(each for each in self.answers if each.outcome not in QUIET)

    @property
    def quiet(self) -> tuple[Answer, ...]:
        return tuple(each for each in self.answers if each.outcome in QUIET)


@dataclass(frozen=True, slots=True)
class Row:
    """One gate over the candidates that are shown."""

    gate: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Readable:
    choice: str
    reason: str
    flip: str
    refusals_telling: tuple[Answer, ...]  # what objects or is needed first
    refusals_quiet: tuple[Answer, ...]
    best: Column | None
    grid: tuple[Row, ...]
    safety_limit: float
    columns: tuple[Column, ...]
    more: tuple[Column, ...]
    others: Sequence[Mapping[str, Any]]
    rejected: tuple[tuple[str, tuple[str, ...]], ...]
    n_rejected: int
    n_candidates: int
    n_not_shown: int
    considered: int
    policy: tuple[tuple[str, Any, str], ...]
    is_default_policy: bool
    sources: Sequence[Mapping[str, Any]]
    prices: tuple[Part, ...]
    model: Mapping[str, Any]
    software: Mapping[str, Any]
    fleet: Mapping[str, Any]
    statistics: tuple[str, ...] = field(default_factory=tuple)


def readable(receipt: Mapping[str, Any]) -> Readable:
    """The receipt as its page shows it."""
    names = receipt["features"]["names"]
    chosen = receipt["decision"]["chosen"]
    columns = tuple(_column(each, names, chosen) for each in receipt["candidates"])
    best = columns[0] if columns else None
    rejected = _rejected(receipt["rejected"])
    refusals = [_answer(each) for each in receipt["refusals"]]
    policy = tuple((name, limit["value"], limit["set_by"]) for name, limit in receipt["policy"].items())
    return Readable(
        choice=receipt["decision"]["choice"],
        reason=receipt["decision"]["reason"],
        flip=receipt["flip_sentence"],
        refusals_telling=tuple(each for each in refusals if each.outcome not in QUIET),
        refusals_quiet=tuple(each for each in refusals if each.outcome in QUIET),
        best=best,
        grid=_grid(columns[:SHOWN]),
        safety_limit=receipt["policy"]["min_safety_score"]["value"],
        columns=columns[:SHOWN],
        more=columns[SHOWN:],
        others=receipt["others"],
        rejected=rejected,
        n_rejected=sum(len(names) for _, names in rejected),
        n_candidates=len(columns) + len(receipt["others"]),
        n_not_shown=len(columns[SHOWN:]) + len(receipt["others"]),
        considered=receipt["considered"],
        policy=policy,
        is_default_policy=all(origin == DEFAULT for *_, origin in policy),
        sources=receipt["sources"],
        prices=_prices(receipt["on_demand"]["usd_micro"], best),
        model=receipt["model"],
        software=receipt["software"],
        fleet=receipt["fleet"],
        statistics=tuple(receipt["statistics"]),
    )


def _grid(columns: Sequence[Column]) -> tuple[Row, ...]:
    rows = zip(*(column.answers for column in columns), strict=True)
    return tuple(Row(answers[0].gate, answers) for answers in rows)


def _answer(verdict: Mapping[str, Any]) -> Answer:
    outcome = verdict["outcome"]
    return Answer(
        gate=verdict["gate"].replace("_", " "),
        outcome=outcome,
        mark=MARKS[outcome],
        word=WORDS[outcome],
        badge=BADGES[outcome],
        value=verdict["value"],
        limit=verdict["limit"],
        margin=verdict["margin"],
        detail=verdict["detail"],
    )


def _column(told: Mapping[str, Any], names: Sequence[str], chosen: str | None) -> Column:
    candidate, score = told["candidate"], told["score"]
    explained = score.get("contributions") or {}
    return Column(
        rank=told["rank"],
        pool=told["pool"],
        instance_type=candidate["instance_type"],
        zone_id=candidate["zone_id"],
        spot_usd_micro=candidate["spot_usd_micro"],
        probability=score["interruption_probability"],
        low=score["probability_low"],
        high=score["probability_high"],
        safety=score["safety_score"],
        evidence=score["evidence"],
        is_chosen=told["pool"] == chosen,
        answers=tuple(_answer(each) for each in told["verdicts"]),
        safety_parts=_safety(score["components"]),
        contributions=_contributions(explained),
        raw_probability=explained.get("raw"),
        features=tuple(zip(names, score["features"], strict=True)),
        unknown=tuple(score["unknown"]),
        savings=told["savings"],
    )


def _safety(components: Mapping[str, Mapping[str, float | None]]) -> tuple[Part, ...]:
    """The shares of the score side by side; together they are as wide as the score."""
    parts, start = [], 0.0
    for name, told in components.items():
        width = 100 * (told["share"] or 0.0)
        parts.append(Part(name, told["value"], told["weight"], start, width))
        start += width
    return tuple(parts)


def _contributions(explained: Mapping[str, Any]) -> tuple[Part, ...]:
    """Log-odds of each feature as bars left (safer) and right (riskier) of the middle, the largest first."""
    told: Mapping[str, float] = explained.get("log_odds") or {}
    if not told:
        return ()
    ordered = sorted(told.items(), key=lambda each: (-abs(each[1]), each[0]))
    shown = ordered[:LARGEST_PARTS]
    if ordered[LARGEST_PARTS:]:
        rest = sum(value for _, value in ordered[LARGEST_PARTS:])
        shown.append((f"{len(ordered) - LARGEST_PARTS} others together", rest))
    scale = max(abs(value) for _, value in shown) or 1.0
    return tuple(
        Part(
            name.replace("_", " "),
            value,
            None,
            50 - 48 * abs(value) / scale if value < 0 else 50.0,
            48 * abs(value) / scale,
            is_raising=value > 0,
        )
        for name, value in shown
    )


def _prices(on_demand: int | None, best: Column | None) -> tuple[Part, ...]:
    """What it costs now and what it would cost, to one scale; empty while a price is unknown."""
    if not on_demand or best is None or not best.spot_usd_micro:
        return ()
    scale = max(on_demand, best.spot_usd_micro)
    return (
        Part("On-Demand, now", on_demand, None, 0.0, 100 * on_demand / scale),
        Part(f"Spot {best.pool}", best.spot_usd_micro, None, 0.0, 100 * best.spot_usd_micro / scale),
    )


def _rejected(told: Mapping[str, Mapping[str, Sequence[str]]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Reason → what fell for it, the most frequent first."""
    found = [(reason, tuple(names)) for group in told.values() for reason, names in group.items()]
    return tuple(sorted(found, key=lambda each: (-len(each[1]), each[0])))
