"""Does each pool's outlook say what it rests on?"""

from datetime import timedelta

import numpy as np
import pytest

from mlregistry.adapters.base import outlook
from mlregistry.adapters.baseline import day_zero
from mlregistry.adapters.lightgbm import load
from mlregistry.domain.hazard import Evidence, advisor_hazard
from tests.mlregistry.a_model import a_matrix, metadata, model_bytes

HOUR = timedelta(hours=1)
BANDS = np.array([0.0, 4.0, np.nan, 0.0])


def test_a_traced_family_is_judged_by_the_model_and_the_others_repeat_the_advisor():
    adapter, matrix = load(model_bytes(), metadata()), a_matrix(4)
    found = outlook(adapter, matrix, ["p3", "c5", "c5", "m5"], BANDS, HOUR)
    assert found.evidence.tolist() == [Evidence.TRACE, Evidence.ADVISOR, Evidence.NONE, Evidence.ADVISOR]
    assert found.probability[0] == adapter.predict(matrix)[0]
    assert found.probability[[1, 3]].tolist() == advisor_hazard(BANDS, HOUR).probability[[1, 3]].tolist()
    assert np.isnan(found.probability[2])


def test_the_interval_holds_the_probability_and_confidence_is_one_less_its_width():
    adapter = load(model_bytes(), metadata())
    found = outlook(adapter, a_matrix(40), ["p3"] * 40, np.zeros(40), HOUR)
    assert np.all((found.low <= found.probability) & (found.probability <= found.high))
    assert found.confidence == pytest.approx(1 - (found.high - found.low))


def test_a_traced_family_with_an_unknown_feature_does_not_fall_back_to_the_milder_advisor():
    matrix = a_matrix(2)
    matrix[0, 5] = np.nan
    found = outlook(load(model_bytes(), metadata()), matrix, ["p3", "p3"], np.zeros(2), HOUR)
    assert found.evidence.tolist() == [Evidence.NONE, Evidence.TRACE]
    assert np.isnan(found.probability[0])


def test_a_traced_family_needs_no_advisor():
    found = outlook(load(model_bytes(), metadata()), a_matrix(1), ["p3"], np.array([np.nan]), HOUR)
    assert found.evidence.tolist() == [Evidence.TRACE]


def test_on_day_zero_every_rated_pool_has_the_advisors_word():
    found = day_zero(BANDS)
    assert found.evidence.tolist() == [Evidence.ADVISOR, Evidence.ADVISOR, Evidence.NONE, Evidence.ADVISOR]
    assert found.confidence[0] > 0.99
    assert found.confidence[1] < 0.01


def test_another_horizon_than_the_models_is_an_error():
    with pytest.raises(ValueError, match="horizon"):
        outlook(load(model_bytes(), metadata()), a_matrix(1), ["p3"], np.zeros(1), timedelta(hours=6))
