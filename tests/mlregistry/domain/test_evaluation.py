"""Are the metrics those of the textbooks?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlregistry.domain.evaluation import (
    average_precision,
    brier,
    figures,
    log_loss,
    platt,
    reliability,
    reliability_error,
    roc_auc,
)

# the worked example of scikit-learn's documentation: AUC 0.75, average precision 0.83
LABEL = np.array([False, False, True, True])
SCORE = np.array([0.1, 0.4, 0.35, 0.8])


def test_the_textbook_example():
    assert roc_auc(LABEL, SCORE) == 0.75
    assert average_precision(LABEL, SCORE) == pytest.approx(0.8333333)
    assert brier(LABEL, SCORE) == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert log_loss(LABEL, SCORE) == pytest.approx(-np.log([0.9, 0.6, 0.35, 0.8]).mean())


def test_a_constant_score_says_nothing():
    score = np.full(4, 0.5)
    assert roc_auc(LABEL, score) == 0.5
    assert average_precision(LABEL, score) == 0.5


def test_ties_count_half():
    assert roc_auc(np.array([True, False, False]), np.array([0.5, 0.5, 0.1])) == 0.75


@pytest.mark.parametrize("metric", [roc_auc, average_precision])
def test_what_cannot_be_formed_is_not_a_number(metric):
    assert np.isnan(metric(np.array([False, False]), np.array([0.1, 0.2])))
    assert np.isnan(metric(np.array([], dtype=bool), np.array([])))


def test_no_rows_have_no_error():
    nothing = np.array([], dtype=bool), np.array([])
    assert np.isnan([brier(*nothing), log_loss(*nothing), reliability_error(*nothing)]).all()


def test_a_never_that_happens_costs_a_finite_loss():
    assert 10 < log_loss(np.array([True]), np.array([0.0])) < 20


def test_a_calibrated_score_has_little_reliability_error_and_an_inflated_one_has_much():
    random = np.random.default_rng(0)
    score = random.uniform(0, 0.5, 50_000)
    label = random.random(50_000) < score
    assert reliability_error(label, score) < 0.01
    assert reliability_error(label, score + 0.2) == pytest.approx(0.2, abs=0.01)
    assert reliability(label, score)[2].sum() == 50_000


def test_platt_finds_the_line_it_was_made_from():
    random = np.random.default_rng(1)
    raw = random.normal(size=100_000)
    label = random.random(100_000) < 1 / (1 + np.exp(-(0.7 * raw - 1.2)))
    assert platt(label, raw) == pytest.approx((0.7, -1.2), abs=0.03)


def test_platt_needs_both_classes():
    with pytest.raises(ValueError, match="both are needed"):
        platt(np.array([True, True]), np.array([0.1, 0.2]))


def test_intervals_widen_when_rows_come_in_few_blocks_and_repeat_from_the_seed():
    random = np.random.default_rng(2)
    block = np.repeat(np.arange(6), 500)
    score = np.clip(np.repeat(random.uniform(0, 1, 6), 500) + random.normal(0, 0.05, 3000), 0, 1)
    label = random.random(3000) < np.repeat(random.uniform(0, 1, 6), 500)
    few = figures(label, score, block, seed=1)["brier"]
    many = figures(label, score, np.arange(3000), seed=1, draws=60)["brier"]
    assert few.high - few.low > 3 * (many.high - many.low)
    assert few.low <= few.value <= few.high
    assert few == figures(label, score, block, seed=1)["brier"]


def test_one_block_has_no_interval():
    assert np.isnan(figures(LABEL, SCORE, np.zeros(4, dtype=np.int64), seed=1)["brier"].low)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_order(rows):
    label = np.array([row[0] for row in rows])
    score = np.array([row[1] / 20 for row in rows])
    pairs = [(a > b) + (a == b) / 2 for a in score[label] for b in score[~label]]
    found = roc_auc(label, score)
    assert np.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs))
