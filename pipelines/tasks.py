"""Which pipeline work is done by workers?"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from accounts import tracing
from accounts.aws.errors import AwsError
from accounts.models import AwsAccount
from governance import health
from pipelines import history, linear, retention
from pipelines.actuator import journal, reconciler, runner
from pipelines.actuator.hands import eyes_for
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


# --- Acting -------------------------------------------------------------------------------------------------------
MOST_AT_ONCE = 1000  # Operations handed out by one scan; the rest are due ten seconds later


@shared_task(ignore_result=True, expires=9)
def drive_due() -> None:
    """Hand out every Operation whose next look is due: the queue is a hint, the journal is the truth."""
    for operation_id in journal.due(most=MOST_AT_ONCE):
        drive_operation.delay(str(operation_id))


@shared_task(ignore_result=True, expires=5 * 60)
def drive_operation(operation_id: str) -> None:
    """Carry an Operation on by one step; harmless when delivered twice. What is due at once is queued at once."""
    taken = runner.turn(UUID(operation_id), holder=f"{socket.gethostname()}/{os.getpid()}")
    if taken and journal.is_due(UUID(operation_id)):
        drive_operation.delay(operation_id)


@shared_task(ignore_result=True, expires=110)
def reconcile_all() -> None:
    """Wake what was lost, and sweep each region of each account that lets us act."""
    reconciler.wake_lost()
    for account in AwsAccount.objects.filter(is_active=True).exclude(act_role_arn=""):
        for region in account.regions:
            reconcile_region.delay(account.pk, region)


@shared_task(ignore_result=True, expires=110)
def reconcile_region(account_id: int, region: str) -> None:
    account = AwsAccount.objects.filter(pk=account_id).first()
    if account is None:
        return
    with health.run(COMPONENT, "reconcile", f"{account.account_id} {region}") as report:
        try:
            found = reconciler.sweep(account, region, eyes_for(account, region))
        except AwsError as error:
            report.is_success, report.detail = False, str(error)
        else:
            report.detail = f"{len(found.orphans)} orphans, {len(found.strangers)} strangers"
