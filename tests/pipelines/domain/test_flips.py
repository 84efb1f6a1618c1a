"""Does the nearest change turn the decision, and a hair less not?"""

import math
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given

from pipelines.domain.decision import Choice, decide
from pipelines.domain.flips import Figure, applied, nearest
from pipelines.domain.proposal import Question
from tests.pipelines.domain import cases
from tests.pipelines.domain.cases import NOW, a_candidate, a_question


def flip_of(question):
    return nearest(question, decide(question))


def test_a_pool_just_too_dear_says_how_much_cheaper_it_would_have_to_be():
    flip = flip_of(a_question(a_candidate(spot_usd_micro=85_000)))
    # 20 % of $73.00 and an hour of $0.10 must be left: (73.0 − 14.6 − 0.1) ÷ 730 = 0.079863…
    assert (flip.figure, flip.after, flip.becomes) == (Figure.SPOT, 79_863, Choice.SWITCH)
    assert flip.sentence.startswith("Would switch if Spot m5.large in use1-az2 were 6.0 % cheaper")


def test_a_switch_says_how_far_spot_could_rise():
    flip = flip_of(a_question(a_candidate(interruption_probability=0.01)))
    assert (flip.figure, flip.before, flip.after) == (Figure.SAFETY, 0.9, math.nextafter(0.75, 0))
    two = flip_of(a_question(a_candidate(), a_candidate(zone_id="use1-az3")))
    assert (two.figure, two.before, two.after) == (Figure.ALL_SPOT, 40_000, 79_864)
    assert two.sentence.startswith("Would stay if Spot rose 99.7 %")


def test_a_refusal_cannot_be_flipped_by_a_figure():
    assert flip_of(a_question(target={"is_termination_protected": True})) is None


def test_a_pool_blocked_twice_over_has_no_single_change():
    assert flip_of(a_question(a_candidate(safety_score=0.1, interruption_probability=0.9))) is None


def test_a_figure_is_nearer_than_a_wait_and_a_wait_is_told_where_nothing_else_would_do():
    waiting = a_candidate(quarantined_until=NOW + timedelta(days=2))
    flip = flip_of(a_question(waiting))
    assert (flip.figure, flip.after) == (Figure.TIME, (NOW + timedelta(days=2)).isoformat())
    beside = flip_of(a_question(waiting, a_candidate(zone_id="use1-az3", safety_score=0.7)))
    assert beside.figure is Figure.SAFETY


def a_hair_less(flip):
    """The same change, smaller by the smallest step its figure can take."""
    if flip.figure is Figure.TIME:
        earlier = datetime.fromisoformat(flip.after) - timedelta(microseconds=1)
        return replace(flip, after=earlier.isoformat())
    if flip.figure in {Figure.SPOT, Figure.ALL_SPOT}:
        return replace(flip, after=flip.after + (1 if flip.after < flip.before else -1))
    return replace(flip, after=math.nextafter(flip.after, flip.before))


@given(cases.free_facts, cases.good_candidates)
def test_the_change_turns_the_decision_and_a_hair_less_does_not(facts, candidates):
    question = Question(facts, candidates, len(candidates))
    decision = decide(question)
    flip = nearest(question, decision)
    if flip is None:
        return
    assert flip.becomes is not decision.choice
    assert decide(applied(flip, question)).choice is flip.becomes
    assert decide(applied(a_hair_less(flip), question)).choice is decision.choice


@given(cases.free_facts, cases.good_candidates)
def test_every_switch_has_a_change_that_would_turn_it(facts, candidates):
    question = Question(facts, candidates, len(candidates))
    decision = decide(question)
    if decision.choice is Choice.SWITCH:
        assert nearest(question, decision) is not None
