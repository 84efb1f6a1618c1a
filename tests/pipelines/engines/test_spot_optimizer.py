"""The spot optimizer ranks, spreads, and never lets an unknown through."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.domain.policy import Policy
from instances.domain.pool import Product
from instances.domain.snapshot import EVIDENCE, Market
from mlregistry import predicting
from pipelines.engines.contract import Case
from pipelines.engines.spot_optimizer import ENGINE
from pipelines.engines.spot_request import Constraints, Running, State, Workload

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_market(rows, *, region="eu-west-3", prices_as_of=NOW, on_demand_at=None):
    """rows: (type, zone, vcpus, gib, spot, on demand, safety, probability, evidence)"""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 9
    floats = [np.array([np.nan if v is None else v for v in c], dtype=float) for c in columns[2:8]]
    n = len(rows)
    return Market(
        region=region,
        product=Product.LINUX,
        version="1",
        instance_types=np.array(columns[0], dtype=str),
        zone_ids=np.array(columns[1], dtype=str),
        vcpus=floats[0],
        memory_gib=floats[1],
        gpu_count=np.zeros(n),
        is_x86=np.ones(n, dtype=bool),
        is_arm=np.zeros(n, dtype=bool),
        is_bare_metal=np.zeros(n, dtype=bool),
        usd_per_hour=floats[2],
        on_demand_usd_per_hour=floats[3],
        on_demand_at=np.full(n, (on_demand_at or NOW).timestamp()),
        safety=floats[4],
        probability=floats[5],
        confidence=np.full(n, 0.9),
        evidence=np.array([EVIDENCE.index(e) for e in columns[8]], dtype=np.int8),
        scored_at=prices_as_of,
        prices_as_of=prices_as_of,
        advisor_as_of=prices_as_of,
        on_demand_as_of=prices_as_of,
        horizon_seconds=3600,
    )


def pool(name="c5.large", zone="euw3-az1", *, spot=0.04, listed=0.1, safety=0.9, p=0.01, evidence="advisor", vcpus=2):
    return (name, zone, vcpus, 4, spot, listed, safety, p, evidence)


def asked(market, *workloads, state=None, closed=frozenset(), **limits):
    case = Case(NOW, state or State(), workloads, Constraints(**limits), {market.region: market}, closed)
    return ENGINE.decide(case, ENGINE.config)


def needs(count=1, **more):
    return Workload(region="eu-west-3", vcpus=2, memory_gib=4, name="web", count=count, **more)


def test_the_cheaper_of_two_equally_safe_pools_comes_first():
    market = a_market([pool(spot=0.05), pool("m5.large", spot=0.03)])
    top = asked(market, needs()).recommendations[0]["top_pools"]
    assert [p["instance_type"] for p in top] == ["m5.large", "c5.large"]


def test_a_far_too_large_machine_at_a_great_discount_is_no_saving():
    market = a_market([pool(), pool("c5.24xlarge", spot=0.4, listed=4.0, vcpus=96)])
    answer = asked(market, needs()).recommendations[0]
    assert [p["instance_type"] for p in answer["top_pools"]] == ["c5.large"]
    assert answer["refused"]["savings"] == 1


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"safety": None}, "unknown"),
        ({"p": None}, "unknown"),
        ({"spot": None}, "unknown"),
        ({"p": 0.3}, "interruption_probability"),
        ({"safety": 0.7}, "safety_score"),
        ({"evidence": "none"}, "evidence"),
        ({"spot": 0.09}, "savings"),
    ],
)
def test_a_pool_outside_a_limit_is_left_out_and_counted(change, gate):
    answer = asked(a_market([pool(**change)]), needs()).recommendations[0]
    assert answer["top_pools"] == []
    assert answer["refused"][gate] == 1
    assert answer["on_demand"]["count"] == 1


def test_a_quarantined_pool_is_left_out():
    answer = asked(a_market([pool()]), needs(), closed=frozenset({("c5.large", "euw3-az1")}))
    assert answer.recommendations[0]["refused"]["quarantine"] == 1
    assert answer.recommendations[0]["top_pools"] == []


def test_old_prices_leave_everything_on_demand_and_say_so():
    answer = asked(a_market([pool()], prices_as_of=NOW - timedelta(hours=3)), needs())
    assert answer.recommendations[0]["top_pools"] == []
    assert any("3.0 h old" in warning for warning in answer.warnings)


@pytest.mark.parametrize(("age", "saved"), [(49, "51.10"), (51, None)])
def test_savings_against_list_prices_older_than_their_limit_are_unknown(age, saved):
    market = a_market([pool(spot=0.03)], on_demand_at=NOW - timedelta(hours=age))
    answer = asked(market, needs())
    assert answer.recommendations[0]["monthly_savings"] == saved
    assert answer.estimated_savings == (saved and Decimal(saved))
    assert bool(answer.recommendations[0]["top_pools"]) is bool(saved)


def test_an_empty_market_answers_with_a_warning_and_no_figure():
    answer = asked(a_market([]), needs())
    assert answer.estimated_savings is None
    assert answer.confidence_score is None
    assert answer.execution_plan == ()


def test_savings_are_counted_against_what_runs_today():
    state = State(instances=(Running("m5.large", "eu-west-3", 2, "web"),))
    market = a_market([pool(spot=0.05, listed=0.1), pool("m5.large", "euw3-az2", spot=0.2, listed=0.3)])
    answer = asked(market, needs(2), state=state)
    assert answer.estimated_savings == Decimal("0.3") * 730 * 2 - Decimal("0.05") * 730 * 2


def test_an_unknown_list_price_of_a_pool_is_null_and_no_figure():
    market = a_market([pool(), pool("m5.large", spot=0.03, listed=None)])
    first, second = asked(market, needs()).recommendations[0]["top_pools"]
    assert (first["instance_type"], first["on_demand_price"], first["monthly_savings"]) == ("m5.large", None, None)
    assert second["on_demand_price"] == "0.100000"


def test_where_nothing_is_said_to_run_no_current_bill_is_made_up():
    answer = asked(a_market([pool()]), needs(2)).recommendations[0]
    assert (answer["current_instance_type"], answer["current_monthly_cost"]) == (None, None)
    assert (answer["compared_with"], answer["compared_monthly_cost"]) == ("cheapest_on_demand", "146.00")


def test_what_runs_at_an_unknown_price_is_named_and_saves_an_unknown_amount():
    state = State(instances=(Running("x9.huge", "eu-west-3", 2, "web"),))
    answer = asked(a_market([pool()]), needs(2), state=state)
    assert answer.recommendations[0]["current_instance_type"] == "x9.huge"
    assert answer.recommendations[0]["current_monthly_cost"] is None
    assert answer.estimated_savings is None


@pytest.mark.parametrize(
    "running", [Running("c5.large", "eu-west-3", 2, "wbe"), Running("c5.large", "eu-west-1", 2, "web")]
)
def test_what_runs_and_belongs_to_no_requirement_is_said_and_not_dropped_in_silence(running):
    answer = asked(a_market([pool()]), needs(2), state=State(instances=(running,)))
    assert any("no requirement has that name and region" in warning for warning in answer.warnings)


def test_limits_nobody_names_are_those_of_the_policy():
    policy, limits = Policy(), Constraints()
    assert limits.max_interruption_probability == policy.max_interruption_probability == predicting.MOST_PROBABLE
    assert limits.min_safety_score == policy.min_safety_score == predicting.LEAST_SAFE
    assert limits.min_savings == pytest.approx(float(policy.min_savings_percent) / 100)
    assert limits.max_price_age_seconds == policy.max_price_age_hours * 3600
    assert limits.max_score_age_seconds == policy.max_score_age_hours * 3600
    assert limits.max_advisor_age_seconds == policy.max_advisor_age_hours * 3600
    assert limits.max_on_demand_age_seconds == policy.max_on_demand_age_hours * 3600
    assert limits.min_evidence == policy.min_evidence
    assert limits.min_zones == policy.min_zones
    assert limits.max_share_in_one_pool == policy.max_pool_share
    assert limits.min_on_demand_share == policy.min_on_demand_share


@given(
    count=st.integers(1, 60),
    pools=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 30)), min_size=0, max_size=12, unique=True),
)
def test_the_allocation_adds_up_and_keeps_every_layer(count, pools):
    market = a_market([pool(f"c5.{n}xlarge", f"euw3-az{z}", spot=0.01 + n / 1000) for z, n in pools])
    answer = asked(market, needs(count)).recommendations[0]
    spot = sum(a["count"] for a in answer["allocation"])
    on_demand = answer["on_demand"]["count"] if answer["on_demand"] else count - spot
    assert spot + on_demand == count
    if count >= 5:
        assert all(a["count"] <= count * 0.20 for a in answer["allocation"])
        assert on_demand >= count * 0.15


@given(st.permutations([pool(f"c5.{n}xlarge", spot=0.01 + n % 3 / 100) for n in range(6)]))
def test_the_order_of_rows_changes_nothing(rows):
    first = asked(a_market(sorted(rows)), needs(6))
    assert asked(a_market(rows), needs(6)) == first
