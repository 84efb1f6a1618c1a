"""A person signs in to the demo, evaluates an instance while watching, and reads the receipt; pictures are kept."""

from pathlib import Path

import pytest

PICTURES = Path(__file__).parents[2] / "test-results"
PATIENCE = 90_000  # ms; CI has two cores for browser, server and worker

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=[("light", 1280, 900), ("dark", 390, 844)], ids=["light-wide", "dark-phone"])
def page(request, browser, running_demo):
    scheme, width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=running_demo.address
    )
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.trouble = []
    opened.on("pageerror", lambda error: opened.trouble.append(str(error)))
    opened.on("console", lambda said: opened.trouble.append(said.text) if said.type == "error" else None)
    opened.look = lambda name: _look(opened, f"{name}-{scheme}-{width}.png")
    yield opened
    context.close()


def _look(page, name):
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / name, full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name}: the page is {wide} pixels wider than the window"


def _sign_in(page, demo):
    page.goto("/")
    page.look("sign-in")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(demo.password)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()


def test_a_person_evaluates_an_instance_and_reads_its_receipt(page, running_demo):
    _sign_in(page, running_demo)
    page.locator("#card-savings .figure").first.wait_for()
    page.locator("#card-fleet .figure").first.wait_for()
    page.locator("#card-history svg:visible").wait_for()
    page.look("overview")
    page.get_by_role("link", name="Lab console").click()
    page.get_by_role("heading", name="Lab console").wait_for()
    page.look("console")
    assert page.locator("#instances tbody tr").count() > 20

    page.get_by_label("Name, id, type or tag").fill("search-1")
    page.locator("#instances tbody tr").nth(1).wait_for(state="detached")
    assert "q=search-1" in page.url
    page.get_by_role("link", name="search-1").click()
    page.get_by_role("button", name="Evaluate now").click()
    page.locator("#flow li").nth(8).wait_for()
    page.look("running")
    receipt = page.locator("#flow").get_by_role("link", name="Read the receipt")
    page.get_by_text("How this decision came about").wait_for()
    page.look("run")
    receipt.click()

    page.get_by_role("heading", name="Candidates and gates").wait_for()
    page.look("receipt")
    assert page.locator(".verdict .word").inner_text() == "SWITCH"
    assert page.get_by_text("Would stay if").is_visible()
    assert page.get_by_text("manage replay").is_visible()
    assert page.trouble == []


def test_the_console_is_walked_by_keyboard_alone(page, running_demo):
    _sign_in(page, running_demo)
    page.goto("/instances/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "list_q"
    page.keyboard.type("no such machine")
    page.get_by_role("heading", name="No instance matches").wait_for()
    page.look("nothing-matches")


def test_decisions_are_found_and_their_address_shared(page, running_demo):
    _sign_in(page, running_demo)
    page.get_by_role("link", name="Experiments", exact=True).click()
    page.get_by_label("Decision", exact=True).select_option("SWITCH")
    page.wait_for_url("**decision=SWITCH**")
    page.locator("#experiments .badge-good").first.wait_for()
    page.look("experiments")
    assert page.locator("#experiments tbody tr").count() == page.locator("#experiments .badge-good").count()
    page.reload()
    assert page.get_by_label("Decision", exact=True).input_value() == "SWITCH"
    page.get_by_role("link", name="Compare two models").click()
    page.get_by_role("heading", name="Compare two models").wait_for()
    page.look("comparison")
    assert page.trouble == []


def test_the_theme_is_chosen_and_kept(page, running_demo):
    _sign_in(page, running_demo)
    before = page.evaluate("getComputedStyle(document.body).color")
    page.locator("#theme").click()
    after = page.evaluate("getComputedStyle(document.body).color")
    assert after != before
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).color") == after
