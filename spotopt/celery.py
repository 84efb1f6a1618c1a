"""Which queues are there, and how is a task run?"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from celery import Celery, Task
from celery.signals import beat_init, before_task_publish, task_postrun, task_prerun, worker_process_init
from kombu import Queue

from accounts import tracing
from spotopt import timetable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spotopt.settings")

QUEUES = ("act", "ingest", "decide", "scan")

app = Celery("spotopt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name) for name in QUEUES]
app.conf.task_default_queue = "decide"
app.conf.task_routes = {
    "accounts.tasks.*": {"queue": "scan"},
    "instances.tasks.*": {"queue": "ingest"},
    "mlregistry.tasks.*": {"queue": "decide"},
    "governance.tasks.*": {"queue": "scan"},
    "pipelines.tasks.drive_*": {"queue": "act"},  # these two before the next, which matches them too
    "pipelines.tasks.reconcile_*": {"queue": "act"},
    "pipelines.tasks.*": {"queue": "decide"},
}
app.autodiscover_tasks()

TRACE = {"spotopt_request": tracing.request_id, "spotopt_organization": tracing.organization}  # headers of a message


@before_task_publish.connect
def _pass_on_the_trace(headers: dict[str, object], **_: object) -> None:
    """A job's log lines and audit entries name the request that asked for it."""
    headers.update({name: held.get() for name, held in TRACE.items() if held.get()})


@task_prerun.connect
def _take_up_the_trace(task_id: str, task: Task, **_: object) -> None:
    if task.request.is_eager:
        return  # it runs inside the request that asked
    for name, held in TRACE.items():
        held.set(task.request.get(name) or "")
    if not tracing.request_id.get():
        tracing.request_id.set(task_id)


_reports: dict[str, AbstractContextManager[object]] = {}


@task_prerun.connect
def _begin_report(task_id: str, task: Task, args: tuple[object, ...] = (), **_: object) -> None:
    """Tell governance.health that a job began, for the apps that may not import it (timetable.COMPONENTS)."""
    from django.db import connection

    from governance import health

    component = timetable.COMPONENTS.get(task.name)
    if component is None:
        return
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()  # one that died between tasks would leave the job unreported
    report = health.run(component, task.name.rpartition(".")[2], " ".join(map(str, args)))
    report.__enter__()
    _reports[task_id] = report


@task_postrun.connect
def _end_report(task_id: str, retval: object = None, **_: object) -> None:
    """How the job ended: `retval` is its exception where it raised one, a retry among them."""
    report = _reports.pop(task_id, None)
    if report is None:
        return
    if isinstance(retval, BaseException):
        report.__exit__(type(retval), retval, retval.__traceback__)
    else:
        report.__exit__(None, None, None)


@task_postrun.connect
def _let_go_of_the_trace(task: Task, **_: object) -> None:
    """After the report of the job, which still belongs to it."""
    for held in () if task.request.is_eager else TRACE.values():
        held.set("")


@beat_init.connect
def _seed_timetable(**_: object) -> None:
    timetable.seed()


@worker_process_init.connect
def _hear_of_models(**_: object) -> None:
    from mlregistry import news

    news.listen()
