"""The prices page, as a person's browser asks for it: shown, empty, stale and unknown."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from instances.models import FetchSource
from tests.factories import (
    a_fetch,
    a_fresh_market,
    a_pool,
    a_rating,
    alice,
    an_account,
    an_on_demand_price,
    bob,
    charlie,
    northwind,
    prices_for,
    southwind,
    zones_of,
)

pytestmark = pytest.mark.django_db
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=')
PAGE = "/prices/?region=us-east-1&type=m5.large&days=7"


@pytest.fixture
def market(db):
    now = timezone.now()
    a_fresh_market(now=now - timedelta(minutes=5))
    for n, usd in enumerate(("0.040", "0.035", "0.050"), start=1):
        prices_for(a_pool(zone_id=f"use1-az{n}"), [(9, usd), (3, "0.045"), (0.5, usd)], now=now)
    prices_for(a_pool("m5.xlarge"), [(1, "0.08")], now=now)
    an_on_demand_price(usd="0.096", fetched_at=now, effective_at=now - timedelta(days=100))
    an_on_demand_price(usd="0.104", fetched_at=now, effective_at=now - timedelta(days=400))
    an_on_demand_price("m5.xlarge", "0.192", fetched_at=now)
    a_rating("m5.large", 0, 60)
    a_rating("m5.xlarge", 2, 55)
    a_rating("m5.large", 4, 30, region="eu-west-3")


def page(client, person=None, address=PAGE):
    client.force_login(person or bob())
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_type_is_shown_with_its_zones_and_what_spot_saves(client, market):
    text = page(client)
    assert text.count('<path class="line line-') >= 3 + 3 + 4
    assert "line-limit" in text
    assert "$0.0350/h" in text
    assert "63.5 %" in text
    assert "use1-az2" in text
    assert "read 5 min ago" in text
    assert "$0.0960/h" in text
    assert "2 list prices" in text
    assert re.search(r"<title>\d{4}-\d\d-\d\d \d\d:\d\d UTC\nuse1-az1: \$0\.04", text)


def test_the_advisors_bands_are_written_and_coloured(client, market):
    text = page(client)
    assert '<span class="heat heat-good">&lt;5%</span><span class="sub">saves 60 %</span>' in text
    assert '<span class="heat heat-warn">10-15%</span>' in text
    assert '<span class="heat heat-bad">&gt;20%</span>' in text
    assert "not rated" in text


def test_the_list_says_how_each_price_changed_and_is_sorted_by_its_address(client, market):
    an_on_demand_price("m5.2xlarge", "0.100", fetched_at=timezone.now())
    text = page(client)
    assert "-7.7 %" in text
    assert "was $0.1040/h" in text
    assert "no earlier price is stored" in text
    assert types_in(text) == ["m5.large", "m5.2xlarge", "m5.xlarge"]
    assert types_in(page(client, address=PAGE + "&sort=-hour")) == ["m5.xlarge", "m5.2xlarge", "m5.large"]
    assert types_in(page(client, address=PAGE + "&sort=change"))[0] == "m5.large"
    assert "sort=-type" in text


def types_in(text):
    return re.findall(r'data-label="Type"><div><a href="[^"]+">([^<]+)<', text)


def test_every_figure_says_how_old_it_is(client, market):
    text = page(client)
    assert "prices of 5 min ago" in text
    assert "Spot known through 5 min ago, On-Demand read just now" in text


def test_a_family_may_be_another_than_the_types(client, market):
    a_rating("c5.large", 3, 20)
    text = page(client, address=PAGE + "&family=c5")
    assert "15-20%" in text
    assert "Advisor, saves 60 %" in text


def test_zones_are_called_as_ones_own_accounts_call_them(client, market):
    zones_of(an_account(northwind()), us_east_1f="use1-az1")
    zones_of(an_account(southwind()), us_east_1z="use1-az1")
    assert "your us-east-1f" in page(client)
    assert "us-east-1z" not in page(client)
    assert "us-east-1f" not in page(client, charlie())


def test_without_an_address_the_usual_type_is_shown_for_a_week(client, market):
    text = page(client, address="/prices/")
    assert "m5.large in us-east-1, 7 days" in text
    assert '<a href="/prices/" aria-current="page">Prices</a>' in text


@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_every_period_is_drawn_on_a_page_of_bounded_size(client, market, days):
    text = page(client, address=f"/prices/?region=us-east-1&type=m5.large&days={days}")
    assert f"{days} day" in text
    assert len(text) < 250_000


def test_nonsense_in_the_address_shows_what_is_wrong_and_the_usual(client, market):
    text = page(client, address="/prices/?region=mars&type=%3Cscript%3E&days=9&family=M5;")
    assert "A type looks like m5.large." in text
    assert "<script>" not in text
    assert "m5.large in us-east-1, 7 days" in text


def test_what_was_never_fetched_says_so_and_what_to_do(client):
    text = page(client)
    assert "No prices of us-east-1 yet" in text
    assert "fetch_prices" in text
    assert "never read" in text


def test_a_type_without_prices_here_says_where_it_has_them(client, market):
    a_rating("x9.large", 1, 40, region="eu-west-3")
    text = page(client, address="/prices/?region=us-east-1&type=x9.large")
    assert "x9.large has no Spot prices in us-east-1" in text
    assert "?region=eu-west-3&amp;type=x9.large" in text


def test_an_unknown_type_is_said_to_be_one_with_those_that_are_like_it(client, market):
    text = page(client, address="/prices/?region=us-east-1&type=m5.larger")
    assert "m5.larger is not known here" in text
    assert "Did you mean" in text
    assert "type=m5.large&amp;" in text


def test_a_market_that_is_old_says_since_when_and_its_lines_end_there(client):
    now = timezone.now()
    a_fetch(FetchSource.SPOT, "us-east-1", through=now - timedelta(days=2))
    a_fetch(FetchSource.ADVISOR, through=now - timedelta(days=2))
    prices_for(a_pool(), [(5, "0.04")], now=now)
    text = page(client)
    assert "known through" in text
    assert "2 d ago" in text
    assert "The Spot Advisor was last read 2 d ago" in text
    assert "use1-az1: unknown" in text
    assert "silent for over a day" in text
    assert "no list price is stored" in text


def test_spot_dearer_than_on_demand_is_told_below_nothing(client):
    now = timezone.now()
    a_fresh_market(now=now)
    prices_for(a_pool(), [(5, "0.12")], now=now)
    an_on_demand_price(usd="0.096", fetched_at=now)
    assert "-25.0 %" in page(client)


def test_the_page_costs_the_same_however_much_there_is(client, market, django_assert_max_num_queries):
    now = timezone.now()
    for n in range(4, 7):
        prices_for(a_pool(zone_id=f"use1-az{n}"), [(d / 10, f"0.0{3 + d % 5}") for d in range(1, 400)], now=now)
    for n in range(2, 30):
        a_pool(f"m5.{n}xlarge")
        a_rating(f"m5.{n}xlarge", n % 5, 50)
        an_on_demand_price(f"m5.{n}xlarge", "0.2")
    client.force_login(alice())
    with django_assert_max_num_queries(12):
        assert client.get(PAGE.replace("days=7", "days=90")).status_code == 200


def test_the_page_brings_all_its_own(client, market):
    client.force_login(bob())
    answer = client.get(PAGE)
    assert not EXTERNAL.findall(answer.content.decode())
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_its_sheets_can_be_had(client, market):
    addresses = re.findall(r'href="(/api/v1/[^"]*csv[^"]*)"', page(client))
    assert len(addresses) == 3
    for address in addresses:
        answer = client.get(address.replace("&amp;", "&"))
        assert answer.status_code == 200
        assert len(answer.content.decode().splitlines()) > 1


def test_whoever_is_not_signed_in_is_sent_to_sign_in(client):
    assert client.get("/prices/").status_code == 302


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_browser_shows_it_without_complaint_in_both_themes_and_on_a_phone(
    browser, live_server, client, market, theme, tmp_path
):
    client.force_login(bob())
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    complaints = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    opened.context.add_cookies([cookie])
    opened.goto(live_server.url + PAGE)
    for width, shape in ((1280, "wide"), (390, "narrow")):
        opened.set_viewport_size({"width": width, "height": 900})
        assert opened.locator("svg.prices:visible").count() == 1
        assert opened.locator(f"svg.prices-{shape}").is_visible()
        assert opened.locator("svg.prices:visible .slice title").first.text_content().count("use1-az") == 3
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        opened.screenshot(path=tmp_path / f"prices-{theme}-{width}.png", full_page=True)
    opened.fill("#id_type", "m5.xlarge")
    opened.press("#id_type", "Enter")
    opened.wait_for_url("**type=m5.xlarge**")
    assert "m5.xlarge in us-east-1, 7 days" in opened.inner_text("#chart-title")
    assert complaints == []
    opened.close()
