"""Is agreement between two judges, and a mean, stated with how sure it is?"""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.agreement import Mean, agreement, mean_of

CASES = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_of_nothing_nothing_is_known():
    found = agreement(0, 0)
    assert (found.judged, found.agreed, found.share, found.low, found.high) == (0, 0, None, None, None)


def test_the_interval_is_wilsons():
    found = agreement(8, 10)
    assert found.share == 0.8
    # Wilson 1927; 8 of 10 at 95 %: 0.4902 to 0.9433
    assert (found.low, found.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_few_cases_in_full_agreement_are_not_certain():
    found = agreement(3, 3)
    assert found.share == 1.0
    assert 0.3 < found.low < 0.5
    assert found.high == 1.0


@given(CASES)
def test_the_share_lies_in_its_interval_and_the_interval_in_zero_to_one(cases):
    found = agreement(*cases)
    assert 0 <= found.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.high <= 1


@given(CASES)
def test_more_of_the_same_is_surer(cases):
    once, thrice = agreement(*cases), agreement(3 * cases[0], 3 * cases[1])
    assert thrice.share == pytest.approx(once.share)
    assert thrice.high - thrice.low <= once.high - once.low + 1e-12


@pytest.mark.parametrize(("agreed", "judged"), [(2, 1), (-1, 1)])
def test_more_agreed_than_judged_is_refused(agreed, judged):
    with pytest.raises(ValueError, match="cannot be agreed on"):
        agreement(agreed, judged)


def test_a_mean_of_nothing_is_unknown_and_of_one_case_has_no_interval():
    assert mean_of(0, None, None) == Mean(0, None, None, None)
    assert mean_of(1, 5.0, None) == Mean(1, 5.0, None, None)
    assert not mean_of(1, 5.0, None).is_certain


def test_the_interval_of_a_mean_is_students():
    found = mean_of(5, 5.0, statistics.stdev([1, 3, 5, 7, 9]))
    # 5 ± 2.776 × 3.1623 / √5
    assert (found.low, found.high) == (pytest.approx(1.0741, abs=1e-3), pytest.approx(8.9259, abs=1e-3))
    assert found.is_certain
    assert found.times(10).value == 50


@given(st.integers(2, 400))
def test_more_cases_are_never_less_sure(n):
    fewer, more = mean_of(n, 0.0, 1.0), mean_of(n + 1, 0.0, 1.0)
    assert more.high <= fewer.high
    assert not more.is_certain
