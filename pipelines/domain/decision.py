"""Switch or stay, and why in one sentence?

Rule of choice: among the candidates that pass every gate the cheapest, then the safer one, then by name. Candidates
that do not pass are ranked behind by the number of gates that block them, and by the same order among equals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipelines.domain.gates import judge, saved_by
from pipelines.domain.proposal import Candidate, Facts, Proposal, Question
from pipelines.domain.refusals import refusals
from pipelines.domain.savings import Savings
from pipelines.domain.verdict import Outcome, Verdict

UNPRICED = 1 << 62  # ranks behind every price


class Choice(StrEnum):
    SWITCH = "SWITCH"
    STAY = "STAY"


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with every gate's answer. `savings` is None while a price is unknown."""

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    blocking: tuple[Verdict, ...]
    savings: Savings | None


@dataclass(frozen=True, slots=True)
class Decision:
    """`ranked` has the best first; `chosen` is None when staying."""

    choice: Choice
    reason: str
    refusals: tuple[Verdict, ...]
    ranked: tuple[Judged, ...]
    chosen: Judged | None

    @property
    def best(self) -> Judged | None:
        return self.ranked[0] if self.ranked else None


def decide(question: Question) -> Decision:
    """The same for every order of the candidates."""
    facts = question.facts
    answers = refusals(facts)
    refused = blocking(answers, facts)
    ranked = tuple(sorted((_judged(each, facts) for each in question.candidates), key=_rank))
    if refused:
        return Decision(Choice.STAY, _refused(refused), answers, ranked, None)
    if not ranked:
        return Decision(Choice.STAY, _no_candidate(question), answers, ranked, None)
    best = ranked[0]
    if best.blocking:
        return Decision(Choice.STAY, _blocked(best, len(ranked)), answers, ranked, None)
    return Decision(Choice.SWITCH, _switch(best, answers), answers, ranked, best)


def blocking(verdicts: Iterable[Verdict], facts: Facts) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in verdicts if verdict.is_blocking(is_shadow=facts.is_shadow))


def _judged(candidate: Candidate, facts: Facts) -> Judged:
    proposal = Proposal(facts.target, candidate)
    verdicts = judge(proposal, facts)
    return Judged(candidate, verdicts, blocking(verdicts, facts), saved_by(proposal, facts))


def _rank(judged: Judged) -> tuple[int, int, float, str, str, str]:
    candidate = judged.candidate
    price = UNPRICED if candidate.spot_usd_micro is None else candidate.spot_usd_micro
    safety = -1.0 if candidate.safety_score is None else candidate.safety_score
    return (len(judged.blocking), price, -safety, candidate.instance_type, candidate.zone_id, candidate.product)


def _refused(refused: tuple[Verdict, ...]) -> str:
    """What is known to object goes before what is merely not known."""
    told = [verdict for verdict in refused if verdict.outcome is Outcome.FAIL] or list(refused)
    others = f" (and {len(told) - 1} more: {', '.join(each.gate for each in told[1:])})" if told[1:] else ""
    return f"Stay: {told[0].detail}{others}."


def _no_candidate(question: Question) -> str:
    if not question.considered:
        target = question.facts.target
        return f"Stay: no pool of {target.region} is known for {target.product}."
    return f"Stay: none of the {question.considered} pools can host it; most often: {question.commonest_rejection}."


def _blocked(best: Judged, count: int) -> str:
    others = f" (and {len(best.blocking) - 1} more gates)" if best.blocking[1:] else ""
    lead = f"of {count} candidates {best.candidate.pool} comes nearest, but" if count > 1 else f"{best.candidate.pool}:"
    return f"Stay: {lead} {best.blocking[0].detail}{others}."


def _switch(best: Judged, answers: tuple[Verdict, ...]) -> str:
    if best.savings is None:
        raise ValueError(f"{best.candidate.pool} passed every gate without a price")
    saved = f"saves ${best.savings.usd_per_month} a month ({best.savings.percent:.0f} %) net of switching"
    tight = tightest(best.verdicts)
    closest = f"; the tightest gate is {tight.gate}: {tight.detail}" if tight else ""
    needed = [verdict.gate for verdict in answers if verdict.outcome is Outcome.NEEDED]
    before = f" Before acting: {', '.join(needed)}." if needed else ""
    return f"Switch to Spot {best.candidate.pool}: {saved}{closest}.{before}"


def tightest(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The passed gate with the least room, relative to its limit; None where no gate has a number."""
    roomy = [
        (verdict.margin / abs(verdict.limit), verdict.gate, verdict)
        for verdict in verdicts
        if verdict.outcome is Outcome.PASS
        and verdict.margin is not None
        and isinstance(verdict.limit, int | float)
        and verdict.limit
    ]
    return min(roomy, key=lambda each: each[:2])[2] if roomy else None
