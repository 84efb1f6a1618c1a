"""Is this proposal safe, by every rule, in the order of the specification?

Each gate is a pure function of (proposal, facts). All answer, whatever the others say; an unknown never passes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from governance.domain.policy import Evidence
from pipelines.domain import savings
from pipelines.domain.layers import (
    cross_client_flag,
    on_demand_share,
    pool_share,
    safety_score,
    zone_spread,
)
from pipelines.domain.proposal import Facts, Proposal
from pipelines.domain.verdict import Outcome, Verdict, at_least, at_most, not_applicable, passes, unknown

HOUR = timedelta(hours=1)
AHEAD = timedelta(minutes=5)  # clocks of two machines; a fetch from further ahead is no fetch we know

Gate = Callable[[Proposal, Facts], Verdict]


def judge(proposal: Proposal, facts: Facts) -> tuple[Verdict, ...]:
    """Every gate's answer, in order."""
    return tuple(gate(proposal, facts) for gate in GATES)


def fresh_inventory(proposal: Proposal, facts: Facts) -> Verdict:
    limit = facts.policy.max_inventory_age_hours
    return _fresh("fresh_inventory", "the inventory", proposal.target.seen_at, limit, facts)


def fresh_prices(proposal: Proposal, facts: Facts) -> Verdict:
    limit = facts.policy.max_price_age_hours
    return _fresh("fresh_prices", "Spot prices", proposal.candidate.prices_as_of, limit, facts)


def fresh_advisor(proposal: Proposal, facts: Facts) -> Verdict:
    limit = facts.policy.max_advisor_age_hours
    return _fresh("fresh_advisor", "the Spot Advisor", proposal.candidate.advisor_as_of, limit, facts)


def fresh_on_demand(proposal: Proposal, facts: Facts) -> Verdict:
    limit = facts.policy.max_on_demand_age_hours
    return _fresh("fresh_on_demand", "On-Demand prices", facts.on_demand_as_of, limit, facts)


def fresh_score(proposal: Proposal, facts: Facts) -> Verdict:
    limit = facts.policy.max_score_age_hours
    return _fresh("fresh_score", "the score", proposal.candidate.scored_at, limit, facts)


def quarantine(proposal: Proposal, facts: Facts) -> Verdict:
    until = proposal.candidate.quarantined_until
    if until is None or until <= facts.now:
        return passes("quarantine", None, "the pool is not quarantined")
    why = f"quarantined until {until:%Y-%m-%d %H:%M} UTC: {proposal.candidate.quarantine_reason or 'no reason given'}"
    margin = (facts.now - until) / HOUR
    return Verdict("quarantine", Outcome.FAIL, until.isoformat(), facts.now.isoformat(), margin, why)


def interruption_probability(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "interruption_probability", facts.policy.max_interruption_probability
    value = proposal.candidate.interruption_probability
    if value is None or not 0 <= value <= 1:
        return unknown(gate, f"no interruption probability is known ({value})", limit=limit)
    return at_most(gate, value, limit, f"interrupted within the horizon with probability {value:.3f}; most {limit:g}")


def evidence(proposal: Proposal, facts: Facts) -> Verdict:
    gate, least = "evidence", facts.policy.min_evidence
    try:
        found = Evidence(proposal.candidate.evidence)
    except ValueError:
        return unknown(gate, f"{proposal.candidate.evidence!r} is no evidence we know", limit=least.value)
    is_enough = found is not Evidence.NONE and found.is_enough(least)  # `none` shuts the gate whatever the policy says
    detail = f"the probability rests on {found.value}; at least {least.value} is asked"
    return Verdict(gate, Outcome.PASS if is_enough else Outcome.FAIL, found.value, least.value, None, detail)


def savings_percent(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "savings_percent", facts.policy.min_savings_percent
    saved = saved_by(proposal, facts)
    if saved is None:
        return unknown(gate, _price_missing(proposal, facts), limit=float(limit))
    outcome = Outcome.PASS if saved.exact_percent >= limit else Outcome.FAIL
    detail = f"saves {saved.percent:.1f} % net of switching; at least {limit} % is asked"
    return Verdict(gate, outcome, saved.percent, float(limit), saved.percent - float(limit), detail)


def savings_per_month(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "savings_per_month", facts.policy.min_savings_usd_per_month
    saved = saved_by(proposal, facts)
    if saved is None:
        return unknown(gate, _price_missing(proposal, facts), limit=float(limit))
    usd = saved.net_usd_micro / 1_000_000
    outcome = Outcome.PASS if saved.net_usd_micro >= limit * 1_000_000 else Outcome.FAIL
    detail = f"saves ${saved.usd_per_month} in the first month net of switching; at least ${limit} is asked"
    return Verdict(gate, outcome, usd, float(limit), usd - float(limit), detail)


def cool_down(proposal: Proposal, facts: Facts) -> Verdict:
    gate, limit = "cool_down", facts.policy.cool_down_hours
    switched = proposal.target.last_switched_at
    if switched is None:
        return passes(gate, None, "it has not been switched before")
    hours = (facts.now - switched) / HOUR
    return at_least(gate, hours, limit, f"last switched {hours:.1f} h ago; rests for {limit:g} h")


def change_window(proposal: Proposal, facts: Facts) -> Verdict:
    gate, window = "change_window", facts.policy.change_window
    if window is None:
        return passes(gate, None, "changes are allowed at any time")
    if window.is_open(facts.now):
        return passes(gate, facts.now.isoformat(), f"within the change window {window}")
    opens = window.next_open(facts.now)
    why = f"outside the change window {window}; it opens {opens:%Y-%m-%d %H:%M} UTC"
    margin = (facts.now - opens) / HOUR
    return Verdict(gate, Outcome.FAIL, facts.now.isoformat(), opens.isoformat(), margin, why)


def disruption_budget(proposal: Proposal, facts: Facts) -> Verdict:
    why = "nothing is in flight: decisions are logged, and no replacement is ever begun"
    return not_applicable("disruption_budget", why)


def circuit_breaker(proposal: Proposal, facts: Facts) -> Verdict:
    return not_applicable("circuit_breaker", "nothing is acted on, so nothing can have failed in a row")


GATES: tuple[Gate, ...] = (
    fresh_inventory,
    fresh_prices,
    fresh_advisor,
    fresh_on_demand,
    fresh_score,
    quarantine,
    interruption_probability,
    evidence,
    safety_score,
    zone_spread,
    pool_share,
    on_demand_share,
    cross_client_flag,
    savings_percent,
    savings_per_month,
    cool_down,
    change_window,
    disruption_budget,
    circuit_breaker,
)


def saved_by(proposal: Proposal, facts: Facts) -> savings.Savings | None:
    """None while one of the two prices is unknown or is no price."""
    now, then = facts.on_demand_usd_micro, proposal.candidate.spot_usd_micro
    if now is None or then is None or now <= 0 or then <= 0:
        return None
    return savings.savings(now, then, facts.policy)


def _price_missing(proposal: Proposal, facts: Facts) -> str:
    if not facts.on_demand_usd_micro:
        return f"the On-Demand price of {facts.target.instance_type} in {facts.target.region} is unknown"
    return f"the Spot price of {proposal.candidate.pool} is unknown"


def _fresh(gate: str, what: str, as_of: datetime | None, limit: float, facts: Facts) -> Verdict:
    """Age in hours against its limit; data from the future is not known data."""
    if as_of is None:
        return unknown(gate, f"{what}: never fetched whole", limit=limit)
    if as_of - facts.now > AHEAD:
        return unknown(gate, f"{what}: dated {as_of.isoformat()}, which is still to come", limit=limit)
    age = max(facts.now - as_of, timedelta(0)) / HOUR
    return at_most(gate, age, limit, f"{what}: {age:.2f} h old; at most {limit:g} h")
