"""Lab 7, 8, 12: are instances found, filtered and shown with their last decision, and only to their own?"""

from datetime import timedelta

import pytest

from accounts.domain import Environment, Scope
from tests.factories import (
    NOW,
    a_browser,
    a_group,
    a_program,
    a_run,
    alice,
    an_account,
    an_experiment,
    an_instance,
    bob,
    charlie,
    northwind,
    said,
)

pytestmark = pytest.mark.django_db
LIST = "/api/v1/lab/instances"


def names(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["results"]]


def test_a_viewer_reads_the_instances_of_the_organization(client):
    an_instance(name="ours")
    body = a_browser(bob()).get(LIST).json()
    assert (body["count"], body["next"], body["previous"]) == (1, None, None)
    assert body["results"][0]["name"] == "ours"


def test_an_instance_says_what_it_is_and_what_was_decided():
    account = an_account(name="shop", environment=Environment.LAB.value)
    instance = an_instance(account, name="web", group=a_group(account, name="workers"), tags={"team": "a"})
    an_experiment(instance, decision="STAY", decided_at=NOW - timedelta(hours=1))
    latest = an_experiment(instance)
    shown = a_browser(alice()).get(f"{LIST}/{instance.pk}").json()
    assert shown["instance_id"] == instance.instance_id
    assert shown["account"]["environment"] == "LAB"
    assert shown["group"] == "workers"
    assert shown["tags"] == {"team": "a"}
    assert shown["launched_at"] == "2026-10-19T12:00:00.000000Z"
    assert shown["open_run_id"] is None
    assert shown["last_evaluation"] == {
        "experiment_id": str(latest.pk),
        "decision": "SWITCH",
        "reason": "cheaper and safe",
        "target_instance_type": "c5.large",
        "target_zone_id": "use1-az2",
        "interruption_probability": 0.04,
        "evidence": "trace",
        "safety_score": 0.9,
        "expected_savings_usd_per_month": "41.25",
        "decided_at": "2026-11-18T12:00:00.000000Z",
    }


def test_an_instance_that_was_never_evaluated_has_no_evaluation():
    instance = an_instance()
    assert a_browser(alice()).get(f"{LIST}/{instance.pk}").json()["last_evaluation"] is None


def test_an_open_run_is_named():
    instance = an_instance()
    run = a_run(instance, state="running", ended_at=None)
    assert a_browser(alice()).get(f"{LIST}/{instance.pk}").json()["open_run_id"] == str(run.pk)


def test_what_vanished_is_not_listed_but_still_found():
    gone = an_instance(vanished_at=NOW)
    assert names(a_browser(alice()).get(LIST)) == []
    assert a_browser(alice()).get(f"{LIST}/{gone.pk}").json()["vanished_at"]


@pytest.fixture
def fleet() -> None:
    """Three machines that differ in everything one can filter by."""
    lab = an_account(environment=Environment.LAB.value, account_id="111111111111")
    prod = an_account(account_id="222222222222")
    an_experiment(an_instance(lab, name="alpha", region="eu-west-3", is_spot=True, instance_type="c5.large"))
    an_experiment(
        an_instance(prod, name="beta", state="stopped", pipeline_mode="CLUSTER"),
        decision="STAY",
        expected_savings_usd_per_month=None,
        interruption_probability=None,
    )
    an_instance(prod, name="gamma", launched_at=NOW)


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    "query, expected",
    [
        ("environment=LAB", ["alpha"]),
        ("account_id=222222222222", ["beta", "gamma"]),
        ("region=eu-west-3", ["alpha"]),
        ("state=stopped", ["beta"]),
        ("is_spot=true", ["alpha"]),
        ("is_spot=false", ["beta", "gamma"]),
        ("instance_type=c5.large", ["alpha"]),
        ("pipeline_mode=CLUSTER", ["beta"]),
        ("decision=STAY", ["beta"]),
        ("decision=none", ["gamma"]),
        ("search=ALPH", ["alpha"]),
        ("search=m5", ["beta", "gamma"]),
        ("region=mars-1", []),
        ("ordering=-name", ["gamma", "beta", "alpha"]),
        ("ordering=expected_savings_usd_per_month", ["alpha", "beta", "gamma"]),
        (
            "ordering=-expected_savings_usd_per_month",
            ["alpha", "beta", "gamma"],
        ),  # what is unknown comes last both ways
        ("ordering=-launched_at", ["gamma", "alpha", "beta"]),
        ("limit=1&offset=1", ["beta"]),
    ],
)
def test_the_list_is_filtered_and_ordered(query, expected):
    assert names(a_browser(alice()).get(f"{LIST}?{query}")) == expected


@pytest.mark.parametrize(
    "query, parameter",
    [
        ("enviroment=LAB", "?enviroment"),
        ("environment=lab", "?environment"),
        ("is_spot=maybe", "?is_spot"),
        ("ordering=facts", "?ordering"),
        ("account=x", "?account"),
        ("limit=1001", "?limit"),
        ("limit=0", "?limit"),
        ("offset=-1", "?offset"),
        ("decision=PERHAPS", "?decision"),
        ("search=%00", "?search"),
    ],
)
def test_a_bad_or_misspelt_parameter_is_an_error_and_never_shows_everything(query, parameter):
    response = a_browser(alice()).get(f"{LIST}?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == parameter


def test_pages_lead_to_each_other():
    account = an_account()
    for _ in range(3):
        an_instance(account)
    client = a_browser(alice())
    first = client.get(f"{LIST}?limit=2").json()
    second = client.get(first["next"]).json()
    assert first["count"] == 3
    assert second["next"] is None
    assert len({row["id"] for row in first["results"] + second["results"]}) == 3


def test_a_longer_list_asks_no_more_questions(django_assert_num_queries):
    account = an_account()
    program = a_program(northwind(), Scope.READ)
    program.get(LIST)  # the key remembers its first use of this minute
    for count in (1, 5):
        while account.instances.count() < count:
            an_experiment(an_instance(account, group=a_group(account)))
        with django_assert_num_queries(4):  # the key, the count, the page, the models assigned
            assert len(program.get(LIST).json()["results"]) == count


def test_a_stranger_finds_neither_the_list_nor_the_instance():
    instance = an_instance()
    stranger = a_browser(charlie())
    assert stranger.get(LIST).json()["count"] == 0
    foreign, absent = stranger.get(f"{LIST}/{instance.pk}"), stranger.get(f"{LIST}/999999999")
    assert (foreign.status_code, said(foreign)) == (404, said(absent))
    assert stranger.get(f"{LIST}/{instance.pk}/experiments").status_code == 404


def test_a_number_too_large_for_the_database_is_just_not_found():
    assert a_browser(alice()).get(f"{LIST}/{10**30}").status_code == 404


def test_the_decisions_on_one_instance_are_listed_newest_first():
    instance = an_instance()
    old = an_experiment(instance, decided_at=NOW - timedelta(days=1), decision="STAY")
    new = an_experiment(instance)
    an_experiment()
    rows = a_browser(alice()).get(f"{LIST}/{instance.pk}/experiments").json()["results"]
    assert [row["id"] for row in rows] == [str(new.pk), str(old.pk)]


def test_a_platform_key_names_its_customer():
    an_instance(name="ours")
    platform = a_program(None, Scope.READ)
    unnamed = platform.get(LIST)
    assert unnamed.status_code == 422
    assert unnamed.json()["errors"][0]["pointer"] == "?customer_id"
    assert names(platform.get(f"{LIST}?customer_id={northwind().pk}")) == ["ours"]
    assert platform.get(f"{LIST}?customer_id=nobody").status_code == 404
