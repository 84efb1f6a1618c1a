"""Does a decision come out again from its receipt, and is every tampering told?"""

import copy
import io
import json
import math
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from instances.models import Pool
from mlregistry.models import FeatureStatistics, PoolScore
from pipelines import linear
from pipelines.domain.receipt import digest, normal
from pipelines.models import ExperimentLog
from pipelines.replaying import replay, replay_receipt
from tests.factories import NOW
from tests.mlregistry.a_market import a_registered_model
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db


def a_decision(**fields) -> ExperimentLog:
    a_scored_market()
    run = linear.evaluate(a_plain_instance(**fields), now=NOW)
    return ExperimentLog.objects.get(run=run)  # as the database gives it back


def test_a_decision_comes_out_again_bit_for_bit():
    found = replay(a_decision())
    assert found.is_exact
    assert found.differences == ()


def test_nothing_but_the_receipt_is_needed():
    decision = a_decision()
    PoolScore.objects.all().delete()
    FeatureStatistics.objects.all().delete()
    Pool.objects.all().delete()
    assert replay(decision).is_same


def test_a_refused_instance_replays_too():
    assert replay(a_decision(facts={"is_termination_protected": True})).is_same


def test_an_instance_without_any_candidate_replays_too():
    assert replay(a_decision(product="")).is_same


def test_the_models_answers_and_their_reasons_come_out_again():
    model = a_registered_model(trace_families=["m5", "m5a"])
    decision = a_decision()
    told = decision.receipt
    assert told["model"]["file_sha256"] == model.file_id
    judged = [each for each in told["candidates"] if each["score"]["evidence"] == "trace"]
    assert len(judged) == 6
    for each in judged:
        reasons = each["score"]["contributions"]
        log_odds = sum(reasons["log_odds"].values()) + reasons["base"]
        assert 1 / (1 + math.exp(-log_odds)) == pytest.approx(each["score"]["interruption_probability"])
    a_registered_model(version="2")  # it need not be active any more
    assert replay(decision).is_same


def test_other_software_is_compared_to_a_tolerance():
    receipt = a_decision().receipt
    receipt["software"]["processor"] = "s390x"
    score = receipt["candidates"][0]["score"]
    score["safety_score"] *= 1 + 1e-14
    receipt["candidates"][0]["candidate"]["safety_score"] = score["safety_score"]
    found = replay_receipt(receipt)
    assert not found.is_exact
    assert found.differences == ()
    score["safety_score"] *= 1 + 1e-10
    assert any("safety_score" in line for line in replay_receipt(receipt).differences)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_the_database_gives_every_float_back_with_its_bits(db, values):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb", [Jsonb(normal(values))])
        stored = cursor.fetchone()[0]
    stored = json.loads(stored) if isinstance(stored, str) else stored
    assert stored == normal(values)
    assert digest(stored) == digest(values)


def test_a_receipt_that_was_changed_is_told_by_its_digest():
    decision = a_decision()
    decision.receipt["decision"]["reason"] = "because"
    assert "its SHA-256 differs" in replay(decision).differences[0]


@pytest.mark.parametrize(
    "path, value, where",
    [
        (("candidates", 0, "inputs", "current_micro"), 35_000.0, "candidates[0]"),
        (("candidates", 0, "inputs", "band"), 4.0, "candidates"),
        (("candidates", 0, "candidate", "spot_usd_micro"), 10_000, "savings"),
        (("policy", "min_savings_percent", "value"), "80", "decision.choice"),
        (("fleet", "size"), 50, "verdicts"),
        (("on_demand", "usd_micro"), 200_000, "savings"),
        (("flip", "after"), 1, "flip.after"),
        (("features", "hash"), "0" * 64, "features.hash"),
        (("target", "is_termination_protected"), True, "decision.choice"),
    ],
)
def test_a_changed_figure_makes_another_decision_even_under_a_fresh_digest(path, value, where):
    decision = a_decision()
    place = decision.receipt
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] != value
    place[path[-1]] = value
    decision.receipt_sha256 = digest(decision.receipt)
    found = replay(decision)
    assert any(where in line for line in found.differences), found.differences


def test_a_row_that_contradicts_its_receipt_is_told():
    decision = a_decision()
    decision.decision = "STAY"
    assert replay(decision).differences[0] == "the row says STAY, its receipt SWITCH"


@pytest.mark.parametrize("lost", ["candidates", "policy", "target", "model", "software", "statistics", "now"])
def test_a_receipt_with_a_part_missing_is_told(lost):
    receipt = copy.deepcopy(a_decision().receipt)
    del receipt[lost]
    assert not replay_receipt(receipt).is_same


def test_a_model_that_is_not_registered_is_told():
    receipt = a_decision().receipt
    receipt["model"] |= {"file_sha256": "a" * 64, "metadata_sha256": "b" * 64}
    assert "no registered model has the digests" in replay_receipt(receipt).differences[0]


def test_a_receipt_of_other_features_says_so_and_nothing_else():
    receipt = a_decision().receipt
    receipt["features"]["version"] = "pools-1"
    (difference,) = replay_receipt(receipt).differences
    assert "written with features pools-1, here they are pools-2" in difference


def test_a_receipt_of_another_baseline_says_so_and_nothing_else():
    receipt = a_decision().receipt
    receipt["model"] |= {"version": "1"}
    (difference,) = replay_receipt(receipt).differences
    assert "advisor-baseline 1 judged it, here is 2" in difference


def test_the_command_replays_and_fails_on_any_difference():
    decision = a_decision()
    out = io.StringIO()
    call_command("replay", str(decision.pk), stdout=out)
    assert "the same, bit for bit" in out.getvalue()
    call_command("replay", "--latest", stdout=out)
    ExperimentLog.objects.update(receipt_sha256="0" * 64)
    with pytest.raises(CommandError, match="1 of 1 decisions did not come out again"):
        call_command("replay", str(decision.pk), stdout=out)
    assert "SHA-256 differs" in out.getvalue()


@pytest.mark.parametrize("wrong", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_the_command_says_when_there_is_no_such_decision(wrong):
    with pytest.raises(CommandError):
        call_command("replay", wrong, stdout=io.StringIO())


def test_evaluating_by_hand_prints_what_was_decided():
    a_scored_market()
    instance = a_plain_instance()
    out = io.StringIO()
    call_command("evaluate", "--instance", instance.instance_id, "--json", stdout=out)
    (row,) = json.loads(out.getvalue())
    assert row["instance"] == instance.instance_id
    assert row["state"] == "done"
    assert row["decision"] in {"SWITCH", "STAY"}
    with pytest.raises(CommandError, match="no such instance is known"):
        call_command("evaluate", "--account", "999999999999", stdout=out)


def test_evaluating_by_hand_fails_when_a_run_does():
    a_plain_instance(policy_overrides={"min_risk": 1}, seen_at=NOW - timedelta(days=1))
    out = io.StringIO()
    with pytest.raises(CommandError, match="evaluation failed for i-"):
        call_command("evaluate", "--all", stdout=out)
    assert "there is no limit called 'min_risk'" in out.getvalue()
