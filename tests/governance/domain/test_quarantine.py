"""Is a quarantine extended by further events, and never shortened?"""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from governance.domain.policy import Policy
from governance.domain.quarantine import Cause, end, length

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


def test_an_interruption_closes_a_pool_longer_than_a_rebalance_recommendation():
    assert length(Cause.INTERRUPTION, Policy()) == timedelta(days=15)
    assert length(Cause.REBALANCE, Policy()) == timedelta(days=1)


def test_the_same_events_in_any_order_end_at_the_same_time():
    events = [
        (NOW, timedelta(days=15)),
        (NOW + timedelta(days=3), timedelta(days=1)),
        (NOW - timedelta(days=2), timedelta(days=15)),
    ]
    found = set()
    for order in permutations(events):
        until = None
        for at, lasting in order:
            until = end(at, lasting, existing=until)
        found.add(until)
    assert found == {NOW + timedelta(days=15)}
