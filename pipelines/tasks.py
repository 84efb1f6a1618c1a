"""Which pipeline work is done by workers?"""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from accounts import tracing
from governance import health
from pipelines import history, linear, retention
from pipelines.models import PipelineRun, RunState
from pipelines.recording import ABANDONED

COMPONENT = "linear pipeline"


@shared_task(ignore_result=True, expires=50 * 60)
def evaluate_all() -> None:
    """Queue an evaluation of each instance that is evaluated by the hour."""
    with health.run(COMPONENT, "evaluate_all") as report:
        count = 0
        for instance in linear.evaluated_hourly().iterator():
            run = linear.request(instance, trigger="beat", now=timezone.now())
            evaluate_instance.delay(str(run.pk))
            count += 1
        report.detail = f"{count} instances queued"


# PostgreSQL away: the run still names its worker, so it is asked for again once that counts as lost
@shared_task(
    ignore_result=True,
    expires=50 * 60,
    autoretry_for=(OperationalError, InterfaceError),
    default_retry_delay=(ABANDONED + timedelta(minutes=1)).total_seconds(),
    max_retries=2,
)
def evaluate_instance(run_id: str) -> None:
    """Carry out one run; harmless when delivered twice. A run that was removed meanwhile is left alone."""
    run = PipelineRun.objects.filter(pk=run_id).first()
    if run is None:
        return
    tracing.organization.set(str(run.organization_id))
    with health.run(COMPONENT, "evaluate_instance", f"instance {run.instance_id}") as report:
        done = linear.evaluate(run, now=timezone.now())
        report.is_success, report.detail = done.state != RunState.FAILED, done.error


@shared_task(ignore_result=True, expires=50 * 60)
def keep_savings() -> None:
    """Write down what each organization could save today."""
    with health.run(COMPONENT, "keep_savings") as report:
        report.detail = f"{history.keep_all(now=timezone.now())} organizations"


@shared_task(ignore_result=True, expires=12 * 60 * 60)
def keep_history() -> None:
    """Delete what has had its time."""
    retention.keep(timezone.now())
