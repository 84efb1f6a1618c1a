"""What goes when it has had its time, and what stays for good?"""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session

from accounts import audit
from accounts.models import AuditEntry
from governance.models import ComponentRun
from mlregistry.models import Prediction
from pipelines import retention
from pipelines.models import ExperimentLog, PipelineRun, RunState, RunStep
from tests.factories import NOW, a_run, an_experiment, an_instance, northwind

pytestmark = pytest.mark.django_db


def made(row, days, field="created_at"):
    """The row, as old as that."""
    type(row)._base_manager.filter(pk=row.pk).update(**{field: NOW - timedelta(days=days)})
    return row


def test_a_decision_stays_with_its_receipt_and_its_run_when_the_steps_are_gone():
    instance = an_instance()
    first = an_experiment(instance, run=made(a_run(instance), 91))
    latest = an_experiment(instance, run=made(a_run(instance), 91))
    assert retention.keep(NOW)["run steps"] == 2
    assert set(ExperimentLog.objects.all()) == {first, latest}
    assert not first.run.steps.exists()
    assert latest.run.steps.count() == 2
    first.refresh_from_db()
    assert first.receipt == {"instance": instance.instance_id}


def test_a_run_without_a_decision_goes_with_its_steps_and_an_open_one_stays():
    made(a_run(), 91)
    young, opened = made(a_run(), 89), made(a_run(state=RunState.RUNNING.value), 400)
    retention.keep(NOW)
    assert set(PipelineRun.objects.all()) == {young, opened}
    assert set(RunStep.objects.values_list("run_id", flat=True)) == {young.pk, opened.pk}


def test_predictions_go_after_half_a_year(settings):
    for days in (10, 179, 181):
        row = Prediction.objects.create(
            organization=northwind(),
            prediction_type="spot_interruption",
            inputs={},
            output={},
            evidence="none",
            latency_ms=1,
        )
        made(row, days)
    assert retention.keep(NOW)["predictions"] == 1
    settings.PREDICTION_RETENTION_DAYS = 30
    assert retention.keep(NOW)["predictions"] == 1
    assert Prediction.objects.count() == 1


def test_of_each_component_the_last_run_stays_however_old():
    for component, days in (("scoring", 90), ("scoring", 60), ("inventory", 31), ("inventory", 1)):
        ComponentRun.objects.create(component=component, task="t", started_at=NOW - timedelta(days=days))
    assert retention.keep(NOW)["component runs"] == 2
    kept = {(row.component, (NOW - row.started_at).days) for row in ComponentRun.objects.all()}
    assert kept == {("scoring", 60), ("inventory", 1)}


def test_sessions_go_when_they_have_ended():
    for key, hours in (("over", -1), ("open", 1)):
        Session.objects.create(session_key=key, session_data="", expire_date=NOW + timedelta(hours=hours))
    retention.keep(NOW)
    assert [row.session_key for row in Session.objects.all()] == ["open"]


def test_the_audit_log_is_never_shortened():
    audit.record("beat", "instance.evaluated", "instance/1", organization=northwind())
    assert not any(rows.model is AuditEntry for _, rows in retention.outlived(NOW))
    retention.keep(NOW + timedelta(days=10_000))
    assert AuditEntry.objects.count() == 1


def test_more_than_a_batch_goes_and_a_second_turn_finds_nothing(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        made(a_run(), 91)
    assert retention.keep(NOW) == {"run steps": 10, "runs": 5, "predictions": 0, "component runs": 0, "sessions": 0}
    assert not any(retention.keep(NOW).values())
