"""A person watches the audit log, a run and the log of jobs by a socket; without one the page says so, and asks."""

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts import audit
from governance import health
from pipelines import linear
from pipelines.models import PipelineRun
from tests.factories import a_browser, alice, an_account, northwind
from tests.pipelines.worlds import a_plain_instance, a_scored_market

PICTURES = Path(__file__).parents[2] / "test-results"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture(params=[("light", 1280, 900), ("dark", 390, 844)], ids=["light-wide", "dark-phone"])
def page(request, browser, live_server):
    scheme, width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=live_server.url
    )
    context.set_default_timeout(30_000)
    session = a_browser(alice()).cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    opened = context.new_page()
    opened.trouble = []
    opened.on("pageerror", lambda error: opened.trouble.append(str(error)))
    opened.on("console", lambda said: opened.trouble.append(said.text) if said.type == "error" else None)
    opened.look = lambda name: _look(opened, f"live-{name}-{scheme}-{width}.png")
    yield opened
    context.close()


def _look(page, name):
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / name, full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name}: the page is {wide} pixels wider than the window"


def record(deed, subject="policy/3", **told):
    audit.record("beat", deed, subject, organization=northwind(), **told)


def watch(page, address):
    """Open a page and wait for its socket. What it shows is followed from the moment at which it was read."""
    page.goto(address)
    page.locator("body[data-socket=open]").wait_for()


def test_entries_appear_by_themselves_filtered_and_paused_and_are_checked(page):
    record("instance.evaluated")
    watch(page, "/audit/")
    rows = page.locator("#entry-rows tr")
    assert rows.count() == 1
    record("policy.changed", before={"limit": 3}, after={"limit": 4}, reason="<b>finance</b> asked")
    page.get_by_text("<b>finance</b> asked").wait_for()
    assert rows.count() == 2
    assert "policy.changed" in rows.first.inner_text()
    assert rows.first.locator("time").get_attribute("title")  # in the reader's own zone, as those that were there
    page.look("audit")

    page.get_by_label("Pause").check()
    page.wait_for_timeout(100)
    record("key.created")
    record("key.revoked")
    page.get_by_label("Pause").uncheck()
    page.get_by_text("key.revoked").wait_for()
    assert rows.count() == 4

    page.get_by_label("Deed").fill("policy")
    rows.nth(1).wait_for(state="detached")
    record("key.created", "key/9")
    record("policy.changed", "policy/9")
    page.get_by_text("policy/9").wait_for()
    assert rows.count() == 2
    page.get_by_role("link", name="Check the log").click()
    page.locator("#verdict .notice").wait_for()
    assert page.trouble == []


def test_the_first_entry_takes_the_place_of_the_word_that_there_is_none(page):
    watch(page, "/audit/")
    page.get_by_role("heading", name="Nothing has been done yet").wait_for()
    page.look("audit-empty")
    record("policy.changed")
    page.locator("#entry-rows tr").wait_for()
    assert not page.get_by_role("heading", name="Nothing has been done yet").is_visible()
    assert page.trouble == []


def test_a_run_is_watched_to_its_end_and_a_word_says_so_on_another_page(page):
    a_scored_market(now=timezone.now())
    instance = a_plain_instance(an_account(northwind()), seen_at=timezone.now(), name="web-1")
    run = linear.request(instance, trigger="person", by=alice(), now=timezone.now())
    elsewhere = page.context.new_page()
    watch(page, f"/runs/{run.pk}/")
    watch(elsewhere, "/accounts/")
    page.get_by_role("heading", name="Waiting for a worker").wait_for()
    linear.evaluate(PipelineRun.objects.get(pk=run.pk), now=timezone.now())
    page.get_by_role("heading", name="How this decision came about").wait_for(timeout=9_000)  # it asks after 10 s
    elsewhere.locator(".toast", has_text="web-1").wait_for()
    page.look("run")
    PICTURES.mkdir(exist_ok=True)
    elsewhere.screenshot(path=PICTURES / f"live-toast-{page.viewport_size['width']}.png")
    elsewhere.locator(".toast").get_by_role("button", name="Dismiss").click()
    elsewhere.locator(".toast").wait_for(state="detached")
    assert page.trouble == []


def test_jobs_are_logged_as_they_begin_and_end(page):
    account = an_account(northwind(), name="shop")
    watch(page, "/system/")
    with health.run("inventory", "sync_account", str(account.pk)):
        row = page.locator("#log-rows tr")
        row.get_by_text("running").wait_for()
    row.get_by_text("well").wait_for()
    assert row.count() == 1
    assert "shop" in row.inner_text()
    page.look("log")
    assert page.trouble == []


def test_a_page_without_its_socket_says_so_and_asks(page):
    page.route_web_socket("**/ws/pages/", lambda socket: socket.close(code=1013))
    page.goto("/audit/")
    page.get_by_text("Not live: asks again every 5 s").wait_for()
    page.look("not-live")
    record("policy.changed")
    page.locator("#entry-rows tr").wait_for()
    assert page.trouble == []
