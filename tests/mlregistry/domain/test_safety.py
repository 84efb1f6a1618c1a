"""Is a safety score the stated weighted sum, and absent where a part is unknown?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlregistry.domain.safety import (
    STATIC,
    AdaptiveComponents,
    StaticComponents,
    Weights,
    adaptive_weights,
    band_score,
    feedback_weight,
    gap,
    safety,
    stability,
    structural,
    time_of_day,
)

NAN = float("nan")


def of(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_the_adaptive_form_on_day_zero():
    components = AdaptiveComponents(of(1.0, 0.5), of(0.8, 0.8), of(0.5, 0.5), of(NAN, NAN))
    assert safety(components, adaptive_weights()) == pytest.approx([0.89, 0.59])


def test_the_static_form():
    components = StaticComponents(of(0.75), of(0.8), of(0.6), of(1.0))
    assert safety(components, STATIC) == pytest.approx([0.75 * 0.6 + 0.8 * 0.25 + 0.06 + 0.05])


@pytest.mark.parametrize("name", ["advisor", "stability", "structural", "learned"])
def test_an_unknown_part_with_a_weight_leaves_no_score(name):
    known = {"advisor": of(1, 1), "stability": of(1, 1), "structural": of(1, 1), "learned": of(1, 1)}
    score = safety(AdaptiveComponents(**{**known, name: of(NAN, 1)}), adaptive_weights(0.1))
    assert np.isnan(score[0])
    assert score[1] == pytest.approx(1)


def test_weights_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match=r"sum to 0\.9"):
        Weights("wrong", {"advisor": 0.6, "stability": 0.3})
    with pytest.raises(ValueError, match="negative"):
        adaptive_weights(0.7)
    with pytest.raises(ValueError, match="nan"):
        adaptive_weights(NAN)


def test_weights_of_another_form_are_refused():
    with pytest.raises(ValueError, match="static-1"):
        safety(AdaptiveComponents(of(1), of(1), of(1), of(1)), STATIC)


def test_a_component_outside_zero_and_one_is_refused():
    with pytest.raises(ValueError, match="stability leaves"):
        safety(AdaptiveComponents(of(1), of(1.2), of(1), of(1)), adaptive_weights())


@pytest.mark.parametrize(
    "hours, weight",
    [
        (0, 0),
        (10_000, 0),
        (30_000, 0.05),
        (50_000, 0.10),
        (125_000, 0.125),
        (200_000, 0.15),
        (500_000, 0.25),
        (1e9, 0.25),
    ],
)
def test_the_feedback_weight_meets_every_milestone(hours, weight):
    assert feedback_weight(hours) == pytest.approx(weight)


def test_the_milestone_table_of_weights():
    shares = adaptive_weights(feedback_weight(500_000)).shares
    assert [shares[n] for n in ("advisor", "stability", "structural", "learned")] == pytest.approx(
        [0.35, 0.3, 0.1, 0.25]
    )


def test_hours_below_zero_are_an_error():
    with pytest.raises(ValueError, match="-1"):
        feedback_weight(-1)


def test_bands_score_in_quarters():
    assert band_score(of(0, 1, 2, 3, 4)).tolist() == [1, 0.75, 0.5, 0.25, 0]
    assert np.isnan(band_score(of(NAN)))[0]
    with pytest.raises(ValueError):
        band_score(of(5))


def test_a_wilder_price_is_less_stable_and_an_unknown_one_has_no_stability():
    assert stability(of(0, 0.05, 0.1, 0.15, 0.3, 9)) == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0])
    assert np.isnan(stability(of(NAN)))[0]


def test_a_pool_dearer_than_on_demand_has_no_gap():
    assert gap(of(0.3, 1.4)) == pytest.approx([0.7, 0])


def test_night_is_off_peak():
    assert time_of_day(of(0, 7.9, 8, 19.9, 20)).tolist() == [1, 1, 0, 0, 1]
    assert np.isnan(time_of_day(of(NAN)))[0]


def test_structure_falls_with_age_size_metal_and_burst():
    best = structural(of(2), of(0), of(0), of(0))[0]
    assert best == pytest.approx(1)
    worse = [
        structural(of(2), of(8), of(0), of(0)),
        structural(of(64), of(0), of(0), of(0)),
        structural(of(2), of(0), of(1), of(0)),
        structural(of(2), of(0), of(0), of(1)),
    ]
    assert all(0 < score[0] < best for score in worse)
    assert np.isnan(structural(of(2), of(NAN), of(0), of(0)))[0]


component = st.lists(st.floats(0, 1) | st.just(NAN), min_size=6, max_size=6).map(lambda values: of(*values))


@given(component, component, component, component, st.floats(0, 0.25))
def test_a_score_lies_within_zero_and_one_and_one_pool_has_the_bits_of_many(advisor, stable, structure, learned, w):
    parts = (advisor, stable, structure, learned)
    together = safety(AdaptiveComponents(*parts), adaptive_weights(w))
    known = together[np.isfinite(together)]
    assert np.all((known >= 0) & (known <= 1))
    for index in range(6):
        alone = safety(AdaptiveComponents(*(part[index : index + 1] for part in parts)), adaptive_weights(w))
        assert alone.tobytes() == together[index : index + 1].tobytes()
