"""The landing page and lab 20: what runs, what it costs, what could be saved, what needs whom, and how old is it?"""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.domain import Role, Scope
from accounts.models import AuditEntry, Invitation
from instances.domain.pool import Product
from instances.models import FetchSource
from pipelines import history, needs, overview, tasks
from pipelines.models import SavingsDaily
from tests.factories import (
    a_browser,
    a_fetch,
    a_fresh_market,
    a_person,
    a_pool,
    a_program,
    a_run,
    a_sync,
    alice,
    an_account,
    an_api_key,
    an_experiment,
    an_instance,
    an_on_demand_price,
    bob,
    charlie,
    northwind,
    prices_for,
    southwind,
)

pytestmark = pytest.mark.django_db
API = "/api/v1/lab/overview"
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=')
CARDS = ("needs", "savings", "fleet", "history")


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def market(now):
    a_fresh_market(now=now - timedelta(minutes=5))
    an_on_demand_price("m5.large", "0.096", fetched_at=now)
    an_on_demand_price("m5.large", "0.200", fetched_at=now, effective_at=now + timedelta(days=1))
    prices_for(a_pool(), [(9, "0.050"), (0.5, "0.040")], now=now)


def an_account_in_order(now, **fields):
    return an_account(**{"synced_at": now - timedelta(minutes=3)} | fields)


def shown(card, person=None):
    answer = a_browser(person or alice()).get(f"/overview/{card}/", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def told(person=None):
    answer = a_browser(person or alice()).get(API)
    assert answer.status_code == 200, answer.content
    return answer.json()


def kinds(person=None):
    return [need["kind"] for need in told(person)["needs"]]


# --- The page ------------------------------------------------------------------------------------------------------
def test_one_comes_in_on_the_overview_and_its_cards_load_themselves(client):
    alice()
    signed = client.post("/sign-in/", {"username": "bob", "password": "x"})
    assert signed.status_code == 200
    page = a_browser(bob()).get("/").content.decode()
    for card in CARDS:
        assert f'hx-get="/overview/{card}/" hx-trigger="load"' in page
    assert '<a href="/" aria-current="page">Overview</a>' in page
    assert not EXTERNAL.findall(page)


@pytest.mark.parametrize("card", CARDS)
def test_a_card_is_a_page_by_itself_where_no_script_runs(card, market, now):
    an_experiment(an_instance(an_account_in_order(now), seen_at=now))
    answer = a_browser(alice()).get(f"/overview/{card}/")
    page = answer.content.decode()
    assert page.startswith("<!doctype html>")
    assert not EXTERNAL.findall(page)
    assert shown(card).lstrip().startswith(f'<section class="card card-wide" id="card-{card}"')


def test_a_card_that_there_is_none_of_is_not_there():
    assert a_browser(alice()).get("/overview/wealth/").status_code == 404


def test_a_newcomer_is_told_the_next_step_and_whose_it_is():
    first = a_browser(alice()).get("/").content.decode()
    assert "Four steps to the first decision" in first
    assert 'href="/accounts/new/"' in first
    assert "An admin or owner of Northwind does this" in a_browser(bob()).get("/").content.decode()
    account = an_account(is_valid=False)
    assert "Go on with the account" in a_browser(alice()).get("/").content.decode()
    account.is_valid, account.synced_at = True, timezone.now()
    account.save()
    instance = an_instance(account)
    assert "Open the lab console" in a_browser(alice()).get("/").content.decode()
    an_experiment(instance)
    assert "first decision" not in a_browser(alice()).get("/").content.decode()


def test_empty_cards_say_what_will_stand_there_and_no_figure():
    assert "Nothing is known to run" in shown("fleet")
    assert "nothing has been evaluated yet" in shown("savings")
    assert "No day is noted yet" in shown("history")
    assert "Nothing. Accounts are validated" in shown("needs")
    assert "$0" not in "".join(shown(card) for card in CARDS)


# --- What runs, and what it costs ----------------------------------------------------------------------------------
def test_running_machines_are_counted_by_account_region_and_market_and_priced(market, now):
    shop = an_account_in_order(now, name="shop")
    for _ in range(2):
        an_instance(shop, seen_at=now)
    an_instance(shop, is_spot=True, seen_at=now)
    an_instance(shop, state="stopped", seen_at=now)
    an_instance(shop, vanished_at=now, seen_at=now)
    fleet = told()["fleet"]
    total = fleet["total"]
    assert (total["instances"], total["on_demand"], total["spot"], fleet["idle"]) == (3, 2, 1, 1)
    assert total["usd_per_hour"] == "0.232000"  # 2 × 0.096 + 0.040
    assert total["usd_per_month"] == "169.36"
    assert total["saved_usd_per_month"] == "40.88"  # (0.096 - 0.040) × 730
    assert total["unpriced"] == 0
    assert [each["name"] for each in fleet["regions"]] == ["us-east-1"]
    assert fleet["accounts"][0]["name"].startswith("shop (PROD, ")
    page = shown("fleet")
    for word in ("$169.36", "2, 1", "Spot saves $40.88", "read 5 min ago", "and 1 that do not run"):
        assert word in page, word


def test_what_has_no_price_is_counted_and_named_and_in_no_sum(market, now):
    account = an_account_in_order(now)
    an_instance(account, seen_at=now)
    an_instance(account, instance_type="x9.metal", seen_at=now)
    an_instance(account, is_spot=True, zone_id="use1-az9", seen_at=now)
    an_instance(account, product=Product.WINDOWS.value, seen_at=now)
    an_instance(account, product="", seen_at=now)
    fleet = told()["fleet"]
    assert (fleet["total"]["unpriced"], fleet["total"]["usd_per_hour"]) == (4, "0.096000")
    assert "x9.metal in us-east-1, On-Demand" in fleet["unpriced"]
    assert "m5.large in us-east-1, Spot" in fleet["unpriced"]
    assert "4 running instances without a known price" in shown("fleet")


def test_where_not_one_price_is_known_the_cost_is_unknown_and_not_nothing(now):
    an_instance(an_account_in_order(now), seen_at=now)
    assert told()["fleet"]["total"]["usd_per_month"] is None
    page = shown("fleet")
    assert "<dt>Costs a month</dt><dd>–" in page
    assert "$0.00" not in page


def test_old_prices_and_an_old_inventory_are_said_to_be_old(now):
    a_fetch(FetchSource.ON_DEMAND, "us-east-1", through=now - timedelta(days=4))
    an_on_demand_price(fetched_at=now)
    an_instance(an_account_in_order(now), seen_at=now - timedelta(hours=5))
    page = shown("fleet")
    assert "last seen 5 h ago" in page
    assert "On-Demand of 4 d ago" in page


# --- What could be saved -------------------------------------------------------------------------------------------
def test_the_latest_decisions_say_what_could_be_saved(now):
    account = an_account_in_order(now)
    instance = an_instance(account)
    an_experiment(instance, expected_savings_usd_per_month=Decimal("99"), decided_at=now - timedelta(hours=3))
    an_experiment(instance, decided_at=now - timedelta(minutes=10))
    an_experiment(an_instance(account), expected_savings_usd_per_month=None, decided_at=now - timedelta(hours=4))
    an_experiment(an_instance(account), decision="STAY", expected_savings_usd_per_month=None, decided_at=now)
    an_experiment(an_instance(account, vanished_at=now), decided_at=now)
    an_instance(account)
    found = told()["savings"]
    assert (found["decided"], found["switches"], found["stays"], found["unknown"]) == (3, 2, 1, 1)
    assert (found["usd_per_month"], found["is_shadow"], found["oldest"]["is_old"]) == ("41.25", True, True)
    page = shown("savings")
    for word in ("Could be saved a month", "$41.25", "1 of unknown savings left out", "made 4 h ago", "Shadow"):
        assert word in page, word
    assert re.search(r'decision=none">1</a>', page)


# --- What needs somebody -------------------------------------------------------------------------------------------
def test_a_house_in_order_needs_nobody(market, now):
    account = an_account_in_order(now)
    instance = an_instance(account, seen_at=now)
    an_experiment(instance, decided_at=now)
    assert kinds() == []


def test_accounts_that_are_not_finished_or_old_are_named(market, now):
    an_account(name="half", is_valid=False)
    an_account(name="fresh")
    an_account(name="old", synced_at=now - timedelta(hours=2))
    an_account(name="retired", is_valid=False, is_active=False)
    assert kinds() == ["accounts_not_valid", "accounts_unread", "inventory_old"]
    page = shown("needs")
    assert "half: the role is not validated" in page
    assert 'href="/accounts/?state=unfinished"' in page
    assert "retired" not in page


def test_an_inventory_that_ended_badly_or_that_nobody_is_at_is_told_until_a_whole_one_comes(market, now):
    account = an_account_in_order(now, synced_at=now - timedelta(minutes=20))
    a_sync(account, state="failed", requested_at=now - timedelta(minutes=9), ended_at=now - timedelta(minutes=8))
    assert kinds() == ["syncs_failed"]
    assert f"/accounts/{account.pk}/inventory/" in shown("needs")
    account.synced_at = now
    account.save()
    assert kinds() == []
    a_sync(account, requested_at=now - timedelta(hours=1))
    assert kinds() == []  # a whole one came since
    account.synced_at = now - timedelta(hours=2)
    account.save()
    assert "syncs_failed" in kinds()


def test_a_failed_evaluation_is_told_until_one_goes_well(market, now):
    instance = an_instance(an_account_in_order(now), seen_at=now)
    a_run(instance, state="failed", error="no")
    assert kinds() == ["runs_failed"]
    assert f'href="/instances/{instance.pk}/"' in shown("needs")
    a_run(instance)
    assert kinds() == []


def test_old_market_data_of_ones_own_regions_is_told(now):
    a_fresh_market("eu-west-3", now=now - timedelta(minutes=5))
    an_account_in_order(now, regions=["eu-west-3"])
    assert kinds() == []
    an_account_in_order(now, regions=["us-east-1"])
    a_fetch(FetchSource.SPOT, "us-east-1", through=now - timedelta(hours=6))
    [need] = told()["needs"]
    assert need["kind"] == "market_old"
    assert "Spot prices of us-east-1, On-Demand prices of us-east-1" in need["says"]
    assert "eu-west-3" not in need["says"]


def test_audit_entries_that_wait_too_long_for_their_seal_are_told(now):
    AuditEntry.objects.create(organization=northwind(), actor="a", deed="d", subject="s")
    assert kinds() == []
    later = now + timedelta(minutes=9)
    found = needs.needs(_caller(alice()), now=later)
    assert [(need.kind, need.count) for need in found] == [("audit_unsealed", 1)]
    assert "audit_unsealed" not in [need.kind for need in needs.needs(_caller(charlie()), now=later)]


def test_invitations_and_keys_are_told_to_those_who_may_see_them(now):
    Invitation.objects.create(
        organization=northwind(), email="x@example.org", digest="0" * 64, expires_at=now + timedelta(days=3)
    )
    an_api_key(northwind(), Scope.READ, expires_at=now + timedelta(days=3))
    an_api_key(northwind(), Scope.READ, expires_at=now + timedelta(days=90))
    assert kinds(alice()) == ["invitations_open", "keys_ending"]
    assert kinds(a_person(organization=northwind(), role=Role.ADMIN)) == ["keys_ending"]
    assert kinds(bob()) == []


def _caller(person):
    from accounts.authentication import member

    return member(person, person.memberships.get())


# --- Over time -----------------------------------------------------------------------------------------------------
def test_a_day_is_noted_once_and_drawn(market, now):
    instance = an_instance(an_account_in_order(now), seen_at=now)
    an_experiment(instance, decided_at=now)
    assert history.keep_all(now=now - timedelta(days=1)) == 1
    assert history.keep_all(now=now) == 1
    assert history.keep_all(now=now) == 1
    today, yesterday = SavingsDaily.objects.all()
    assert (today.savings_usd_per_month, today.usd_per_month) == (Decimal("41.25"), Decimal("70.08"))
    assert today.day - yesterday.day == timedelta(days=1)
    page = shown("history")
    assert page.count(f"<title>{today.day}: $41.25 a month</title>") == 2
    assert "The figures of 2 days" in page
    assert [day["day"] for day in told()["days"]] == [str(yesterday.day), str(today.day)]


def test_an_organization_in_which_nothing_was_decided_has_no_day(now):
    an_instance(an_account_in_order(now))
    assert history.keep_all(now=now) == 0


def test_the_job_notes_every_organization(now):
    for organization in (northwind(), southwind()):
        an_experiment(an_instance(an_account(organization)), decided_at=now)
    tasks.keep_savings.apply()
    assert SavingsDaily.objects.count() == 2


# --- Whose it is, and what it costs to ask -------------------------------------------------------------------------
def test_a_stranger_sees_nothing_of_ours_in_any_card(market, now):
    account = an_account_in_order(now, name="shop", is_valid=False)
    instance = an_instance(account, seen_at=now)
    an_experiment(instance, decided_at=now)
    history.keep_all(now=now)
    for card in CARDS:
        assert "shop" not in shown(card, charlie())
        assert "$" not in shown(card, charlie())
    assert told(charlie())["fleet"]["total"]["instances"] == 0


def test_many_instances_take_as_many_questions_as_few(market, now, django_assert_max_num_queries):
    program = a_program(northwind(), Scope.READ)
    program.get(API)
    account = an_account_in_order(now)
    for n in range(40):
        an_experiment(an_instance(account, seen_at=now, is_spot=n % 2 == 0, instance_type=f"m5.{n}xlarge"))
        a_pool(f"m5.{n}xlarge")
    with django_assert_max_num_queries(12):
        assert program.get(API).json()["fleet"]["total"]["instances"] == 40


def test_prices_of_the_future_do_not_count(market, now):
    found = overview.fleet_of(_instances(now), now=now)
    assert found.total.usd_micro == 96_000


def _instances(now):
    from instances.models import Instance

    an_instance(an_account_in_order(now), seen_at=now)
    return Instance.objects.all()
