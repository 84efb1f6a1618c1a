"""Is the choice the cheapest safe pool, whatever the order, and does nothing unknown ever pass?"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.decision import Choice, decide
from pipelines.domain.gates import GATES
from pipelines.domain.proposal import Question
from pipelines.domain.verdict import Outcome
from tests.pipelines.domain import cases
from tests.pipelines.domain.cases import NOW, a_candidate, a_question


def test_a_safe_and_much_cheaper_pool_is_switched_to():
    decision = decide(a_question())
    assert decision.choice is Choice.SWITCH
    assert decision.chosen is not None
    assert decision.chosen.candidate.pool == "m5.large in use1-az2"
    assert "saves $43.70 a month (60 %) net of switching" in decision.reason


def test_the_cheapest_that_passes_wins_then_the_safer_then_the_name():
    cheap = a_candidate(zone_id="use1-az1", spot_usd_micro=30_000, safety_score=0.5)
    safer = a_candidate(zone_id="use1-az3", safety_score=0.95)
    named = a_candidate(instance_type="m5a.large", zone_id="use1-az3", safety_score=0.95)
    decision = decide(a_question(cheap, named, a_candidate(), safer))
    assert [each.candidate.pool for each in decision.ranked] == [
        "m5.large in use1-az3",
        "m5a.large in use1-az3",
        "m5.large in use1-az2",
        "m5.large in use1-az1",
    ]


def test_staying_names_the_gate_and_its_numbers():
    decision = decide(a_question(a_candidate(safety_score=0.6)))
    assert decision.choice is Choice.STAY
    assert decision.reason == "Stay: m5.large in use1-az2: safety score 0.600; at least 0.75."


def test_the_best_of_several_is_named_with_how_many_gates_block_it():
    worse = a_candidate(zone_id="use1-az3", safety_score=0.1, interruption_probability=0.5)
    decision = decide(a_question(a_candidate(interruption_probability=0.3), worse))
    assert decision.reason.startswith("Stay: of 2 candidates m5.large in use1-az2 comes nearest, but interrupted")


def test_a_refusal_holds_however_good_the_pool():
    decision = decide(a_question(target={"is_termination_protected": True, "tenancy": "dedicated"}))
    assert decision.choice is Choice.STAY
    assert decision.reason == "Stay: termination protection is on (and 1 more: tenancy)."


def test_shadow_decides_without_the_statement_and_acting_does_not():
    unsaid = {"stateless_said_by": "", "stateless_said_at": None}
    shadow = decide(a_question(target=unsaid))
    assert shadow.choice is Choice.SWITCH
    assert "Before acting: savings_plans, stateless." in shadow.reason
    acting = decide(a_question(target=unsaid, is_shadow_instance=False, policy={"acting": "ask"}))
    assert acting.choice is Choice.STAY


def test_without_any_pool_the_reason_says_so():
    assert "no pool of us-east-1 is known" in decide(Question(cases.some_facts(), (), 0)).reason
    left_out = Question(cases.some_facts(), (), 40, "no subnet of vpc-1 in use1-az6 (31 pools)")
    assert decide(left_out).reason == (
        "Stay: none of the 40 pools can host it; most often: no subnet of vpc-1 in use1-az6 (31 pools)."
    )


def test_what_is_known_to_object_is_told_before_what_is_not_known():
    decision = decide(a_question(target={"is_spot": True, "is_termination_protected": None}))
    assert decision.reason == "Stay: it already runs on Spot."
    unknown = decide(a_question(target={"is_stop_protected": None}))
    assert unknown.reason == "Stay: AWS did not say whether stop protection is on."


@pytest.mark.parametrize(
    "changed, gate",
    [
        ({"spot_usd_micro": None}, "savings_percent"),
        ({"spot_usd_micro": 0}, "savings_percent"),
        ({"interruption_probability": None}, "interruption_probability"),
        ({"interruption_probability": float("nan")}, "interruption_probability"),
        ({"interruption_probability": -0.1}, "interruption_probability"),
        ({"safety_score": None}, "safety_score"),
        ({"safety_score": float("nan")}, "safety_score"),
        ({"evidence": "none"}, "evidence"),
        ({"evidence": "hearsay"}, "evidence"),
        ({"prices_as_of": None}, "fresh_prices"),
        ({"prices_as_of": NOW - timedelta(hours=2, seconds=1)}, "fresh_prices"),
        ({"prices_as_of": NOW + timedelta(minutes=6)}, "fresh_prices"),
        ({"advisor_as_of": None}, "fresh_advisor"),
        ({"advisor_as_of": NOW - timedelta(hours=26, seconds=1)}, "fresh_advisor"),
        ({"scored_at": None}, "fresh_score"),
        ({"scored_at": NOW - timedelta(hours=3)}, "fresh_score"),
        ({"quarantined_until": NOW + timedelta(seconds=1)}, "quarantine"),
    ],
)
def test_what_is_unknown_stale_or_quarantined_never_passes(changed, gate):
    decision = decide(a_question(a_candidate(**changed)))
    assert decision.choice is Choice.STAY
    assert gate in {verdict.gate for verdict in decision.ranked[0].blocking}


def test_evidence_of_none_shuts_the_gate_even_where_the_policy_asks_for_none():
    decision = decide(a_question(a_candidate(evidence="none"), policy={"min_evidence": "none"}))
    assert decision.choice is Choice.STAY


@given(cases.facts, cases.candidates)
def test_every_gate_answers_for_every_candidate_and_no_unknown_passes(facts, candidates):
    decision = decide(Question(facts, candidates, len(candidates)))
    assert {each.candidate for each in decision.ranked} == set(candidates)
    for judged in decision.ranked:
        assert [verdict.gate for verdict in judged.verdicts] == [gate.__name__ for gate in GATES]
        blocking = {verdict.gate for verdict in judged.blocking}
        candidate = judged.candidate
        expected = {
            "savings_percent": candidate.spot_usd_micro is None or facts.on_demand_usd_micro is None,
            "interruption_probability": candidate.interruption_probability is None,
            "safety_score": candidate.safety_score is None,
            "evidence": candidate.evidence == "none",
            "fresh_prices": candidate.prices_as_of is None,
            "fresh_advisor": candidate.advisor_as_of is None,
            "fresh_score": candidate.scored_at is None,
        }
        assert {gate for gate, is_unknown in expected.items() if is_unknown} <= blocking
        assert all(v in judged.blocking for v in judged.verdicts if v.outcome is Outcome.UNKNOWN)
    if decision.chosen:
        assert not decision.chosen.blocking
        assert not [v for v in decision.refusals if v.outcome in {Outcome.FAIL, Outcome.UNKNOWN}]


@given(cases.facts, cases.candidates, st.randoms(use_true_random=False))
def test_the_decision_does_not_depend_on_the_order_of_the_candidates(facts, candidates, random):
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert decide(Question(facts, tuple(shuffled), 9)) == decide(Question(facts, candidates, 9))


@given(cases.free_facts, cases.good_candidates)
def test_a_worse_candidate_never_changes_the_decision(facts, candidates):
    alone = decide(Question(facts, candidates, 9))
    best = alone.ranked[0]
    worse = replace(
        best.candidate,
        instance_type="z9.large",
        spot_usd_micro=best.candidate.spot_usd_micro + 1,
        safety_score=best.candidate.safety_score / 2,
        interruption_probability=min(1.0, best.candidate.interruption_probability * 2),
    )
    beside = decide(Question(facts, (*candidates, worse), 9))
    assert (beside.choice, beside.chosen) == (alone.choice, alone.chosen)
    assert beside.ranked[0] == best
