"""Is an instance evaluated once, from tables alone, with every step and the receipt kept?"""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry
from governance.models import OptimizationPolicy, Quarantine
from instances.models import Instance
from mlregistry.models import PoolScore, Prediction
from pipelines import linear
from pipelines.models import ExperimentLog, PipelineRun, RunState, RunStep
from pipelines.picture import STEPS
from tests.factories import NOW, a_group, alice, an_account
from tests.pipelines.worlds import TYPES, ZONES, a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db


def decided(instance: Instance, *, now=NOW) -> ExperimentLog:
    run = linear.evaluate(instance, now=now)
    assert run.state == RunState.DONE, run.error
    return run.experiment


def test_a_plain_machine_is_switched_to_the_cheapest_safe_pool():
    a_scored_market()
    found = decided(a_plain_instance())
    assert (found.decision, found.target_instance_type, found.target_zone_id) == ("SWITCH", "m5a.large", "use1-az2")
    # 730 × (0.096 − 0.036) − an hour of 0.096
    assert found.expected_savings_usd_per_month == Decimal("43.70")
    assert found.current_usd_per_month == Decimal("70.08")
    assert found.evidence == "advisor"
    assert found.is_shadow
    assert "Before acting: savings_plans, stateless." in found.reason


def test_every_step_is_recorded_in_the_order_of_the_picture():
    a_scored_market()
    run = linear.evaluate(a_plain_instance(), now=NOW)
    steps = list(run.steps.all())
    assert tuple(step.name for step in steps) == STEPS
    assert [step.state for step in steps] == ["done"] * 8 + ["skipped"]
    candidates = steps[1]
    assert (candidates.count_in, candidates.count_out) == (len(TYPES) * len(ZONES), 9)
    assert candidates.outputs["rejected_types"] == {
        "4 GiB memory, 8 needed": 1,
        "architecture arm64, image is x86_64": 1,
    }
    assert all(step.outputs["note"] for step in steps)


def test_the_receipt_tells_every_candidate_and_every_rejection():
    a_scored_market()
    receipt = decided(a_plain_instance()).receipt
    assert [each["rank"] for each in receipt["candidates"]] == list(range(1, 10))
    best = receipt["candidates"][0]
    assert best["pool"] == receipt["decision"]["chosen"] == "m5a.large in use1-az2"
    assert len(best["verdicts"]) == 19
    assert set(best["score"]["components"]) == {"advisor", "stability", "structural", "learned"}
    assert receipt["rejected"]["types"]["4 GiB memory, 8 needed"] == ["c5.large"]
    assert receipt["policy"]["min_safety_score"] == {"value": 0.75, "set_by": "default"}
    assert [source["what"] for source in receipt["sources"]] == [
        "the instance",
        "On-Demand price",
        "Spot prices",
        "Spot Advisor rating",
        "scores",
    ]
    assert receipt["sources"][2]["age_hours"] == pytest.approx(1 / 6)
    assert receipt["flip"]["becomes"] == "STAY"


def test_the_candidates_are_read_in_a_number_of_queries_that_does_not_grow():
    a_scored_market()
    account = an_account()
    counts = []
    for neighbours in (0, 6):
        for _ in range(neighbours):
            a_plain_instance(account)
        run = linear.request(a_plain_instance(account), trigger="person", now=NOW)
        with CaptureQueriesContext(connection) as asked:
            linear.evaluate(run, now=NOW)
        reads = [q["sql"] for q in asked if q["sql"].startswith("SELECT") and "FOR UPDATE" not in q["sql"]]
        counts.append(len(reads))
    assert counts == [13, 13]


def test_no_connection_leaves_the_process_while_deciding(monkeypatch):
    a_scored_market()
    run = linear.request(a_plain_instance(), trigger="person", now=NOW)
    PipelineRun.objects.count()  # the database's own connection is open

    def refuse(*args, **kwargs):
        raise AssertionError(f"something connects: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert linear.evaluate(run, now=NOW).state == RunState.DONE


def test_a_pool_without_a_subnet_of_the_vpc_is_left_out_with_the_reason():
    a_scored_market()
    instance = a_plain_instance()
    instance.facts["subnets"] = instance.facts["subnets"][:1]
    instance.save()
    found = decided(instance)
    assert found.target_zone_id == "use1-az1"
    assert found.receipt["rejected"]["pools"]["no subnet of vpc-1 in use1-az2"] == [
        "m5.large in use1-az2",
        "m5a.large in use1-az2",
        "m6i.large in use1-az2",
    ]


def test_a_pool_with_unknown_data_is_left_out_and_says_what_is_missing():
    a_scored_market()
    PoolScore.objects.filter(pool__instance_type="m5a.large").update(unknown=["3.0 days of 7 of price history"])
    found = decided(a_plain_instance())
    assert found.target_instance_type == "m5.large"
    assert "unknown: 3.0 days of 7 of price history" in found.receipt["rejected"]["pools"]


def test_scores_of_another_model_than_the_active_one_do_not_count():
    a_scored_market()
    PoolScore.objects.filter(pool__instance_type="m5a.large").delete()
    found = decided(a_plain_instance())
    assert found.receipt["rejected"]["pools"]["unknown: not scored yet"][0] == "m5a.large in use1-az1"


def test_scores_that_another_release_laid_out_do_not_count():
    a_scored_market()
    PoolScore.objects.filter(pool__instance_type="m5a.large").update(layout=0)
    found = decided(a_plain_instance())
    assert found.target_instance_type == "m5.large"
    assert "unknown: scored by another release of ours" in found.receipt["rejected"]["pools"]


def test_a_quarantined_pool_is_passed_over():
    a_scored_market()
    Quarantine.objects.create(
        instance_type="m5a.large", zone_id="use1-az2", began_at=NOW, expires_at=NOW + timedelta(days=15), reason="test"
    )
    found = decided(a_plain_instance())
    assert (found.target_instance_type, found.target_zone_id) == ("m5.large", "use1-az2")


def test_old_scores_stay():
    a_scored_market()
    instance = a_plain_instance(seen_at=NOW + timedelta(hours=3))
    found = decided(instance, now=NOW + timedelta(hours=3))
    assert found.decision == "STAY"
    assert "Spot prices: 3.17 h old; at most 2 h" in found.reason
    assert found.expected_savings_usd_per_month is None


@pytest.mark.parametrize(
    "fields, facts, said",
    [
        ({"is_spot": True}, {}, "it already runs on Spot"),
        ({"state": "stopped"}, {}, "it is stopped"),
        ({"vanished_at": NOW}, {}, "it is gone"),
        ({"cluster_name": "shop"}, {}, "is a node of the cluster shop"),
        ({}, {"is_termination_protected": True}, "termination protection is on"),
        ({}, {"is_termination_protected": None}, "AWS did not say whether termination protection is on"),
        ({}, {"reservations": ["ri-1"]}, "the reservation ri-1 may cover it"),
        ({"product": ""}, {}, "the platform is one we have no prices for"),
    ],
)
def test_what_must_not_be_moved_stays_with_its_reason(fields, facts, said):
    a_scored_market()
    found = decided(a_plain_instance(facts=facts, **fields))
    assert found.decision == "STAY"
    assert said in found.reason


def test_a_member_of_a_group_is_left_to_its_group():
    a_scored_market()
    account = an_account()
    found = decided(a_plain_instance(account, group=a_group(account, name="web")))
    assert "belongs to the Auto Scaling group web: replaced through its group, never alone" in found.reason


def test_nothing_known_of_an_instance_refuses_it():
    a_scored_market()
    instance = a_plain_instance()
    instance.facts = {}
    instance.save()
    found = decided(instance)
    assert found.decision == "STAY"
    outcomes = {verdict["gate"]: verdict["outcome"] for verdict in found.receipt["refusals"]}
    assert {gate for gate, outcome in outcomes.items() if outcome == "unknown"} >= {
        "root_volume",
        "interfaces",
        "termination_protection",
        "tenancy",
        "usage_operation",
        "reserved_instances",
    }


def test_a_policy_of_the_account_holds_and_is_named():
    a_scored_market()
    account = an_account()
    OptimizationPolicy.objects.create(
        organization=account.organization, account=account, overrides={"min_savings_percent": 70}
    )
    found = decided(a_plain_instance(account))
    assert found.decision == "STAY"
    assert found.receipt["policy"]["min_savings_percent"] == {"value": "70", "set_by": "account"}
    assert found.receipt["flip"]["figure"] == "spot_usd_micro"


def test_a_policy_nobody_can_read_fails_the_run_and_says_why():
    a_scored_market()
    run = linear.evaluate(a_plain_instance(policy_overrides={"min_risk": 1}), now=NOW)
    assert run.state == RunState.FAILED
    assert "instance: there is no limit called 'min_risk'" in run.error
    step = run.steps.get()
    assert (step.name, step.state) == ("target", "failed")
    assert not ExperimentLog.objects.exists()


def test_a_run_that_breaks_keeps_what_stands_and_frees_the_instance():
    a_scored_market()
    PoolScore.objects.update(numbers=b"")
    instance = a_plain_instance()
    run = linear.evaluate(instance, now=NOW)
    assert run.state == RunState.FAILED
    assert [step.state for step in run.steps.all()] == ["done", "done", "failed"]
    assert linear.request(instance, trigger="person", now=NOW).pk != run.pk


def test_two_requests_at_once_are_one_run():
    instance = a_plain_instance()
    first = linear.request(instance, trigger="person", by=alice(), now=NOW)
    assert linear.request(instance, trigger="beat", now=NOW) == first
    assert PipelineRun.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_people_who_press_at_the_same_moment_join_one_run():
    instance = a_plain_instance()
    together = threading.Barrier(4)

    def press(_):
        together.wait()
        try:
            return linear.request(Instance.objects.get(pk=instance.pk), trigger="person", now=NOW).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as people:
        assert len(set(people.map(press, range(4)))) == 1


def test_a_run_that_another_worker_is_at_is_left_alone():
    a_scored_market()
    run = linear.request(a_plain_instance(), trigger="person", now=NOW)
    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING.value, started_at=NOW - timedelta(minutes=9))
    assert linear.evaluate(run, now=NOW).state == RunState.RUNNING
    assert not RunStep.objects.exists()


def test_a_run_whose_worker_was_lost_is_taken_over_from_the_start():
    a_scored_market()
    run = linear.request(a_plain_instance(), trigger="person", now=NOW)
    began = NOW - timedelta(minutes=11)
    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING.value, started_at=began)
    RunStep.objects.create(run=run, position=0, name="target", state="done", started_at=began, duration_ms=1)
    assert linear.evaluate(run, now=NOW).state == RunState.DONE
    assert run.steps.count() == len(STEPS)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_half_way_fails_the_run_and_the_next_one_decides():
    a_scored_market()
    instance = a_plain_instance()
    run = linear.request(instance, trigger="person", now=NOW)
    with connection.execute_wrapper(the_server_ends_the_session_at("governance_quarantine")):
        assert linear.evaluate(run, now=NOW).state == RunState.FAILED
    run.refresh_from_db()
    assert "terminating connection" in run.error
    assert [(step.name, step.state) for step in run.steps.all()] == [("target", "done"), ("candidates", "failed")]
    assert not ExperimentLog.objects.exists()
    assert linear.evaluate(instance, now=NOW).state == RunState.DONE
    assert ExperimentLog.objects.count() == 1


def the_server_ends_the_session_at(table: str):
    def wrapper(execute, statement, params, many, context):
        if table in statement:
            with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        return execute(statement, params, many, context)

    return wrapper


def test_a_worker_that_was_overtaken_writes_nothing_more():
    from pipelines.recording import Overtaken, Recorder

    run = linear.request(a_plain_instance(), trigger="person", now=NOW)
    slow = Recorder.claim(run, now=NOW)
    assert slow is not None
    assert Recorder.claim(run, now=NOW + timedelta(minutes=11)) is not None
    with pytest.raises(Overtaken), slow.step("target"):
        pass
    assert not RunStep.objects.exists()


def test_a_finished_run_is_not_evaluated_again():
    a_scored_market()
    run = linear.evaluate(a_plain_instance(), now=NOW)
    linear.evaluate(run, now=NOW)
    assert ExperimentLog.objects.count() == 1


def test_only_the_newest_decision_of_an_instance_is_its_latest():
    a_scored_market()
    instance = a_plain_instance()
    older, newer = decided(instance), decided(instance, now=NOW + timedelta(minutes=1))
    older.refresh_from_db()
    assert (older.is_latest, newer.is_latest) == (False, True)


def test_the_prediction_and_the_audit_entry_stand_beside_the_decision():
    a_scored_market()
    found = decided(a_plain_instance())
    prediction = Prediction.objects.get()
    assert prediction.probability == found.interruption_probability
    assert prediction.pool is not None
    assert prediction.pool.instance_type == "m5a.large"
    entry = AuditEntry.objects.get(deed="instance.evaluated")
    assert entry.after == {"decision": "SWITCH", "experiment": str(found.pk)}
    assert entry.organization == found.organization
