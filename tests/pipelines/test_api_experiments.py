"""Lab 16, 17: is a decision shown with all it rests on, and are two models compared on what both have judged?"""

import uuid
from datetime import timedelta

import pytest

from accounts.domain import Scope
from mlregistry.models import Prediction
from pipelines.models import ShadowDecision
from tests.factories import (
    NOW,
    a_browser,
    a_model,
    a_program,
    a_run,
    alice,
    an_experiment,
    an_instance,
    bob,
    charlie,
    northwind,
)

pytestmark = pytest.mark.django_db
LIST = "/api/v1/lab/experiments"


def test_a_decision_is_listed_without_and_shown_with_its_receipt():
    model = a_model("hazard")
    made = an_experiment(model=model, receipt={"gates": [1, 2.5, None]})
    client = a_browser(bob())
    [row] = client.get(LIST).json()["results"]
    assert "receipt" not in row
    assert row["model"] == {"model_id": model.pk, "name": "hazard", "version": "1"}
    assert row["risk_score"] == pytest.approx(0.1)
    assert row["expected_savings_usd_per_month"] == "41.25"
    shown = client.get(f"{LIST}/{made.pk}").json()
    assert shown["receipt"] == {"gates": [1, 2.5, None]}
    assert shown["receipt_sha256"] == made.receipt_sha256


def test_what_is_unknown_is_null_and_not_zero():
    an_experiment(safety_score=None, interruption_probability=None, expected_savings_usd_per_month=None)
    [row] = a_browser(alice()).get(LIST).json()["results"]
    assert row["safety_score"] is row["risk_score"] is row["interruption_probability"] is None
    assert row["expected_savings_usd_per_month"] is None


@pytest.mark.parametrize(
    "query, count",
    [
        ("decision=STAY", 1),
        ("is_shadow=false", 0),
        ("since=2026-11-18T00:00:00Z", 1),
        ("until=2026-11-18T00:00:00Z", 1),
        ("environment=LAB", 0),
        ("ordering=decided_at", 2),
    ],
)
def test_decisions_are_filtered(query, count):
    an_experiment()
    an_experiment(decision="STAY", decided_at=NOW - timedelta(days=3))
    assert a_browser(alice()).get(f"{LIST}?{query}").json()["count"] == count


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59Z", "2026-13-01", "yesterday"])
def test_a_time_beyond_the_calendar_is_an_error_and_not_a_failure(since):
    response = a_browser(alice()).get(f"{LIST}?since={since}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "?since"


def test_a_longer_list_of_decisions_asks_no_more_questions(django_assert_num_queries):
    model = a_model()
    program = a_program(northwind(), Scope.READ)
    program.get(LIST)
    for count in (1, 4):
        for _ in range(count):
            an_experiment(model=model)
        with django_assert_num_queries(3):
            program.get(LIST)


def compared(a, b, client=None) -> dict:
    response = (client or a_browser(alice())).get(f"{LIST}/compare?a={a.pk}&b={b.pk}")
    assert response.status_code == 200, response.content
    return response.json()


def test_two_models_are_compared_on_the_instances_that_both_judged():
    a, b = a_model("a"), a_model("b")
    both, differ, alone = an_instance(), an_instance(), an_instance()
    an_experiment(both, model=a)
    an_experiment(both, model=b, interruption_probability=0.08)
    an_experiment(differ, model=a)
    an_experiment(differ, model=b, decision="SWITCH", decided_at=NOW - timedelta(days=1))  # not its last word
    an_experiment(differ, model=b, decision="STAY", interruption_probability=None)
    an_experiment(alone, model=a)
    found = compared(a, b)
    assert found["agreement"]["judged"] == 2
    assert found["agreement"]["share"] == 0.5
    assert 0 < found["agreement"]["low"] < 0.5 < found["agreement"]["high"] < 1
    assert {name: said for name, said in found["a"].items() if name != "observed"} == {
        "model": {"model_id": a.pk, "name": "a", "version": "1"},
        "decisions": 3,
        "last_decided_at": "2026-11-18T12:00:00.000000Z",
        "switches": 2,
        "interruption_probability": {"n": 2, "value": pytest.approx(0.04), "low": 0.04, "high": 0.04},
        "savings_usd_per_month": {"n": 2, "value": "82.50", "low": "82.50", "high": "82.50"},
    }
    assert found["b"]["switches"] == 1
    assert found["b"]["interruption_probability"] == {"n": 1, "value": pytest.approx(0.08), "low": None, "high": None}
    assert (found["gain_usd_per_month"]["value"], found["gain_usd_per_month"]["n"]) == ("-41.25", 2)
    assert float(found["gain_usd_per_month"]["low"]) < -41.25 < float(found["gain_usd_per_month"]["high"])
    [difference] = found["differences"]
    assert difference["instance_id"] == differ.instance_id
    assert (difference["a_decision"], difference["b_decision"]) == ("SWITCH", "STAY")


def test_where_nothing_is_shared_or_no_outcome_known_nothing_is_made_up():
    found = compared(a_model(), a_model())
    assert found["agreement"] == {"judged": 0, "agreed": 0, "share": None, "low": None, "high": None}
    assert found["a"]["savings_usd_per_month"] == {"n": 0, "value": None, "low": None, "high": None}
    assert found["a"]["last_decided_at"] is None
    assert (found["labelled_count"], found["calibration"]) == (0, None)


def beside(model, asked, **fields):
    """A decision of the one, and what the other would have decided on the same question."""
    made = an_experiment(model=model)
    decided = {"decision": "SWITCH", "reason": "cheaper", "expected_savings_usd_per_month": "51.25", "latency_ms": 2.0}
    return ShadowDecision.objects.create(
        organization=made.organization, experiment=made, model=asked, **decided | fields
    )


def test_what_one_was_asked_in_shadow_beside_the_other_is_compared_whichever_decided():
    a, b = a_model(), a_model()
    beside(a, b)  # b saves 10.00 more
    beside(b, a)  # a saves 10.00 more
    beside(a, b, decision="STAY", expected_savings_usd_per_month=None)  # b saves 41.25 less
    beside(a, b, expected_savings_usd_per_month=None)  # nobody knows
    beside(a, a_model())
    same = compared(a, b)["same_decisions"]
    assert (same["judged"], same["agreed"], same["share"]) == (4, 3, 0.75)
    assert (same["gain_usd_per_month"]["n"], same["gain_usd_per_month"]["value"]) == (3, "-13.75")
    assert compared(b, a)["same_decisions"]["gain_usd_per_month"]["value"] == "13.75"
    assert compared(a, b, a_browser(charlie()))["same_decisions"]["judged"] == 0


def predicted(model, probability, outcome):
    Prediction.objects.create(
        organization=northwind(),
        model=model,
        prediction_type="spot_interruption",
        inputs={},
        output={},
        probability=probability,
        evidence="trace",
        latency_ms=2.0,
        horizon_seconds=3600,
        outcome=outcome,
    )


def test_outcomes_are_counted_and_the_censored_ones_are_neither_right_nor_wrong():
    a, b = a_model(), a_model()
    for probability, outcome in ((0.4, "interrupted"), (0.2, "survived"), (0.9, "censored"), (0.9, None)):
        predicted(a, probability, outcome)
    found = compared(a, b)
    seen = found["a"]["observed"]
    assert (seen["labelled"], seen["interrupted"], seen["share"], seen["censored"]) == (2, 1, 0.5, 1)
    assert seen["predicted"] == pytest.approx(0.3)
    assert 0 < seen["low"] < 0.5 < seen["high"] < 1
    assert (found["b"]["observed"]["labelled"], found["b"]["observed"]["share"]) == (0, None)
    assert found["labelled_count"] == 2
    assert sum(each["count"] for each in found["calibration"]["a"]) == 2
    assert found["calibration"]["b"] == []
    assert compared(a, b, a_browser(charlie()))["labelled_count"] == 0
    page = a_browser(alice()).get(f"/experiments/compare/?a={a.pk}&b={b.pk}").content.decode()
    for word in ("50.0 %", "of 2 predictions; 1 censored", 'class="plot plot-square"', "no outcomes yet"):
        assert word in page, word


def test_a_switch_whose_savings_are_unknown_is_left_out_and_staying_saves_nothing():
    a, b = a_model(), a_model()
    unknown, stays = an_instance(), an_instance()
    an_experiment(unknown, model=a, expected_savings_usd_per_month=None)
    an_experiment(unknown, model=b)
    an_experiment(stays, model=a, decision="STAY", expected_savings_usd_per_month=None)
    an_experiment(stays, model=b)
    found = compared(a, b)
    assert (found["a"]["savings_usd_per_month"]["n"], found["a"]["savings_usd_per_month"]["value"]) == (1, "0.00")
    assert (found["b"]["savings_usd_per_month"]["n"], found["b"]["savings_usd_per_month"]["value"]) == (2, "82.50")
    assert found["gain_usd_per_month"]["n"] == 1


def test_many_instances_are_compared_with_as_many_questions_as_few(django_assert_num_queries):
    a, b = a_model(), a_model()
    program = a_program(northwind(), Scope.READ)
    program.get(LIST)
    for count in (1, 20):
        for _ in range(count):
            instance = an_instance()
            an_experiment(instance, model=a)
            an_experiment(instance, model=b, decision="STAY")
        for model in (a, b):
            predicted(model, 0.1, "survived")
        # the key, two models, sums, counts, outcomes and calibration, the rows that differ, shadows
        with django_assert_num_queries(9):
            found = compared(a, b, program)
    assert len(found["differences"]) == 21


def test_the_page_with_outcomes_and_differences_asks_at_most_twelve_questions(django_assert_max_num_queries):
    a, b = a_model(), a_model()
    beside(a, b)
    instance = an_instance()
    for model, decision in ((a, "SWITCH"), (b, "STAY")):
        predicted(model, 0.1, "survived")
        an_experiment(instance, model=model, decision=decision)
    client = a_browser(alice())
    address = f"/experiments/compare/?a={a.pk}&b={b.pk}"
    client.get(address)
    with django_assert_max_num_queries(12):
        assert client.get(address).status_code == 200


def test_a_comparison_never_counts_another_organizations_decisions():
    a, b = a_model(), a_model()
    instance = an_instance()
    an_experiment(instance, model=a)
    an_experiment(instance, model=b)
    found = compared(a, b, a_browser(charlie()))
    assert (found["a"]["decisions"], found["agreement"]["judged"]) == (0, 0)


@pytest.mark.parametrize(
    "query, status", [("a=1&b=1", 422), ("a=1", 422), ("a=x&b=2", 422), ("a=1&b=2&c=3", 422), ("a=998&b=999", 404)]
)
def test_a_comparison_of_what_cannot_be_compared_is_refused(query, status):
    assert a_browser(alice()).get(f"{LIST}/compare?{query}").status_code == status


def test_a_run_tells_each_step_in_order():
    run = a_run(steps=("target", "candidates", "features"), requested_by=alice())
    made = an_experiment(run.instance, run=run)
    shown = a_browser(bob()).get(f"/api/v1/lab/runs/{run.pk}").json()
    assert [step["name"] for step in shown["steps"]] == ["target", "candidates", "features"]
    assert shown["steps"][0]["inputs"] == {"instance": run.instance.instance_id}
    assert shown["experiment_id"] == str(made.pk)
    assert shown["requested_by"] == "alice"
    assert shown["started_at"] == "2026-11-18T12:00:00.000000Z"


def test_a_run_without_a_decision_yet_says_so():
    run = a_run(steps=(), state="queued", started_at=None, ended_at=None)
    shown = a_browser(bob()).get(f"/api/v1/lab/runs/{run.pk}").json()
    assert (shown["state"], shown["steps"], shown["experiment_id"]) == ("queued", [], None)


def test_a_run_with_many_steps_asks_no_more_questions(django_assert_num_queries):
    program = a_program(northwind(), Scope.READ)
    program.get(LIST)
    for steps in (["target"], ["target", "candidates", "features", "inference"]):
        run = a_run(steps=steps)
        with django_assert_num_queries(3):  # the key, the run, its steps
            program.get(f"/api/v1/lab/runs/{run.pk}")


@pytest.mark.parametrize("address", ["experiments", "runs"])
def test_a_strangers_and_an_absent_one_look_the_same(address):
    made = an_experiment()
    key = made.pk if address == "experiments" else made.run_id
    client = a_browser(charlie())
    foreign, absent = (client.get(f"/api/v1/lab/{address}/{pk}") for pk in (key, uuid.uuid4()))
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() | {"request_id": ""} == absent.json() | {"request_id": ""}
