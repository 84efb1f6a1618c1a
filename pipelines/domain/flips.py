"""What is the nearest change that would turn the decision?

One figure changes and all others stay as they are: a Spot price that moves would in truth move the model's
probability a little too. Each threshold is solved, not searched: the change turns the answer, a hair less does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pipelines.domain.decision import Choice, Decision, Judged, blocking
from pipelines.domain.proposal import Candidate, Facts, Question
from pipelines.domain.savings import dearest_spot
from pipelines.domain.verdict import Outcome

MICRO = 1_000_000


class Figure(StrEnum):
    SPOT = "spot_usd_micro"  # of one pool
    ALL_SPOT = "spot_usd_micro_everywhere"  # every candidate's price × after ÷ before, rounded up to a micro-dollar
    PROBABILITY = "interruption_probability"
    SAFETY = "safety_score"
    TIME = "time"  # the same figures, then


@dataclass(frozen=True, slots=True)
class Flip:
    """`relative` is the size of the change, |after − before| ÷ before; None for a wait.

    `before` and `after` are whole micro-dollars an hour, scores, or ISO times.
    """

    figure: Figure
    pool: str
    before: int | float | str
    after: int | float | str
    relative: float | None
    becomes: Choice
    sentence: str


def nearest(question: Question, decision: Decision) -> Flip | None:
    """The smallest single change, by relative size; a wait only where no figure would do.

    None when no single change turns it: a refusal stands, there is no candidate, or each is blocked twice over.
    """
    if decision.choice is Choice.SWITCH:
        found = _to_stay(question.facts, decision)
    elif blocking(decision.refusals, question.facts):
        return None
    else:
        found = [flip for judged in decision.ranked if (flip := _to_switch(judged, question.facts))]
    if not found:
        return None
    return min(found, key=lambda flip: (flip.relative is None, flip.relative or 0.0, str(flip.after), flip.pool))


def applied(flip: Flip, question: Question) -> Question:
    """The question as it would be after the change."""
    if flip.figure is Figure.TIME:
        return _later(question, datetime.fromisoformat(str(flip.after)))
    return replace(question, candidates=tuple(_changed(flip, each) for each in question.candidates))


def _changed(flip: Flip, candidate: Candidate) -> Candidate:
    if flip.figure is Figure.ALL_SPOT:
        price = candidate.spot_usd_micro
        raised = None if price is None else -(-price * int(flip.after) // int(flip.before))
        return replace(candidate, spot_usd_micro=raised)
    if candidate.pool != flip.pool:
        return candidate
    if flip.figure is Figure.SPOT:
        return replace(candidate, spot_usd_micro=int(flip.after))
    if flip.figure is Figure.PROBABILITY:
        return replace(candidate, interruption_probability=float(flip.after))
    return replace(candidate, safety_score=float(flip.after))


def _later(question: Question, at: datetime) -> Question:
    """The same figures, as fresh then as they are now."""
    facts = question.facts
    wait = at - facts.now

    def shifted(moment: datetime | None) -> datetime | None:
        return None if moment is None else moment + wait

    target = replace(facts.target, seen_at=facts.target.seen_at + wait)
    moved = replace(facts, now=at, target=target, on_demand_as_of=shifted(facts.on_demand_as_of))
    candidates = tuple(
        replace(
            each,
            prices_as_of=shifted(each.prices_as_of),
            advisor_as_of=shifted(each.advisor_as_of),
            scored_at=shifted(each.scored_at),
        )
        for each in question.candidates
    )
    return replace(question, facts=moved, candidates=candidates)


def _to_switch(judged: Judged, facts: Facts) -> Flip | None:
    """The one change that clears every blocking gate of this candidate; None where there is none."""
    gates = {verdict.gate for verdict in judged.blocking}
    if gates <= {"cool_down", "change_window", "quarantine"}:
        return _wait(judged.candidate, facts)
    if any(verdict.outcome is not Outcome.FAIL for verdict in judged.blocking):
        return None  # a fact is missing, and no figure stands in for it
    if gates <= {"savings_percent", "savings_per_month"}:
        return _cheaper(judged.candidate, facts)
    if gates == {"interruption_probability"}:
        limit = facts.policy.max_interruption_probability
        return _score(Figure.PROBABILITY, judged.candidate, judged.candidate.interruption_probability, limit, "at most")
    if gates == {"safety_score"}:
        limit = facts.policy.min_safety_score
        return _score(Figure.SAFETY, judged.candidate, judged.candidate.safety_score, limit, "at least")
    return None


def _cheaper(candidate: Candidate, facts: Facts) -> Flip | None:
    if facts.on_demand_usd_micro is None or candidate.spot_usd_micro is None:
        return None
    before, after = candidate.spot_usd_micro, dearest_spot(facts.on_demand_usd_micro, facts.policy)
    if after < 1:
        return None
    relative = (before - after) / before
    prices = f"{_hourly(after)}, now {_hourly(before)}"
    told = f"Would switch if Spot {candidate.pool} were {_percent(relative)} cheaper: {prices}."
    return Flip(Figure.SPOT, candidate.pool, before, after, relative, Choice.SWITCH, told)


def _score(figure: Figure, candidate: Candidate, before: float | None, after: float, bound: str) -> Flip | None:
    if before is None:
        return None
    what = figure.value.replace("_", " ")
    told = f"Would switch if the {what} of {candidate.pool} were {bound} {after:g}; it is {before:.3f}."
    relative = abs(after - before) / before if before else math.inf
    return Flip(figure, candidate.pool, before, after, relative, Choice.SWITCH, told)


def _wait(candidate: Candidate, facts: Facts) -> Flip:
    at = facts.now
    if candidate.quarantined_until is not None:
        at = max(at, candidate.quarantined_until)
    switched, rest = facts.target.last_switched_at, facts.policy.cool_down_hours
    if switched is not None:
        rested = switched + timedelta(hours=rest)
        if (rested - switched) / timedelta(hours=1) < rest:  # a timedelta rounds to microseconds
            rested += timedelta(microseconds=1)
        at = max(at, rested)
    if facts.policy.change_window is not None:
        at = facts.policy.change_window.next_open(at)
    told = f"Would switch to {candidate.pool} from {at:%Y-%m-%d %H:%M} UTC on, with the same figures."
    return Flip(Figure.TIME, candidate.pool, facts.now.isoformat(), at.isoformat(), None, Choice.SWITCH, told)


def _to_stay(facts: Facts, decision: Decision) -> list[Flip]:
    passing = [judged.candidate for judged in decision.ranked if not judged.blocking]
    found = [flip for flip in [_dearer(passing, facts)] if flip]
    if len(passing) == 1:
        found += _worse(passing[0], facts)
    return found


def _dearer(passing: list[Candidate], facts: Facts) -> Flip | None:
    """By how much all Spot prices would have to rise: until the roomiest of the passing pools fails as well."""
    if facts.on_demand_usd_micro is None:
        return None
    limit = dearest_spot(facts.on_demand_usd_micro, facts.policy)
    cheapest = min((each.spot_usd_micro, each.pool) for each in passing if each.spot_usd_micro is not None)
    before, after = cheapest[0], limit + 1
    relative = (after - before) / before
    told = f"Would stay if Spot rose {_percent(relative)}: then {cheapest[1]} too would cost {_hourly(after)}."
    return Flip(Figure.ALL_SPOT, cheapest[1], before, after, relative, Choice.STAY, told)


def _worse(only: Candidate, facts: Facts) -> list[Flip]:
    """With one pool left that passes: the first probability above, and the first score below, its limit."""
    found = []
    probability, most = only.interruption_probability, facts.policy.max_interruption_probability
    if probability and most < 1:
        told = (
            f"Would stay if the interruption probability of {only.pool} were above {most:g}; it is {probability:.3f}."
        )
        after = math.nextafter(most, math.inf)
        size = (after - probability) / probability
        found.append(Flip(Figure.PROBABILITY, only.pool, probability, after, size, Choice.STAY, told))
    safety, least = only.safety_score, facts.policy.min_safety_score
    if safety and least > 0:
        told = f"Would stay if the safety score of {only.pool} were below {least:g}; it is {safety:.3f}."
        after = math.nextafter(least, -math.inf)
        found.append(Flip(Figure.SAFETY, only.pool, safety, after, (safety - after) / safety, Choice.STAY, told))
    return found


def _percent(relative: float) -> str:
    return f"{100 * relative:.1f} %"


def _hourly(usd_micro: int) -> str:
    return f"${usd_micro / MICRO:.6f} an hour"
