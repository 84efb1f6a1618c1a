"""Which queues are there, and how is a task run?"""

from __future__ import annotations

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spotopt.settings")

QUEUES = ("act", "ingest", "decide", "scan")

app = Celery("spotopt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name) for name in QUEUES]
app.conf.task_default_queue = "decide"
app.conf.task_routes = {
    "instances.tasks.*": {"queue": "ingest"},
    "mlregistry.tasks.*": {"queue": "decide"},
    "governance.tasks.*": {"queue": "scan"},
    "pipelines.tasks.*": {"queue": "decide"},
}
app.autodiscover_tasks()
