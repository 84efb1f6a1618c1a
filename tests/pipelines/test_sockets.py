"""Is everything that is predicted, decided and done on a watched run told, once, with its deed?"""

import json

import pytest
from django.utils import timezone

from accounts import feed
from accounts.authentication import member
from accounts.feed import Kind
from instances import syncing
from instances.models import SyncState
from mlregistry.consumers import Predictions
from pipelines import linear
from pipelines.consumers import PredictionsAndDecisions, run_part
from pipelines.models import ExperimentLog, RunState
from tests.factories import NOW, a_program, a_sync, alice, an_account, northwind, southwind
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db


def rows():
    return feed.after(northwind().pk, 0, most=1000)


def kinds():
    return [row.kind for row in rows()]


def heard(socket):
    view = socket.view(member(alice(), alice().memberships.get()), {})
    return json.loads(view.frame(rows(), 1))["items"]


def test_an_evaluation_tells_its_prediction_and_its_decision_but_steps_only_to_who_asked():
    a_scored_market()
    instance = a_plain_instance(an_account(northwind()))
    linear.evaluate(linear.request(instance, trigger="beat", now=NOW), now=NOW)
    assert kinds() == [Kind.PREDICTION, Kind.EVALUATION, Kind.AUDIT]
    feed.FeedItem.objects.all().delete()
    run = linear.request(instance, trigger="person", by=alice(), now=NOW)
    linear.evaluate(run, now=NOW)
    steps = [row.body["step"]["name"] for row in rows() if row.kind is Kind.RUN and row.body["step"]]
    assert steps == ["target", "candidates", "features", "inference", "gates", "savings", "decision", "log", "act"]
    assert rows()[-1].body["state"] == RunState.DONE
    (evaluation,) = [row.body for row in rows() if row.kind is Kind.EVALUATION]
    kept = ExperimentLog.objects.get(is_latest=True)
    assert (evaluation["experiment_id"], evaluation["decision"]) == (str(kept.pk), kept.decision)
    assert evaluation["expected_savings_usd_per_month"] == str(kept.expected_savings_usd_per_month)


def test_a_picture_is_drawn_anew_for_its_own_run_alone():
    a_scored_market()
    run = linear.request(a_plain_instance(an_account(northwind())), trigger="person", by=alice(), now=NOW)
    view = run_part(member(alice(), alice().memberships.get()), {"run": str(run.pk)})
    linear.evaluate(run, now=NOW)
    told = [row for row in rows() if row.kind is Kind.RUN]
    assert 'id="flow"' in view.frame(told, 1)
    assert 'hx-swap-oob="true"' in view.frame(told, 1)
    assert view.frame([row for row in rows() if row.kind is Kind.AUDIT], 1) is None


def test_what_programs_are_answered_is_streamed_in_pieces_and_to_nobody_else():
    a_scored_market(now=timezone.now())
    client = a_program(northwind())
    pool = {"instance_type": "m5.large", "region": "us-east-1", "az": "use1-az1"}
    body = {"prediction_type": "spot_interruption", "inputs": [pool] * 101}
    answer = client.post("/api/v1/ml/predict", body, content_type="application/json")
    assert answer.status_code == 200
    workload = {"name": "web", "region": "us-east-1", "vcpus": 2, "memory_gib": 4, "count": 1}
    asked = {"request_id": "r-1", "requirements": [workload]}
    answer = client.post("/api/v1/ml/decision/spot-optimize", asked, content_type="application/json")
    first, second, decision = heard(PredictionsAndDecisions())
    assert (len(first["predictions"]), len(second["predictions"])) == (100, 1)
    assert first["predictions"][0]["inputs"]["az"] == "use1-az1"
    assert (decision["kind"], decision["execution_id"]) == ("decision", answer.json()["execution_id"])
    assert [item["kind"] for item in heard(Predictions())] == ["prediction", "prediction"]
    assert feed.after(southwind().pk, 0, most=9) == []


def test_whoever_asked_for_an_inventory_hears_of_its_end_once(django_capture_on_commit_callbacks, monkeypatch):
    told = []
    monkeypatch.setattr("accounts.reach._send", lambda group, message: told.append((group, message)))
    sync = a_sync(an_account(northwind(), name="shop"), requested_by=alice())
    with django_capture_on_commit_callbacks(execute=True):
        syncing._end(sync, SyncState.FAILED, "AccessDenied")
        syncing._end(sync, SyncState.FAILED, "AccessDenied")
    ((group, message),) = told
    assert group == f"person.{alice().pk}"
    assert (message["text"], message["good"]) == ("The inventory of shop failed.", False)
    assert message["organization"] == str(northwind().pk)
