"""Do limits merge by level, and is what cannot be taken refused with every reason?"""

from dataclasses import fields
from decimal import Decimal

import pytest

from governance.domain.policy import READERS, Acting, Evidence, Policy, PolicyError, as_overrides


def test_the_defaults_are_those_of_the_specification():
    policy = Policy()
    assert policy.min_savings_percent == 20
    assert policy.min_savings_usd_per_month == 5
    assert policy.max_interruption_probability == 0.20
    assert policy.min_safety_score == 0.75
    assert (policy.min_zones, policy.max_pool_share, policy.min_on_demand_share) == (3, 0.20, 0.15)
    assert (policy.cool_down_hours, policy.max_price_age_hours, policy.max_advisor_age_hours) == (12, 2, 26)
    assert (policy.acting, policy.min_evidence, policy.change_window) == (Acting.SHADOW, Evidence.ADVISOR, None)


def test_every_limit_can_be_overridden_and_nothing_else():
    assert {each.name for each in fields(Policy)} - {"set_by"} == set(READERS)


def test_the_nearest_level_wins_value_by_value_and_is_remembered():
    policy = Policy().merge(
        ("organization", {"min_savings_percent": 30, "min_zones": 2}),
        ("account", {"min_savings_percent": "22.5"}),
        ("instance", {"min_evidence": "trace"}),
    )
    assert (policy.min_savings_percent, policy.min_zones, policy.min_evidence) == (Decimal("22.5"), 2, Evidence.TRACE)
    assert policy.origin_of("min_savings_percent") == "account"
    assert policy.origin_of("min_zones") == "organization"
    assert policy.origin_of("min_safety_score") == "default"


@pytest.mark.parametrize(
    "given, said",
    [
        ({"max_risk": 1}, "account: there is no limit called 'max_risk'"),
        ({"min_safety_score": 1.01}, "account: min_safety_score is 1.01, not between 0 and 1"),
        ({"min_safety_score": float("nan")}, "account: min_safety_score is nan, not between 0 and 1"),
        ({"min_safety_score": True}, "account: min_safety_score is True, not a number"),
        ({"min_zones": 2.5}, "account: min_zones is 2.5, not a whole number"),
        ({"min_savings_percent": "much"}, "account: min_savings_percent is 'much', not a decimal number"),
        ({"min_savings_percent": "NaN"}, "account: min_savings_percent is NaN, not between 0 and 100"),
        ({"acting": "always"}, "account: acting is 'always', not one of shadow, ask, auto"),
        ({"are_commitments_declared": 1}, "account: are_commitments_declared is 1, neither true nor false"),
        ({"infrastructure_tags": "terraform"}, "not a list of words"),
        ({"change_window": {"begins": "22:00"}}, "not a window with begins and ends"),
        ({"change_window": {"begins": "22:00", "ends": "06:00", "on": 1}}, "has unknown keys on"),
        ({"change_window": {"begins": "22:00", "ends": "06:00", "weekdays": ["funday"]}}, "not some of mon, tue"),
        ({"change_window": {"begins": "22:00", "ends": "06:00", "time_zone": "Mars/Olympus"}}, "Mars/Olympus"),
        ({"change_window": {"begins": "25:00", "ends": "06:00"}}, "change_window is"),
        ([], "account: the overrides are [], not an object"),
    ],
)
def test_overrides_that_cannot_be_taken_are_refused_by_name_and_value(given, said):
    with pytest.raises(PolicyError) as refused:
        Policy().merge(("account", given))
    assert said in str(refused.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(PolicyError) as refused:
        Policy().merge(("organization", {"a": 1, "min_zones": 0}), ("instance", {"b": 2}))
    assert len(refused.value.problems) == 3


def test_a_policy_written_as_json_reads_back_the_same():
    window = {"begins": "22:00", "ends": "06:00", "weekdays": ["fri", "mon"], "time_zone": "Europe/Paris"}
    policy = Policy().merge(("account", {"change_window": window, "min_savings_percent": "12.50", "acting": "ask"}))
    assert Policy().merge(("receipt", as_overrides(policy))) == policy


def test_stronger_evidence_is_always_enough():
    assert Evidence.TRACE.is_enough(Evidence.ADVISOR)
    assert not Evidence.ADVISOR.is_enough(Evidence.TRACE)
