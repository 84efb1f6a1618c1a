"""Is a pool closed until its end, extended and never shortened, and is who did it kept?"""

from datetime import timedelta

import pytest

from accounts.models import AuditEntry
from governance import risk_manager
from governance.domain.policy import Policy
from governance.domain.quarantine import Cause
from governance.models import Quarantine
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def closed(
    instance_type="m5.large", zone_id="use1-az1", *, cause=Cause.INTERRUPTION, event_at=NOW, reason="interrupted"
):
    return risk_manager.quarantine(
        instance_type, zone_id, cause=cause, event_at=event_at, policy=Policy(), by="tests", reason=reason
    )


def test_a_pool_is_poisoned_from_its_event_until_its_end():
    closed()
    assert risk_manager.is_pool_poisoned("m5.large", "use1-az1", NOW)
    assert risk_manager.is_pool_poisoned("m5.large", "use1-az1", NOW + timedelta(days=15) - timedelta(seconds=1))
    assert not risk_manager.is_pool_poisoned("m5.large", "use1-az1", NOW + timedelta(days=15))
    assert not risk_manager.is_pool_poisoned("m5.large", "use1-az2", NOW)


def test_a_later_weaker_event_does_not_shorten_it():
    closed()
    row = closed(cause=Cause.REBALANCE, event_at=NOW + timedelta(days=1))
    assert row.expires_at == NOW + timedelta(days=15)
    assert Quarantine.objects.count() == 1


def test_a_further_interruption_extends_it():
    closed()
    assert closed(event_at=NOW + timedelta(days=2)).expires_at == NOW + timedelta(days=17)


def test_many_pools_are_asked_for_in_one_query_and_exactly(django_assert_num_queries):
    closed("m5.large", "use1-az1")
    closed("c5.large", "use1-az2")
    with django_assert_num_queries(1):
        found = risk_manager.poisoned(
            [("m5.large", "use1-az1"), ("m5.large", "use1-az2"), ("c5.large", "use1-az3")], NOW
        )
    assert set(found) == {("m5.large", "use1-az1")}


def test_what_is_no_pool_is_refused():
    with pytest.raises(ValueError, match="'us-east-1a' is no pool"):
        closed(zone_id="us-east-1a")


def test_a_release_opens_it_at_once_and_is_remembered():
    row = closed()
    risk_manager.release(row, by="admin alice", now=NOW, reason="a false alarm")
    assert not risk_manager.is_pool_poisoned("m5.large", "use1-az1", NOW)
    risk_manager.release(row, by="admin alice", now=NOW, reason="again")  # already open
    assert list(AuditEntry.objects.order_by("id").values_list("deed", "actor", "reason")) == [
        ("pool.quarantined", "tests", "interrupted"),
        ("pool.released", "admin alice", "a false alarm"),
    ]
