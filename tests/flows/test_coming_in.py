"""An owner invites somebody in a browser, who joins, proves a second factor, makes a key and signs in again."""

import time
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import people
from accounts.authentication import member
from accounts.domain import Role
from tests.factories import alice, bob, northwind

PICTURES = Path(__file__).parents[2] / "test-results"
PASSWORD = "a long one 4711"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture(params=[("light", 1280, 900), ("dark", 390, 844)], ids=["light-wide", "dark-phone"])
def page(request, browser, live_server, settings):
    settings.SECOND_FACTOR = "required"
    scheme, width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=live_server.url
    )
    context.set_default_timeout(20_000)
    opened = context.new_page()
    opened.trouble = []
    opened.on("pageerror", lambda error: opened.trouble.append(str(error)))
    opened.on("console", lambda said: opened.trouble.append(said.text) if said.type == "error" else None)
    opened.look = lambda name: _look(opened, f"coming-in-{name}-{scheme}-{width}.png")
    yield opened
    context.close()


def _look(page, name):
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / name, full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name}: the page is {wide} pixels wider than the window"


def _code(name):
    """What the authenticator of that person shows next."""
    device = TOTPDevice.objects.get(user__username=name)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time()
    if totp.t() <= device.last_t:
        totp.time += device.step  # a code works once; the next is taken a step early
    return f"{totp.token():06d}"


def test_somebody_is_invited_joins_enrols_and_lets_a_program_in(page, live_server):
    bob()
    text = people.invite(northwind(), "dora@example.org", Role.OWNER, by=member(alice(), None), now=timezone.now())[1]
    page.goto(f"/invitations/{text}/")
    page.get_by_label("Username").fill("dora")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.look("invitation")
    page.get_by_role("button", name="Join").click()

    page.get_by_role("heading", name="Second factor").wait_for()
    page.look("enrol")
    page.get_by_label("Code", exact=True).fill(_code("dora"))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    page.look("codes")
    recovery = page.locator("#recovery-codes code").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("heading", name="Overview").wait_for()

    page.locator("summary", has_text="Organization").click()
    page.look("menu")
    page.get_by_role("link", name="People").click()
    page.get_by_label("E-mail address").fill("eve@example.org")
    page.get_by_role("button", name="Make a link").click()
    assert page.locator("#made-link").inner_text().startswith(f"{live_server.url}/invitations/")
    page.look("people")

    page.locator("summary", has_text="Organization").click()
    page.get_by_role("link", name="API keys").click()
    page.get_by_label("What it is for").fill("core platform")
    page.get_by_label("read: see").check()
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("#made-key").inner_text()
    page.look("keys")
    headers = {"Authorization": f"Api-Key {key}"}
    assert Client(headers=headers).get("/api/v1/lab/instances").status_code == 200

    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Username").fill("dora")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Second factor").wait_for()
    page.look("prove")
    page.get_by_label("Code", exact=True).fill(recovery)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()
    page.goto("/second-factor/")
    page.get_by_text("9 recovery codes left").wait_for()
    page.look("on")
    assert page.trouble == []
