"""Can everybody use every page: with a screen reader, in both themes, on a phone, by keyboard alone?

The pages are those of the resolver: a new one is walked without being named here.
"""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils import timezone

from accounts import people
from accounts.authentication import member
from accounts.domain import Role
from accounts.models import User
from pipelines import linear
from tests.architecture.addresses import routes
from tests.architecture.test_stranger import MARK, alices_world
from tests.factories import a_browser
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
FEWEST = 12  # pages; fewer would mean that the walk does not get in
CONTROLS = """() => [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex="-1"])')]
  .filter(each => !each.disabled && each.checkVisibility({visibilityProperty: true}))
  .map((each, n) => { each.dataset.walk = n; return each.outerHTML.slice(0, 120); })"""
SKIPS = """document.activeElement.getAttribute('href') === '#content'
  || document.querySelector('[autofocus]') !== null"""  # such a form is past the navigation already
FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  return [at.dataset.walk ?? null, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1];
}"""


def a_whole_world() -> tuple[User, dict[tuple[str, str], Any]]:
    """An owner with one of everything, and a decision with its whole receipt."""
    now = timezone.now()
    ids = alices_world().ids
    owner = User.objects.get(username=f"alice-{MARK}")
    membership = owner.memberships.get()
    a_scored_market(now=now)
    instance = a_plain_instance(membership.organization.aws_accounts.get(), seen_at=now, name="web-1")
    run = linear.evaluate(instance, now=now)
    text = people.invite(
        membership.organization, "dora@example.org", Role.VIEWER, by=member(owner, membership), now=now
    )[1]
    decided = {("instances", "pk"): instance.pk, ("runs", "pk"): run.pk, ("decisions", "pk"): run.experiment.pk}
    return owner, ids | decided | {("invitations", "text"): text}


def pages(ids: dict[tuple[str, str], Any]) -> list[str]:
    """The addresses that may be pages: all but the API and the admin, which is Django's own."""
    outside = ("api/", settings.ADMIN_PATH)
    return [route.filled(ids) for route in routes() if not route.template.startswith(outside)]


def found_by_axe(page: Any, where: str) -> list[str]:
    told = []
    for broken in Axe().run(page, options=RULES).response["violations"]:
        nodes = "; ".join(f"{node['target']} {node['html'][:120]}" for node in broken["nodes"][:3])
        told.append(f"{where}: {broken['id']} ({broken['impact']}): {broken['help']}: {nodes}")
    return told


def found_by_keyboard(page: Any, where: str) -> list[str]:
    """Skip link first, every control reached by Tab with a visible focus, menus closed by Escape."""
    controls = page.evaluate(CONTROLS)
    told: list[str] = []
    reached: set[str | None] = set()
    page.evaluate("document.activeElement.blur()")
    for press in range(len(controls) + 10):
        page.keyboard.press("Tab")
        number, is_visible = page.evaluate(FOCUSED)
        if press == 0 and not page.evaluate(SKIPS):
            told.append(f"{where}: the first Tab is not the way past the navigation")
        if number is not None and not is_visible:
            told.append(f"{where}: no focus is seen on {controls[int(number)]}")
        if number in reached and len(reached) > 1:
            break
        reached.add(number)
    radios = 'type="radio"'  # one Tab for a group; arrows go on
    told += [
        f"{where}: Tab does not reach {each}"
        for number, each in enumerate(controls)
        if str(number) not in reached and radios not in each
    ]
    for menu in page.locator("details.menu").all():
        menu.locator("summary").press("Enter")
        assert menu.get_attribute("open") is not None
        page.keyboard.press("Escape")
        if menu.get_attribute("open") is not None:
            told.append(f"{where}: Escape does not close {menu.locator('summary').inner_text()}")
    return told


def walked(page: Any, address: str) -> list[str] | None:
    """What is wrong with the page at this address; None where there is none."""
    answer = page.request.get(address, max_redirects=0)
    if answer.status != 200 or 'id="content"' not in answer.text():
        return None
    page.set_viewport_size(SIZES["desktop"])
    page.goto(address, wait_until="networkidle")  # parts that load themselves replace the links that stood for them
    told = found_by_keyboard(page, address)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            told += found_by_axe(page, f"{address} {theme} {size}")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            told += [f"{address} {size}: {wide} pixels wider than the window"] if wide > 0 else []
    return told


def test_every_page_is_for_everybody(browser, live_server):
    owner, ids = a_whole_world()
    context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
    page = context.new_page()
    found = {address: walked(page, address) for address in ("/sign-in/", f"/invitations/{ids['invitations', 'text']}/")}
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": a_browser(owner).cookies[name].value, "url": live_server.url}])
    for address in pages(ids):
        if address not in ("/sign-in/", "/sign-out/"):
            found[address] = walked(page, address)
    context.close()
    told = [line for lines in found.values() for line in lines or []]
    assert not told, "\n".join(told)
    assert sum(lines is not None for lines in found.values()) >= FEWEST, found


@pytest.mark.parametrize(
    "body, rule",
    [
        ('<img src="/static/icon.svg">', "image-alt"),
        ('<p style="color:#ccc;background:#fff">pale</p>', "color-contrast"),
        ('<input type="text">', "label"),
    ],
)
def test_the_checker_finds_what_is_wrong(browser, live_server, body, rule):
    page = browser.new_page()
    page.set_content(f'<html lang="en"><title>t</title><main><h1>t</h1>{body}</main></html>')
    assert any(rule in line for line in found_by_axe(page, "here"))
    page.close()


def test_the_keyboard_check_finds_what_is_wrong(browser):
    page = browser.new_page()
    page.set_content('<a href="#content">Skip</a><button style="outline:none">a</button><a href="/" id=b>b</a>')
    page.evaluate("document.getElementById('b').addEventListener('focus', event => event.target.blur())")
    told = "\n".join(found_by_keyboard(page, "here"))
    assert "no focus is seen on <button" in told
    page.close()
