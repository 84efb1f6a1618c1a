"""When nothing may be changed any more, and by whose word it may again."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry
from pipelines.actuator import breaker
from tests.factories import NOW, an_account

pytestmark = pytest.mark.django_db


def fail(account, times):
    for number in range(times):
        breaker.note_failure(account, limit=3, reason=f"failure {number + 1}", now=NOW)


def test_nobody_has_said_stop():
    breaker.check(an_account().pk)


def test_the_breaker_trips_at_the_third_failure_in_a_row_and_stays_so_until_a_person_resets_it():
    account, other = an_account(), an_account()
    fail(account, 2)
    breaker.check(account.pk)
    fail(account, 1)
    with pytest.raises(breaker.Halted, match="after 3 failures in a row"):
        breaker.check(account.pk)
    breaker.check(other.pk)
    breaker.note_success(account, now=NOW)
    with pytest.raises(breaker.Halted):
        breaker.check(account.pk)
    breaker.reset(account, by="alice", reason="the subnet was full", now=NOW)
    breaker.check(account.pk)
    deeds = list(AuditEntry.objects.order_by("pk").values_list("deed", "organization_id"))
    assert deeds == [(deed, account.organization_id) for deed in ("breaker.tripped", "breaker.reset")]


def test_a_success_in_between_begins_the_count_anew():
    account = an_account()
    fail(account, 2)
    breaker.note_success(account, now=NOW)
    fail(account, 2)
    breaker.check(account.pk)


def test_a_kill_switch_stops_its_account_and_the_global_one_all():
    account, other = an_account(), an_account()
    breaker.kill(account, by="alice", reason="release day", now=NOW)
    with pytest.raises(breaker.Halted, match=r"in this account is on: release day \(alice\)"):
        breaker.check(account.pk)
    breaker.check(other.pk)
    breaker.kill(None, by="root", reason="an outage", now=NOW)
    with pytest.raises(breaker.Halted, match="in every account"):
        breaker.check(other.pk)


def test_taking_the_kill_switch_back_does_not_close_a_breaker_that_tripped():
    account = an_account()
    fail(account, 3)
    breaker.kill(account, by="alice", reason="wait", now=NOW)
    breaker.revive(account, by="alice", reason="go on", now=NOW)
    with pytest.raises(breaker.Halted, match="the breaker has tripped"):
        breaker.check(account.pk)
