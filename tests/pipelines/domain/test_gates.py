"""Does each gate hold at its limit, and fail one step beyond it?"""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.domain.policy import Policy
from pipelines.domain import gates, layers
from pipelines.domain.proposal import Proposal
from pipelines.domain.savings import dearest_spot, savings
from pipelines.domain.verdict import Outcome
from tests.pipelines.domain.cases import NOW, a_candidate, a_fleet, some_facts


def judged(gate, *, candidate=None, **fields):
    facts = some_facts(**fields)
    return gate(Proposal(facts.target, a_candidate(**(candidate or {}))), facts)


@pytest.mark.parametrize(
    "gate, field, hours",
    [
        (gates.fresh_prices, "prices_as_of", 2),
        (gates.fresh_advisor, "advisor_as_of", 26),
        (gates.fresh_score, "scored_at", 2),
    ],
)
def test_data_is_fresh_up_to_its_limit(gate, field, hours):
    at_limit = judged(gate, candidate={field: NOW - timedelta(hours=hours)})
    assert (at_limit.outcome, at_limit.value, at_limit.margin) == (Outcome.PASS, hours, 0)
    beyond = judged(gate, candidate={field: NOW - timedelta(hours=hours, seconds=36)})
    assert beyond.outcome is Outcome.FAIL
    assert beyond.margin == pytest.approx(-0.01)
    assert judged(gate, candidate={field: None}).outcome is Outcome.UNKNOWN


def test_the_inventory_and_on_demand_prices_grow_old_too():
    assert judged(gates.fresh_inventory, target={"seen_at": NOW - timedelta(hours=3)}).outcome is Outcome.FAIL
    assert judged(gates.fresh_on_demand, on_demand_as_of=NOW - timedelta(hours=51)).outcome is Outcome.FAIL
    assert judged(gates.fresh_on_demand, on_demand_as_of=None).outcome is Outcome.UNKNOWN


def test_data_from_the_future_is_not_known_but_for_a_clock_that_is_a_little_ahead():
    assert judged(gates.fresh_prices, candidate={"prices_as_of": NOW + timedelta(minutes=5)}).value == 0
    ahead = judged(gates.fresh_prices, candidate={"prices_as_of": NOW + timedelta(minutes=5, seconds=1)})
    assert ahead.outcome is Outcome.UNKNOWN


def test_probability_and_safety_hold_at_their_limits():
    probability, safety = gates.interruption_probability, layers.safety_score
    assert judged(probability, candidate={"interruption_probability": 0.2}).outcome is Outcome.PASS
    above = {"interruption_probability": math.nextafter(0.2, 1)}
    assert judged(probability, candidate=above).outcome is Outcome.FAIL
    assert judged(safety, candidate={"safety_score": 0.75}).outcome is Outcome.PASS
    assert judged(safety, candidate={"safety_score": math.nextafter(0.75, 0)}).outcome is Outcome.FAIL


def test_a_quarantine_ends_at_its_end():
    assert judged(gates.quarantine, candidate={"quarantined_until": NOW}).outcome is Outcome.PASS
    later = NOW + timedelta(seconds=1)
    assert judged(gates.quarantine, candidate={"quarantined_until": later}).outcome is Outcome.FAIL


def test_the_policy_says_how_strong_the_evidence_must_be():
    assert judged(gates.evidence, candidate={"evidence": "advisor"}).outcome is Outcome.PASS
    strict = judged(gates.evidence, candidate={"evidence": "advisor"}, policy={"min_evidence": "trace"})
    assert (strict.outcome, strict.value, strict.limit) == (Outcome.FAIL, "advisor", "trace")


def test_it_rests_after_a_switch_for_as_long_as_the_policy_says():
    assert judged(gates.cool_down, target={"last_switched_at": NOW - timedelta(hours=12)}).outcome is Outcome.PASS
    resting = judged(gates.cool_down, target={"last_switched_at": NOW - timedelta(hours=11)})
    assert (resting.outcome, resting.margin) == (Outcome.FAIL, -1)


def test_outside_the_change_window_it_says_when_the_window_opens():
    window = {"begins": "22:00", "ends": "23:00"}
    shut = judged(gates.change_window, policy={"change_window": window})
    assert (shut.outcome, shut.margin) == (Outcome.FAIL, -10)
    assert "it opens 2026-11-18 22:00 UTC" in shut.detail


@pytest.mark.parametrize("gate", [gates.disruption_budget, gates.circuit_breaker, layers.cross_client_flag])
def test_what_needs_acting_or_events_says_why_it_does_not_apply(gate):
    verdict = judged(gate)
    assert verdict.outcome is Outcome.NOT_APPLICABLE
    assert verdict.detail


def test_a_small_fleet_has_no_shares():
    fleet = a_fleet(size=4, n_on_demand=4, members_by_zone={"use1-az1": 4})
    for gate in (layers.zone_spread, layers.pool_share, layers.on_demand_share):
        verdict = judged(gate, fleet=fleet)
        assert verdict.outcome is Outcome.NOT_APPLICABLE
        assert "4 members" in verdict.detail


def test_the_zones_are_counted_after_the_move():
    leaving = a_fleet(size=5, members_by_zone={"use1-az1": 1, "use1-az2": 3, "use1-az3": 1})
    assert judged(layers.zone_spread, fleet=leaving).value == 2
    assert judged(layers.zone_spread, fleet=leaving, candidate={"zone_id": "use1-az1"}).outcome is Outcome.PASS
    arriving = a_fleet(size=5, members_by_zone={"use1-az1": 3, "use1-az3": 2})
    assert judged(layers.zone_spread, fleet=arriving).outcome is Outcome.PASS


def test_a_zone_nobody_can_name_is_no_zone_and_may_be_any_pool():
    fleet = a_fleet(size=5, members_by_zone={"": 2, "use1-az1": 2, "use1-az2": 1})
    assert judged(layers.zone_spread, fleet=fleet).value == 2
    spot = a_fleet(size=10, spot_members_by_pool={"m5.large in use1-az2": 1, "m5.large in ": 1})
    assert judged(layers.pool_share, fleet=spot).outcome is Outcome.FAIL


def test_a_pool_takes_its_share_of_the_fleet_and_no_more():
    fleet = a_fleet(size=10, spot_members_by_pool={"m5.large in use1-az2": 1})
    assert judged(layers.pool_share, fleet=fleet).outcome is Outcome.PASS
    full = a_fleet(size=10, spot_members_by_pool={"m5.large in use1-az2": 2})
    assert judged(layers.pool_share, fleet=full).outcome is Outcome.FAIL


def test_enough_of_the_fleet_stays_on_demand():
    assert judged(layers.on_demand_share, fleet=a_fleet(size=20, n_on_demand=4)).outcome is Outcome.PASS
    last = judged(layers.on_demand_share, fleet=a_fleet(size=20, n_on_demand=3))
    assert (last.outcome, last.value) == (Outcome.FAIL, 0.1)


prices = st.integers(1, 50_000_000)
policies = st.builds(
    lambda percent, usd, overlap: Policy().merge(
        ("test", {"min_savings_percent": percent, "min_savings_usd_per_month": usd, "overlap_hours": overlap})
    ),
    st.decimals(0, 100, places=3).map(str),
    st.decimals(0, 100, places=2).map(str),
    st.decimals(0, 72, places=2).map(str),
)


@given(prices, policies)
def test_the_dearest_price_that_saves_enough_is_exact_to_the_micro_dollar(on_demand, policy):
    dearest = dearest_spot(on_demand, policy)

    def is_enough(spot):
        saved = savings(on_demand, spot, policy)
        is_much = saved.net_usd_micro >= policy.min_savings_usd_per_month * 1_000_000
        return saved.exact_percent >= policy.min_savings_percent and is_much

    if dearest >= 1:
        assert is_enough(dearest)
    assert not is_enough(max(dearest, 0) + 1)


def test_savings_are_net_of_an_hour_in_which_both_machines_run():
    saved = savings(100_000, 40_000, Policy())
    assert (saved.gross_usd_micro, saved.switch_usd_micro, saved.net_usd_micro) == (43_800_000, 100_000, 43_700_000)
    with pytest.raises(ValueError, match="not both prices"):
        savings(0, 1, Policy())
