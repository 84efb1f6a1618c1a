"""The pages of experiments: every decision, found again by its address, and two models on the same instances."""

import csv
import io
import re
from datetime import timedelta

import pytest

from tests.factories import (
    NOW,
    a_browser,
    a_model,
    alice,
    an_account,
    an_experiment,
    an_instance,
    bob,
    charlie,
    northwind,
    southwind,
)

pytestmark = pytest.mark.django_db
PAGE, COMPARE = "/experiments/", "/experiments/compare/"
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=')


def text(answer):
    assert answer.status_code == 200
    return answer.getvalue().decode()


def shown(query="", person=None):
    return text(a_browser(person or alice()).get(f"{PAGE}{query}"))


def test_a_decision_is_listed_with_its_model_and_leads_to_its_receipt():
    made = an_experiment(an_instance(name="web-paris"), model=a_model("hazard", version="7"))
    page = shown(person=bob())
    for word in ("web-paris", "hazard 7", "cheaper and safe", "$41.25", "Shadow", f"/decisions/{made.pk}/"):
        assert word in page
    assert '<a href="/experiments/" aria-current="page">Experiments</a>' in page


def test_a_stranger_sees_none_of_them_and_none_of_our_accounts_to_choose_from():
    account = an_account(northwind(), name="northern")
    an_experiment(an_instance(account, name="web-paris"))
    assert "No decisions yet" in shown(person=charlie())
    page = shown(f"?account={account.pk}", charlie())
    assert "web-paris" not in page
    assert "northern" not in page
    assert "Select a valid choice" in page


@pytest.mark.parametrize(
    "query, names",
    [
        ("q=web", {"web"}),
        ("environment=LAB", {"lab"}),
        ("decision=STAY", {"lab"}),
        ("model={model}", {"web"}),
        ("account={account}", {"lab"}),
        ("shadow=no", {"lab"}),
        ("since=2026-11-18", {"web"}),
        ("until=2026-11-18", {"lab"}),
        ("q=web&decision=STAY", set()),
    ],
)
def test_decisions_are_filtered(query, names):
    model, account = a_model(), an_account(northwind(), environment="LAB")
    an_experiment(an_instance(name="web"), model=model)
    an_experiment(
        an_instance(account, name="lab"), decision="STAY", is_shadow=False, decided_at=NOW - timedelta(days=3)
    )
    page = shown("?" + query.format(model=model.pk, account=account.pk))
    assert set(re.findall(r'/instances/\d+/">(\w+)<', page)) == names
    assert names or "No decision matches" in page


def test_decisions_are_sorted_and_what_is_unknown_comes_last():
    for saves in ("5.00", None, "9.00"):
        an_experiment(expected_savings_usd_per_month=saves)
    figures = re.findall(r'data-label="Saves a month"><div>([^<]+)<', shown("?sort=-savings"))
    assert figures == ["$9.00", "$5.00", "–"]
    assert re.findall(r'data-label="Saves a month"><div>([^<]+)<', shown("?sort=savings"))[0] == "$5.00"


def test_one_goes_through_them_page_by_page():
    instance = an_instance()
    for n in range(55):
        an_experiment(instance, decided_at=NOW - timedelta(hours=n))
    first = shown()
    assert first.count('scope="row"') == 50
    further = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    assert shown(further).count('scope="row"') == 5


def test_the_sheet_holds_the_same_decisions_and_no_formula():
    an_experiment(an_instance(name="=1+1"), reason="+cmd")
    an_experiment(decision="STAY")
    an_experiment(an_instance(an_account(southwind())))
    [row] = csv.DictReader(io.StringIO(shown("?decision=SWITCH&format=csv")))
    assert (row["name"], row["reason"], row["savings_usd_per_month"]) == ("'=1+1", "'+cmd", "41.25")


def test_an_empty_list_says_where_decisions_come_from():
    assert "Instances are evaluated every hour" in shown()


def test_htmx_gets_the_rows_alone():
    answer = a_browser(alice()).get(PAGE, headers={"HX-Request": "true"})
    assert text(answer).lstrip().startswith('<div id="experiments"')


# --- Two models ----------------------------------------------------------------------------------------------------
def compared(a, b, person=None):
    return text(a_browser(person or alice()).get(f"{COMPARE}?a={a.pk}&b={b.pk}"))


def test_two_models_stand_side_by_side_with_how_sure_each_figure_is():
    a, b = a_model("hazard"), a_model("newer")
    for n in range(4):
        instance = an_instance(name=f"web-{n}")
        an_experiment(instance, model=a)
        an_experiment(instance, model=b, **({"decision": "STAY"} if n == 0 else {}))
    page = compared(a, b, bob())
    for word in ("75.0 %", "30.1 % to 95.4 %", "$165.00", "$123.75", "−$41.25", "may be chance", "no outcomes yet"):
        assert word in page, word
    assert re.findall(r'/instances/\d+/">(web-\d)<', page) == ["web-0"]
    assert not EXTERNAL.findall(page)


def test_what_was_never_judged_by_both_is_not_known():
    page = compared(a_model(), a_model())
    assert "have judged no instance in common yet" in page
    assert "$0.00" not in page


def test_a_stranger_compares_nothing_of_ours():
    a, b = a_model(), a_model()
    instance = an_instance(name="web-paris")
    an_experiment(instance, model=a)
    an_experiment(instance, model=b, decision="STAY")
    page = compared(a, b, charlie())
    assert "web-paris" not in page
    assert "have judged no instance in common yet" in page


def test_without_two_models_the_page_says_what_is_missing():
    assert "No model is registered here" in text(a_browser(alice()).get(COMPARE))
    model = a_model()
    assert "Only one model is registered here" in text(a_browser(alice()).get(COMPARE))
    a_model()
    assert "Choose two models" in text(a_browser(alice()).get(COMPARE))
    assert "a model always agrees with itself" in compared(model, model)


@pytest.mark.parametrize("query", ["a=999998&b=999999", "a=x&b=y", "a=1"])
def test_a_comparison_of_what_is_none_says_so(query):
    a_model()
    page = text(a_browser(alice()).get(f"{COMPARE}?{query}"))
    assert 'role="alert"' in page
