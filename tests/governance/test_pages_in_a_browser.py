"""Log, monitor, policies and settings as a browser shows them: both themes, wide and on a phone; pictures."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts import audit, sealing
from governance.models import ComponentRun
from tests.factories import a_browser, a_model, alice, an_account, an_instance, northwind

PICTURES = Path(__file__).parents[2] / "test-results"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture(params=[("light", 1280, 900), ("dark", 390, 844)], ids=["light-wide", "dark-phone"])
def page(request, browser, live_server):
    scheme, width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=live_server.url
    )
    context.set_default_timeout(60_000)
    session = a_browser(alice()).cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    opened = context.new_page()
    opened.trouble = []
    opened.on("pageerror", lambda error: opened.trouble.append(str(error)))
    opened.on("console", lambda said: opened.trouble.append(said.text) if said.type == "error" else None)
    opened.look = lambda name: _look(opened, f"{name}-{scheme}-{width}.png")
    yield opened
    context.close()


def _look(page, name):
    PICTURES.mkdir(exist_ok=True)
    # a hidden caret is an inline style, which htmx would copy and the content policy refuse
    page.screenshot(path=PICTURES / name, full_page=True, caret="initial")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name}: the page is {wide} pixels wider than the window"


def test_a_person_filters_the_log_and_checks_it(page):
    for n in range(12):
        audit.record("beat", "instance.evaluated", f"instance/{n}", organization=northwind())
    audit.record(
        "alice",
        "policy.changed",
        "optimization-policy/3",
        organization=northwind(),
        before={"min_savings_percent": 10},
        after={"min_savings_percent": 15},
        reason="the finance team asked for it",
    )
    sealing.seal()
    audit.record("key core", "instance.evaluated", "instance/99", organization=northwind())
    page.goto("/audit/")
    page.look("audit")
    page.get_by_role("link", name="Check the log").click()
    page.get_by_text("Intact: 13 entries as written").wait_for()
    assert page.get_by_text("1 entry not sealed yet").is_visible()
    page.look("audit-checked")
    page.get_by_label("Deed").fill("policy")
    page.locator("#entries tbody tr").nth(1).wait_for(state="detached")
    assert "deed=policy" in page.url
    page.get_by_text("Before and after").click()
    page.look("audit-filtered")
    assert page.get_by_text("the finance team asked for it").is_visible()
    assert page.trouble == []


def test_a_person_reads_the_system_monitor(page):
    account = an_account(northwind(), name="shop")
    now = timezone.now()
    for n in range(200):
        began = now - timedelta(minutes=7 * n)
        is_bad = n % 9 == 0 or 40 < n < 60
        ComponentRun.objects.create(
            component="inventory" if n % 2 else "price scraper",
            task="sync_account" if n % 2 else "refresh_spot",
            subject=str(account.pk) if n % 2 else "us-east-1",
            started_at=began,
            ended_at=began + timedelta(seconds=2 + n % 7),
            is_success=not is_bad,
            detail="AccessDenied: ec2:DescribeInstances in eu-west-3" if is_bad else "",
        )
    page.goto("/system/")
    page.get_by_text("none answered").wait_for()
    page.look("system")
    page.get_by_label("Ended", exact=True).select_option("badly")
    page.wait_for_url("**ended=badly**")
    page.locator("#runs .badge-bad").first.wait_for()
    assert page.locator("#runs .badge-good").count() == 0
    page.look("system-failed")
    assert page.trouble == []


def test_an_admin_sets_a_limit_and_is_told_beside_the_field_what_is_wrong(page):
    account = an_account(name="shop")
    page.goto("/policies/")
    page.look("policy-empty")
    page.get_by_label("Shares of the fleet: Zones at least").fill("many")
    page.get_by_label("Quarantine of a pool: After an interruption days").fill("7")
    page.get_by_role("button", name="Keep these limits").click()
    page.get_by_text("min_zones is 'many', not a whole number").wait_for()
    page.look("policy-refused")
    page.get_by_label("Shares of the fleet: Zones at least").fill("2")
    page.get_by_role("button", name="Keep these limits").click()
    page.get_by_text("min_zones: inherited → 2").wait_for()
    page.get_by_role("link", name="shop").click()
    page.get_by_role("heading", name="Policy of shop").wait_for()
    page.look("policy-of-an-account")
    assert page.get_by_label("Shares of the fleet: Zones at least").get_attribute("placeholder") == "2"
    assert page.url.endswith(f"/policies/accounts/{account.pk}/")
    assert not page.trouble


def test_settings_are_kept_without_leaving_the_instance(page):
    instance = an_instance(an_account(environment="LAB"), name="web")
    a_model("careful")
    page.goto(f"/instances/{instance.pk}/")
    page.get_by_label("Health port").fill("80")
    page.get_by_role("button", name="Keep these settings").click()
    page.get_by_text("A port needs a path").wait_for()
    page.look("settings-refused")
    page.get_by_label("Health path").fill("/health")
    page.get_by_label("Model").select_option(label="careful 1 (testing)")
    page.get_by_label("I state this, by my name").check()
    page.get_by_role("button", name="Keep these settings").click()
    page.get_by_text("Kept.").wait_for()
    page.look("settings-kept")
    instance.refresh_from_db()
    assert (instance.health_port, instance.stateless_said_by) == (80, "alice")
    assert not page.trouble


def test_an_owner_reads_what_the_environment_changes(page):
    account = an_account(name="shop", environment="LAB")
    page.goto("/accounts/")
    page.get_by_role("link", name="Change the environment of shop").click()
    page.get_by_text("Make it PROD …").click()
    page.look("environment")
    page.get_by_role("button", name="Make it PROD").click()
    page.get_by_text("Only graduated models judge it").wait_for()
    account.refresh_from_db()
    assert account.environment == "PROD"
    an_instance(account, name="real")
    page.goto("/instances/")
    page.get_by_role("link", name="LAB", exact=True).click()
    page.get_by_text("No instance matches").wait_for()
    page.look("console-lab")
    page.get_by_role("link", name="PROD", exact=True).click()
    page.get_by_role("link", name="real").wait_for()
    assert not page.trouble
