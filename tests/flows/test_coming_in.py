"""An owner invites somebody in a browser, who joins, proves a second factor, makes a key and signs in again."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.authentication import member
from accounts.domain import Role
from tests.factories import alice, bob, northwind
from tests.flows.conftest import LOOKS, Visit, next_code

PASSWORD = "a long one 4711"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture(params=LOOKS, ids=["light-wide", "dark-phone"])
def visit(request, browser, live_server, settings):
    settings.SECOND_FACTOR = "required"
    begun = Visit(browser, live_server.url, request.param, 20_000)
    yield begun
    begun.end()


def test_somebody_is_invited_joins_enrols_and_lets_a_program_in(visit, live_server):
    bob()
    text = people.invite(northwind(), "dora@example.org", Role.OWNER, by=member(alice(), None), now=timezone.now())[1]
    page = visit.page()
    page.goto(f"/invitations/{text}/")
    page.get_by_label("Username").fill("dora")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    visit.look(page, "coming-in-invitation")
    page.get_by_role("button", name="Join").click()

    page.get_by_role("heading", name="Second factor").wait_for()
    visit.look(page, "coming-in-enrol")
    page.get_by_label("Code", exact=True).fill(next_code(page.locator("#secret").inner_text())[0])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    visit.look(page, "coming-in-codes")
    recovery = page.locator("#recovery-codes code").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("heading", name="Overview").wait_for()

    page.locator("summary", has_text="Organization").click()
    visit.look(page, "coming-in-menu")
    page.get_by_role("link", name="People").click()
    page.get_by_label("E-mail address").fill("eve@example.org")
    page.get_by_role("button", name="Make a link").click()
    assert page.locator("#made-link").inner_text().startswith(f"{live_server.url}/invitations/")
    visit.look(page, "coming-in-people")

    page.locator("summary", has_text="Organization").click()
    page.get_by_role("link", name="API keys").click()
    page.get_by_label("What it is for").fill("core platform")
    page.get_by_label("read: see").check()
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("#made-key").inner_text()
    visit.look(page, "coming-in-keys")
    headers = {"Authorization": f"Api-Key {key}"}
    assert Client(headers=headers).get("/api/v1/lab/instances").status_code == 200

    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Username").fill("dora")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Second factor").wait_for()
    visit.look(page, "coming-in-prove")
    page.get_by_label("Code", exact=True).fill(recovery)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()
    page.goto("/second-factor/")
    page.get_by_text("9 recovery codes left").wait_for()
    visit.look(page, "coming-in-on")
    assert visit.trouble == []
