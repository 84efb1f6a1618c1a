"""Does an Advisor band become a probability within the horizon, with an honest interval?"""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlregistry.domain.hazard import MONTH, advisor_hazard, monthly_rate, within

BANDS = np.array([0.0, 1, 2, 3, 4])


def test_over_a_whole_month_the_probability_is_the_rate():
    hazard = advisor_hazard(BANDS, MONTH)
    assert hazard.probability == pytest.approx([0.025, 0.075, 0.125, 0.175, 0.60])
    assert hazard.low == pytest.approx([0, 0.05, 0.10, 0.15, 0.20])
    assert hazard.high == pytest.approx([0.05, 0.10, 0.15, 0.20, 1.0])


def test_two_half_months_survived_are_a_month_survived():
    half = within(np.array([0.3]), MONTH / 2)
    assert (1 - half) ** 2 == pytest.approx(0.7)


def test_the_open_band_reaches_certainty_within_any_horizon():
    assert advisor_hazard(np.array([4.0]), timedelta(hours=1)).high[0] == 1.0


def test_an_unrated_pool_has_no_probability():
    hazard = advisor_hazard(np.array([np.nan, 0.0]), timedelta(hours=1))
    assert np.isnan([hazard.probability[0], hazard.low[0], hazard.high[0]]).all()
    assert np.isfinite(hazard.probability[1])


@pytest.mark.parametrize("band", [-1.0, 5.0, 0.5])
def test_a_band_that_does_not_exist_is_an_error(band):
    with pytest.raises(ValueError, match="no Advisor band"):
        monthly_rate(np.array([0.0, band]))


def test_without_a_horizon_there_is_no_probability():
    with pytest.raises(ValueError, match="no horizon"):
        advisor_hazard(BANDS, timedelta(0))


@given(st.integers(1, 100 * 24), st.integers(1, 100 * 24))
def test_a_longer_horizon_is_never_safer_and_the_figure_lies_in_its_interval(one, other):
    short, long = (advisor_hazard(BANDS, timedelta(hours=hours)) for hours in sorted((one, other)))
    assert np.all(short.probability <= long.probability)
    assert np.all((short.low <= short.probability) & (short.probability <= short.high))
