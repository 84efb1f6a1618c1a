"""People come in to the demo, take on an account, follow its market and its decisions; pictures are kept."""

import dataclasses
import re

import pytest

from accounts.aws import policy
from spotopt.local import estate
from tests.flows.conftest import LOOKS, Visit, next_code

PATIENCE = 30_000  # ms; CI has two cores for browser, server and worker
PASSWORD = "a long one 4711"
# The local cloud has three accounts, each with its owner. Each time one organization takes on one of the other's,
# by the role that the template makes, so that what the demo began with stays as it was.
TAKEN_ON = {
    "light": ("alice", "Northwind", estate.ACCOUNTS[2], "orders-"),
    "dark": ("charlie", "Contoso", estate.ACCOUNTS[1], "try-"),
}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=LOOKS, ids=["light-wide", "dark-phone"])
def visit(request, browser, running_demo):
    begun = Visit(browser, running_demo.address, request.param, PATIENCE)
    yield begun
    begun.end()


@pytest.fixture(scope="module")
def signed_in(browser, running_demo):
    """The cookies of who signed in, by name: a minute has ten tries, and there are more stories than that."""
    kept = {}

    def of(name):
        if name not in kept:
            coming = Visit(browser, running_demo.address, LOOKS[0], PATIENCE)
            page = coming.page()
            _sign_in(page, name, running_demo.password_of(name))
            page.get_by_role("heading", name="Overview").wait_for()
            kept[name] = page.context.storage_state()
            coming.end()
        return kept[name]

    return of


@pytest.fixture
def page(visit, signed_in):
    """Alice's, on the overview."""
    opened = visit.page(signed_in("alice"))
    opened.goto("/")
    return opened


def _sign_in(page, name, password):
    page.goto("/sign-in/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def test_from_an_invitation_to_the_receipt_of_a_decision(visit, signed_in, running_demo):
    owner, organization, theirs, prefix = TAKEN_ON[visit.scheme]
    account = dataclasses.replace(theirs, organization=organization, role_name="spotopt-read")
    name = f"dora-{visit.scheme}"
    link = _invite(visit, signed_in(owner), f"{name}@example.org")
    page = visit.page()
    _come_in(visit, page, link, name)
    _take_on(visit, page, account, running_demo.cloud)
    _look_around(visit, page)
    _evaluate(visit, page, account, prefix)
    _follow(visit, page, name)
    assert visit.trouble == []


def _invite(visit, kept, address):
    """The link that an owner gets for somebody with that address."""
    page = visit.page(kept)
    page.goto("/people/")
    page.get_by_label("E-mail address").fill(address)
    page.locator("#id_role").select_option("owner")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("#made-link").inner_text()
    visit.look(page, "people")
    return link


def _come_in(visit, page, link, name):
    """Join, enrol a second factor, leave, and come in again with both."""
    page.goto(link)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.get_by_role("heading", name="Overview").wait_for()
    page.locator("summary", has_text="Organization").click()
    page.get_by_role("link", name="Second factor").click()
    secret = page.locator("#secret").inner_text()
    code, turn = next_code(secret)
    page.get_by_label("Code", exact=True).fill(code)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    visit.look(page, "sign-in")
    _sign_in(page, name, PASSWORD)
    page.get_by_role("heading", name="Second factor").wait_for()
    page.get_by_label("Code", exact=True).fill(next_code(secret, after=turn)[0])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()


def _take_on(visit, page, account, cloud):
    """Access, template, role, validation and the first inventory; the role is deployed by the account's own people."""
    page.get_by_role("link", name="Accounts", exact=True).click()
    page.get_by_role("link", name="Add an account").first.click()
    page.get_by_label("Read: we see the fleet").check()
    page.get_by_label("AWS account id").fill(account.account_id)
    page.get_by_label("Name", exact=True).fill("taken on")
    page.get_by_label("Regions").fill(" ".join(account.regions))
    visit.look(page, "account-new")
    page.get_by_role("button", name="Go on to the role").click()

    page.get_by_role("heading", name="Then paste its ARN").wait_for()
    visit.look(page, "account-role")
    template = page.get_by_label("Text of the template").first.inner_text()
    external_id = re.search(r"sts:ExternalId\W+([\w-]{20,})", template)[1]
    estate.deploy_role(cloud, account, external_id, policy.read_actions())
    assert page.get_by_role("textbox", name="Role ARN").input_value() == account.role_arn
    page.get_by_role("button", name="Keep it, and go on to validation").click()

    page.get_by_role("button", name="Validate").click()
    page.locator("#validation tbody tr").first.wait_for()
    assert page.locator("#validation .badge-good").count() == page.locator("#validation tbody tr").count()
    visit.look(page, "account-valid")
    page.get_by_role("button", name="Read the inventory").click()
    page.get_by_role("heading", name=re.compile("Waiting for a worker|Reading: . of")).wait_for()
    visit.look(page, "account-reading")
    page.get_by_role("heading", name="Inventory", exact=True).wait_for()
    assert page.locator("#inventory tbody .badge-good").count() == len(account.regions)
    page.locator("#steps").wait_for(state="detached")
    visit.look(page, "account-read")


def _look_around(visit, page):
    """The overview with all its cards, and the prices of a type."""
    page.get_by_role("link", name="Overview").click()
    page.locator("#card-savings .figure").first.wait_for()
    page.locator("#card-fleet .figure").first.wait_for()
    page.locator("#card-history [data-loading]").wait_for(state="detached")
    visit.look(page, "overview")
    page.get_by_role("link", name="Prices").click()
    page.get_by_label("Instance type").fill("c5.2xlarge")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("heading", name="c5.2xlarge in").wait_for()
    page.locator("svg.prices:visible").wait_for()
    visit.look(page, "prices")


def _evaluate(visit, page, account, prefix):
    """An instance of the new account, its run as it happens, and the receipt."""
    page.get_by_role("link", name="Lab console").click()
    page.get_by_role("heading", name="Lab console").wait_for()
    page.locator("body[data-socket=open]").wait_for()
    visit.look(page, "console")
    page.get_by_label("Account").select_option(label="taken on")
    page.get_by_label("Name, id, type or tag").fill(f"{prefix}1")
    page.wait_for_url(f"**q={prefix}1**")
    page.locator("#instances tbody").get_by_role("link", name=f"{prefix}1", exact=True).click()
    page.get_by_role("button", name="Evaluate now").click()
    page.locator("#flow li").nth(8).wait_for()
    visit.look(page, "running")
    page.get_by_text("How this decision came about").wait_for()
    page.locator(".toast", has_text=f"{prefix}1").wait_for()
    visit.look(page, "run")
    page.locator("#flow").get_by_role("link", name="Read the receipt").click()
    page.get_by_role("heading", name="Candidates and gates").wait_for()
    visit.look(page, "receipt")
    assert page.locator(".verdict .word").inner_text() in {"SWITCH", "STAY"}
    assert page.get_by_text("manage replay").is_visible()


def _follow(visit, page, name):
    """The audit log in one window shows what is done in another, and is never loaded again for it."""
    instance = page.locator(".trail").get_by_role("link").nth(1).get_attribute("href")
    page.get_by_role("link", name="Audit").click()
    page.locator("body[data-socket=open]").wait_for()
    evaluated = page.locator("#entry-rows tr", has_text="instance.evaluated").filter(has_text=name)
    before = evaluated.count()
    assert before > 0
    page.evaluate("window.stayed = true")
    other = page.context.new_page()
    other.goto(instance)
    other.get_by_role("button", name="Evaluate now").click()
    evaluated.nth(before).wait_for()
    assert page.evaluate("window.stayed") is True
    assert "instance.evaluated" in page.locator("#entry-rows tr").first.inner_text()
    visit.look(page, "audit-live")


def test_a_person_follows_a_machine_that_would_switch(page, visit):
    page.get_by_role("link", name="Lab console").click()
    page.get_by_label("Name, id, type or tag").fill("search-1")
    page.locator("#instances tbody tr").nth(1).wait_for(state="detached")
    page.get_by_role("link", name="search-1").click()
    page.locator("#settings dd").first.wait_for()
    visit.look(page, "instance")
    page.get_by_role("link", name="Read the receipt").click()
    assert page.locator(".verdict .word").inner_text() == "SWITCH"
    assert page.get_by_text("Would stay if").is_visible()
    assert visit.trouble == []


def test_the_console_is_walked_by_keyboard_alone(page, visit):
    page.goto("/instances/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "list_q"
    page.keyboard.type("no such machine")
    page.get_by_role("heading", name="No instance matches").wait_for()
    visit.look(page, "nothing-matches")


def test_decisions_are_found_and_their_address_shared(page, visit):
    page.get_by_role("link", name="Experiments", exact=True).click()
    page.get_by_label("Decision", exact=True).select_option("SWITCH")
    page.wait_for_url("**decision=SWITCH**")
    page.locator("#experiments .badge-good").first.wait_for()
    visit.look(page, "experiments")
    assert page.locator("#experiments tbody tr").count() == page.locator("#experiments .badge-good").count()
    page.reload()
    assert page.get_by_label("Decision", exact=True).input_value() == "SWITCH"
    page.get_by_role("link", name="Compare two models").click()
    page.get_by_role("heading", name="Compare two models").wait_for()
    visit.look(page, "comparison")
    assert visit.trouble == []


def test_the_theme_is_chosen_and_kept(page, visit):
    before = page.evaluate("getComputedStyle(document.body).color")
    page.locator("#theme").click()
    after = page.evaluate("getComputedStyle(document.body).color")
    assert after != before
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).color") == after
