"""What was a decision made from, and what came of it? One JSON object, from which it can be made again.

A receipt has two halves. `Given` is read back from it; everything else is computed from that by the same functions,
whether an instance is evaluated or a decision is replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from governance.domain.policy import Policy, as_overrides
from mlregistry import loading, scoring
from mlregistry.domain import features
from mlregistry.loading import LoadedModel
from pipelines.domain import flips
from pipelines.domain.decision import Decision, Judged, decide
from pipelines.domain.flips import Flip
from pipelines.domain.proposal import Candidate, Facts, Fleet, Question
from pipelines.domain.receipt import SCHEMA, BadReceipt, normal
from pipelines.domain.savings import NOT_COUNTED, Savings
from pipelines.domain.target import Target

DETAILED = 24  # best candidates told with inputs, features and contributions; of the others the figures

_TARGET: TypeAdapter[Target] = TypeAdapter(Target)
_CANDIDATE: TypeAdapter[Candidate] = TypeAdapter(Candidate)
_FLEET: TypeAdapter[Fleet] = TypeAdapter(Fleet)
_INSTANT: TypeAdapter[datetime | None] = TypeAdapter(datetime | None)


@dataclass(frozen=True, slots=True)
class Given:
    """All that a decision depends on. `inputs` are those of the candidates told in detail, by pool."""

    question: Question
    inputs: Mapping[str, Mapping[str, Any]]
    statistics: Mapping[str, Mapping[str, Any]]
    model: LoadedModel


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it. `question` has the figures as recomputed from the inputs."""

    scores: Mapping[str, Mapping[str, Any]]
    question: Question
    decision: Decision
    flip: Flip | None


def expected(given: Given) -> dict[str, dict[str, Any]]:
    """Features, probability, safety and contributions of the candidates told in detail: one matrix, by pool."""
    pools = sorted(given.inputs)
    rows = scoring.rescore([given.inputs[pool] for pool in pools], model=given.model, statistics=given.statistics)
    return dict(zip(pools, rows, strict=True))


def with_scores(question: Question, scores: Mapping[str, Mapping[str, Any]]) -> Question:
    """The question with its candidates' figures as computed."""
    return replace(question, candidates=tuple(_scored(each, scores.get(each.pool)) for each in question.candidates))


def _scored(candidate: Candidate, score: Mapping[str, Any] | None) -> Candidate:
    if score is None:
        return candidate
    return replace(
        candidate,
        interruption_probability=score["interruption_probability"],
        evidence=score["evidence"],
        safety_score=score["safety_score"],
    )


def answered(given: Given) -> Found:
    """The whole way from inputs to the nearest change that would turn the decision."""
    scores = expected(given)
    question = with_scores(given.question, scores)
    decision = decide(question)
    return Found(scores, question, decision, flips.nearest(question, decision))


def written(given: Given, found: Found, circumstances: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt. `circumstances` (instance, sources, rejected, software) are told, and decide nothing.

    Raises BadReceipt when a figure is not finite.
    """
    facts, decision, best = found.question.facts, found.decision, found.decision.best
    detailed = [judged for judged in decision.ranked if judged.candidate.pool in given.inputs]
    others = [judged for judged in decision.ranked if judged.candidate.pool not in given.inputs]
    rank = {judged.candidate.pool: position for position, judged in enumerate(decision.ranked, start=1)}
    receipt = {
        **circumstances,
        "schema": SCHEMA,
        "now": facts.now,
        "target": facts.target,
        "policy": _policy(facts.policy),
        "fleet": facts.fleet,
        "is_shadow_instance": facts.is_shadow_instance,
        "is_shadow": facts.is_shadow,
        "ignore_tags": facts.ignore_tags,
        "on_demand": {"usd_micro": facts.on_demand_usd_micro, "as_of": facts.on_demand_as_of},
        "model": given.model.as_json(),
        "features": {
            "version": features.FEATURE_VERSION,
            "hash": features.feature_hash(),
            "names": list(features.NAMES),
        },
        "statistics": given.statistics,
        "considered": found.question.considered,
        "commonest_rejection": found.question.commonest_rejection,
        "refusals": decision.refusals,
        "candidates": [_detail(each, rank[each.candidate.pool], given, found) for each in detailed],
        "others": [_brief(each, rank[each.candidate.pool]) for each in others],
        "decision": {
            "choice": decision.choice,
            "reason": decision.reason,
            "chosen": decision.chosen.candidate.pool if decision.chosen else None,
        },
        "savings": _savings(best.savings) if best and best.savings else None,
        "flip": found.flip,
        "flip_sentence": flip_sentence(found),
    }
    plain: dict[str, Any] = normal(to_jsonable_python(receipt))
    return plain


def flip_sentence(found: Found) -> str:
    """What would turn the decision, or that nothing single would."""
    if found.flip is not None:
        return found.flip.sentence
    if not found.decision.ranked:
        return "No figure would turn it: there is no candidate."
    return "No single figure would turn it."


def _policy(policy: Policy) -> dict[str, Any]:
    return {name: {"value": value, "set_by": policy.origin_of(name)} for name, value in as_overrides(policy).items()}


def _detail(judged: Judged, rank: int, given: Given, found: Found) -> dict[str, Any]:
    pool = judged.candidate.pool
    return {
        "rank": rank,
        "pool": pool,
        "candidate": judged.candidate,
        "inputs": given.inputs[pool],
        "score": found.scores[pool],
        "verdicts": judged.verdicts,
        "savings": _savings(judged.savings) if judged.savings else None,
    }


def _brief(judged: Judged, rank: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "candidate": judged.candidate,
        "blocked_by": [verdict.gate for verdict in judged.blocking],
    }


def _savings(savings: Savings) -> dict[str, Any]:
    return {
        **asdict(savings),
        "percent": savings.percent,
        "usd_per_month": savings.usd_per_month,
        "not_counted": list(NOT_COUNTED),
    }


def given_from(receipt: Mapping[str, Any]) -> Given:
    """What a stored receipt says the decision was made from.

    Raises BadReceipt when a part is missing or is of another schema, ModelVersion.DoesNotExist when no registered
    model has the digests, ModelRefused when its bytes are damaged.
    """
    if receipt.get("schema") != SCHEMA:
        raise BadReceipt(f"schema {receipt.get('schema')!r}, not {SCHEMA}")
    try:
        _refuse_other_code(receipt)
        detailed: Sequence[Mapping[str, Any]] = receipt["candidates"]
        candidates = [_CANDIDATE.validate_python(each["candidate"]) for each in (*detailed, *receipt["others"])]
        return Given(
            question=Question(
                _facts(receipt), tuple(candidates), receipt["considered"], receipt["commonest_rejection"]
            ),
            inputs={each["pool"]: each["inputs"] for each in detailed},
            statistics=receipt["statistics"],
            model=_model(receipt["model"]),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise BadReceipt(f"not a whole receipt: {wrong!r}") from wrong


def _facts(receipt: Mapping[str, Any]) -> Facts:
    told = receipt["policy"]
    policy = Policy().merge(("receipt", {name: limit["value"] for name, limit in told.items()}))
    origins = {name: limit["set_by"] for name, limit in told.items()}
    now = _INSTANT.validate_python(receipt["now"])
    if now is None:
        raise BadReceipt("it has no time")
    return Facts(
        now=now,
        target=_TARGET.validate_python(receipt["target"]),
        policy=replace(policy, set_by=origins),
        fleet=_FLEET.validate_python(receipt["fleet"]),
        is_shadow_instance=receipt["is_shadow_instance"],
        on_demand_usd_micro=receipt["on_demand"]["usd_micro"],
        on_demand_as_of=_INSTANT.validate_python(receipt["on_demand"]["as_of"]),
        ignore_tags=tuple(receipt["ignore_tags"]),
    )


def _refuse_other_code(receipt: Mapping[str, Any]) -> None:
    """Figures that other code would give are no difference worth listing: say which code wrote it."""
    wrote, here = receipt["features"]["version"], features.FEATURE_VERSION
    if wrote != here:
        raise BadReceipt(
            f"written with features {wrote}, here they are {here}: replay it with the release that wrote it"
        )
    told, baseline = receipt["model"], loading.BASELINE
    if told["file_sha256"] is None and told["version"] != baseline.version:
        judged = f"{baseline.name} {told['version']} judged it, here is {baseline.version}"
        raise BadReceipt(f"{judged}: replay it with the release that wrote it")


def _model(told: Mapping[str, Any]) -> LoadedModel:
    if told["file_sha256"] is None:
        return loading.BASELINE
    return loading.by_digest(told["file_sha256"], told["metadata_sha256"])
