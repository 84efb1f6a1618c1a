"""Who reads which audit entries, on the page, as a sheet and by the API, and what is said of their chain?"""

import csv
import io
import re

import pytest
from django.utils import timezone

from accounts import audit, sealing
from accounts.domain import Scope
from accounts.models import AuditSeal
from governance import audit_log
from tests.factories import (
    a_browser,
    a_person,
    a_program,
    alice,
    bob,
    charlie,
    northwind,
    southwind,
)

pytestmark = pytest.mark.django_db
PAGE, SHEET, CHECK = "/audit/", "/audit/?format=csv", "/audit/check/"
LOG, VERIFY = "/api/v1/governance/audit-log", "/api/v1/governance/audit-log/verify"
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=')
PART = {"HX-Request": "true"}


def an_entry(deed="policy.changed", subject="optimization-policy/3", organization=None, actor="alice", **fields):
    return audit.record(actor, deed, subject, organization=organization or northwind(), **fields)


def text(answer):
    assert answer.status_code == 200
    return answer.getvalue().decode()


# --- The page ------------------------------------------------------------------------------------------------------
def test_a_viewer_reads_the_entries_of_their_organization():
    an_entry(before={"min": 1}, after={"min": 2}, reason="because")
    page = text(a_browser(bob()).get(PAGE))
    for word in ("policy.changed", "optimization-policy/3", "alice", "because", "not yet", "aria-current"):
        assert word in page
    sealing.seal()
    assert "not yet" not in text(a_browser(bob()).get(PAGE))


def test_a_stranger_reads_none_of_them_and_nobody_reads_the_platforms():
    an_entry("secret.deed")
    audit.record("command", "platform.deed", "x/1")
    for person in (charlie(), alice()):
        for address in (PAGE, SHEET, f"{PAGE}?of=platform", f"{SHEET}&of=platform"):
            found = text(a_browser(person).get(address))
            assert "platform.deed" not in found
            assert ("secret.deed" in found) == (person == alice())


def test_staff_ask_for_the_platforms_entries():
    audit.record("command", "platform.deed", "x/1")
    browser = a_browser(a_person("root", organization=northwind(), is_staff=True))
    assert "platform.deed" not in text(browser.get(PAGE))
    assert "platform.deed" in text(browser.get(f"{PAGE}?of=platform"))
    assert "of the platform" in text(browser.get(f"{CHECK}?of=platform"))


def test_staff_without_an_organization_read_the_platforms_entries_and_no_others():
    an_entry("secret.deed")
    audit.record("command", "platform.deed", "x/1")
    browser = a_browser(a_person("root", is_staff=True))
    for address in (PAGE, SHEET):
        found = text(browser.get(address))
        assert "platform.deed" in found
        assert "secret.deed" not in found
    assert "of the platform" in text(browser.get(CHECK))
    assert a_browser(a_person("nobody")).get(PAGE).status_code == 403


@pytest.mark.parametrize(
    "query, count",
    [
        ("deed=policy", 1),
        ("actor=BEAT", 1),
        ("subject=instance/4", 1),
        ("since=2001-01-01", 2),
        ("until=2001-01-01 10:00", 0),
        ("deed=policy&actor=beat", 0),
        ("sort=deed", 2),
    ],
)
def test_entries_are_filtered(query, count):
    an_entry()
    an_entry("instance.evaluated", "instance/41", actor="beat")
    page = text(a_browser(alice()).get(f"{PAGE}?{query}"))
    assert page.count('data-label="Deed"') == count
    assert count or "No entry matches" in page


def test_an_address_that_says_nonsense_shows_what_is_wrong_and_everything():
    an_entry()
    page = text(a_browser(alice()).get(f"{PAGE}?since=never&sort=weight&page=zero"))
    assert "Enter a valid date/time" in page
    assert "policy.changed" in page


def test_an_empty_log_says_where_entries_come_from():
    assert "Nothing has been done yet" in text(a_browser(alice()).get(PAGE))


def test_htmx_gets_the_rows_alone():
    an_entry()
    assert text(a_browser(alice()).get(PAGE, headers=PART)).lstrip().startswith('<div id="entries"')


@pytest.mark.parametrize("count", [3, 60])
def test_many_entries_take_as_many_queries_as_few(count, django_assert_max_num_queries):
    for _ in range(count):
        an_entry()
    browser = a_browser(alice())
    with django_assert_max_num_queries(7):
        assert f"{min(count, 50)} entries on this page" in text(browser.get(PAGE))


def test_one_goes_down_the_log_and_up_again():
    for n in range(60):
        an_entry(f"deed.{n:02}")
    browser = a_browser(alice())
    first = text(browser.get(PAGE))
    assert "deed.59" in first
    assert "deed.09" not in first
    second = text(browser.get(PAGE + link(first, "next")))
    assert "deed.09" in second
    assert "deed.10" not in second
    assert 'rel="next"' not in second
    again = text(browser.get(PAGE + link(second, "prev")))
    assert deeds(again) == deeds(first)
    assert 'rel="prev"' not in again


def link(page, rel):
    return re.search(rf'rel="{rel}" href="([^"]+)"', page)[1].replace("&amp;", "&")


def deeds(page):
    return re.findall(r"deed\.\d\d", page)


def test_what_people_wrote_is_text_and_no_page_has_anything_inline():
    evil = "<script>alert(1)</script>"
    an_entry(evil, evil, actor=evil, reason=evil, after={evil: evil})
    for address in (PAGE, CHECK):
        page = text(a_browser(alice()).get(address))
        assert evil not in page
        assert not EXTERNAL.findall(page)


def test_a_sheet_has_the_same_entries_and_no_formula():
    an_entry("=1+1", "+cmd", reason="@SUM(A1)", after={"x": 1})
    an_entry("other.deed")
    answer = a_browser(bob()).get(f"{SHEET}&deed=1%2B1")
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    [row] = csv.DictReader(io.StringIO(text(answer)))
    assert (row["deed"], row["subject"], row["reason"]) == ("'=1+1", "'+cmd", "'@SUM(A1)")


# --- The check -----------------------------------------------------------------------------------------------------
def test_the_check_says_its_verdict_in_words():
    browser = a_browser(bob())
    assert "Nothing is sealed yet." in text(browser.get(CHECK, headers=PART))
    an_entry()
    assert "1 entry not sealed yet, the oldest for 0 s." in text(browser.get(CHECK))
    sealing.seal()
    page = text(browser.get(CHECK))
    assert "Intact: 1 entry as written, none missing, none moved, none cut off the end." in page
    assert AuditSeal.objects.get().seal in page


def test_a_broken_chain_is_named_with_what_to_do(settings):
    an_entry()
    an_entry()
    sealing.seal()
    settings.AUDIT_KEY = "another"
    page = text(a_browser(bob()).get(CHECK))
    assert "The log was changed after it was written: 2 places do not fit." in page
    assert "Seal 1: the entry, its seal or its place in the chain was changed." in page
    assert "notice-bad" in page


def test_without_a_head_to_compare_with_the_verdict_says_less():
    an_entry()
    sealing.seal()
    found = sealing.Verdict(1, None, (), 0, 0, None, is_anchored=False)
    assert "is not known" in audit_log.in_words(found, now=timezone.now())


# --- The API -------------------------------------------------------------------------------------------------------
def test_the_api_lists_filters_and_pages():
    for n in range(3):
        an_entry(f"deed.{n}")
    sealing.seal()
    program = a_program(northwind(), Scope.READ)
    body = program.get(LOG, {"limit": 2}).json()
    assert (body["count"], [row["deed"] for row in body["results"]]) == (3, ["deed.2", "deed.1"])
    assert [row["sequence"] for row in body["results"]] == [3, 2]
    assert program.get(LOG, {"deed": "deed.0"}).json()["count"] == 1
    assert program.get(LOG, {"until": "2001-01-01T00:00:00Z"}).json()["count"] == 0
    assert program.get(LOG, {"deeed": "x"}).status_code == 422


def test_an_entry_without_a_seal_has_no_place():
    an_entry()
    assert a_program(northwind(), Scope.READ).get(LOG).json()["results"][0]["sequence"] is None


def test_each_key_reads_its_own_and_the_platforms_key_reads_the_platforms():
    an_entry("ours.deed")
    audit.record("command", "platform.deed", "x/1")
    read = {
        "ours": a_program(northwind(), Scope.READ).get(LOG).json(),
        "theirs": a_program(southwind(), Scope.READ).get(LOG).json(),
        "platform": a_program(None, Scope.READ).get(LOG).json(),
        "named": a_program(None, Scope.READ).get(LOG, {"customer_id": str(northwind().pk)}).json(),
    }
    deeds = {who: [row["deed"] for row in body["results"]] for who, body in read.items()}
    assert deeds == {"ours": ["ours.deed"], "theirs": [], "platform": ["platform.deed"], "named": ["ours.deed"]}


def test_verify_compares_with_a_head_written_down():
    an_entry()
    sealing.seal()
    program = a_program(northwind(), Scope.READ)
    body = program.get(VERIFY).json()
    assert (body["is_intact"], body["sealed"], body["unsealed"], body["is_anchored"]) == (True, 1, 0, True)
    assert program.get(VERIFY, body["head"]).json()["is_intact"]
    lost = program.get(VERIFY, {"sequence": 9, "seal": "0" * 64}).json()
    assert not lost["is_intact"]
    assert lost["faults"] == [{"sequence": 9, "what": "the chain is cut off: it ends at 1, and was known to reach 9"}]
    assert a_program(southwind(), Scope.READ).get(VERIFY).json()["sealed"] == 0


@pytest.mark.parametrize("given", [{"sequence": 1}, {"seal": "0" * 64}, {"sequence": 0, "seal": "x"}, {"head": 1}])
def test_verify_refuses_half_a_head(given):
    assert a_program(northwind(), Scope.READ).get(VERIFY, given).status_code == 422


def test_a_key_that_may_not_read_reads_no_audit():
    assert a_program(northwind(), Scope.PREDICT).get(LOG).status_code == 403
