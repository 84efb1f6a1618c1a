"""Is agreement between two judges stated with how sure it is?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.agreement import agreement

VERDICTS = st.lists(st.tuples(st.sampled_from(["SWITCH", "STAY"]), st.sampled_from(["SWITCH", "STAY"])), min_size=1)


def test_of_nothing_nothing_is_known():
    found = agreement([])
    assert (found.judged, found.agreed, found.share, found.low, found.high) == (0, 0, None, None, None)


def test_the_interval_is_wilsons():
    found = agreement([("SWITCH", "SWITCH")] * 8 + [("SWITCH", "STAY")] * 2)
    assert found.share == 0.8
    # Wilson 1927; 8 of 10 at 95 %: 0.4902 to 0.9433
    assert (found.low, found.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_few_cases_in_full_agreement_are_not_certain():
    found = agreement([("STAY", "STAY")] * 3)
    assert found.share == 1.0
    assert 0.3 < found.low < 0.5
    assert found.high == 1.0


@given(VERDICTS)
def test_the_share_lies_in_its_interval_and_the_interval_in_zero_to_one(pairs):
    found = agreement(pairs)
    assert 0 <= found.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.high <= 1


@given(VERDICTS)
def test_more_of_the_same_is_surer(pairs):
    once, thrice = agreement(pairs), agreement(pairs * 3)
    assert thrice.share == pytest.approx(once.share)
    assert thrice.high - thrice.low <= once.high - once.low + 1e-12
