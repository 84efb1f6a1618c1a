"""Where a model may be used, and whom a share draws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlregistry.domain.assigning import is_drawn, refusal

INSTANCES = [f"i-{n:017x}" for n in range(2_000)]


@pytest.mark.parametrize("kind", ["serving", "shadow"])
@pytest.mark.parametrize("environment", ["LAB", "PROD"])
def test_a_graduated_model_may_be_used_anywhere_and_a_rejected_one_nowhere(kind, environment):
    assert refusal(kind, "graduated", environment) == ""
    assert refusal(kind, "rejected", environment) == "it was rejected"
    assert refusal(kind, "graduated", environment, is_deleted=True) == "it was deleted"


def test_a_model_in_testing_serves_in_lab_and_runs_in_shadow_anywhere():
    assert refusal("serving", "testing", "LAB") == ""
    assert refusal("shadow", "testing", "PROD") == ""
    assert "only a graduated model serves in PROD" in refusal("serving", "testing", "PROD")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_draws_about_that_many(share):
    drawn = sum(is_drawn(7, instance, share) for instance in INSTANCES)
    assert abs(drawn / len(INSTANCES) - share) < 0.04


def test_the_whole_is_everybody():
    assert all(is_drawn(7, instance, 1.0) for instance in INSTANCES)


@given(st.integers(1), st.text(max_size=20), st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_larger_share_keeps_whom_a_smaller_one_drew(model_id, instance, one, other):
    smaller, larger = sorted((one, other))
    assert not is_drawn(model_id, instance, smaller) or is_drawn(model_id, instance, larger)


def test_each_model_draws_its_own_sample():
    both = sum(is_drawn(1, instance, 0.5) == is_drawn(2, instance, 0.5) for instance in INSTANCES)
    assert abs(both / len(INSTANCES) - 0.5) < 0.05
