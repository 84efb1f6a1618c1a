"""Who hears which jobs, and what of them?"""

import json

import pytest

from accounts import feed
from accounts.authentication import member
from accounts.feed import Kind
from accounts.live.views import Refused
from governance import health, monitoring
from governance.consumers import audit_part, log_part
from governance.models import ComponentRun
from tests.factories import a_person, alice, an_account, an_instance, northwind, southwind

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs():
    """Jobs of the market, of Alice's account and instance, of a stranger's, and of nobody one may know."""
    hers = an_account(northwind(), name="hers", regions=["us-east-1"])
    theirs = an_account(southwind(), name="theirs", regions=["us-east-1", "eu-west-3"])
    done = [
        ("price scraper", "refresh_spot", "us-east-1"),
        ("price scraper", "refresh_spot", "eu-west-3"),
        ("price scraper", "refresh_zones", f"us-east-1 {hers.pk}"),
        ("price scraper", "refresh_zones", f"us-east-1 {theirs.pk}"),
        ("inventory", "sync_account", str(hers.pk)),
        ("inventory", "sync_account", str(theirs.pk)),
        ("linear pipeline", "evaluate_instance", f"instance {an_instance(hers, name='web').pk}"),
        ("linear pipeline", "evaluate_instance", f"instance {an_instance(theirs, name='stranger').pk}"),
        ("inventory", "sync_as_asked", "7"),
        ("price scraper", "keep_prices", ""),
    ]
    for component, task, subject in done:
        with health.run(component, task, subject) as report:
            report.detail = f"said of {subject}"
            report.is_success = task != "sync_account"
    return feed.after(None, 0, most=100)


def heard(view, rows):
    frame = view.frame(rows, rows[-1].number)
    return [item for item in json.loads(frame)["items"] if item["ended_at"]] if frame else []


def seen_by(caller, rows, **asked):
    from governance.consumers import Logs

    return heard(Logs().view(caller, asked), rows)


@pytest.mark.parametrize("who", ["alice", "staff"])
def test_the_feed_shows_of_jobs_what_the_list_shows(jobs, who):
    caller = member(alice() if who == "alice" else a_person("root", organization=northwind(), is_staff=True), None)
    caller = member(caller.user, caller.user.memberships.get())
    listed = [
        (line.run.pk, line.subject, line.detail)
        for line in monitoring.lines(monitoring.visible(caller).order_by("pk"), caller)
    ]
    told = [(item["id"], item["subject"], item["detail"]) for item in seen_by(caller, jobs)]
    assert told == listed
    assert (len(told) == ComponentRun.objects.count()) is (who == "staff")
    assert who == "staff" or not any("stranger" in str(row) or "theirs" in str(row) for row in told)


def test_jobs_are_filtered_as_on_the_page(jobs):
    caller = member(alice(), alice().memberships.get())
    assert {row["component"] for row in seen_by(caller, jobs, component="inventory")} == {"inventory"}
    (bad,) = seen_by(caller, jobs, ended="badly")
    assert (bad["task"], bad["subject"]) == ("sync_account", "hers")
    for wrong in ({"component": "nothing"}, {"ended": "well"}):
        with pytest.raises(Refused):
            seen_by(caller, jobs, **wrong)


def test_parts_of_pages_are_fragments_that_begin_with_their_rows(jobs):
    """A parser drops a tbody that comes after anything else."""
    caller = member(alice(), alice().memberships.get())
    frame = log_part(caller, {}).frame(jobs, jobs[-1].number)
    assert frame.startswith('<tbody hx-swap-oob="afterbegin:#log-rows"><tr id="job-')
    assert f'id="last-log" value="{jobs[-1].number}"' in frame
    feed.tell(northwind().pk, Kind.AUDIT, _entry("policy.changed", "<script>"))
    rows = feed.after(northwind().pk, 0, most=9)
    frame = audit_part(caller, {}).frame(rows, rows[-1].number)
    assert frame.startswith('<tbody hx-swap-oob="afterbegin:#entry-rows"><tr id="entry-3">')
    assert "&lt;script&gt;" in frame
    assert audit_part(caller, {"deed": "key"}).frame(rows, 1) is None
    assert audit_part(caller, {"since": "2030-01-01"}).frame(rows, 1) is None


def _entry(deed, reason):
    plain = {"actor": "alice", "subject": "policy/3", "before": None, "after": None, "request_id": ""}
    return {"id": 3, "at": "2026-11-18T12:00:00+00:00", "deed": deed, "reason": reason, **plain}
