"""`ml/health`: what is down is said to be down."""

import subprocess
import sys
import time

import pytest
from django.test import Client

from accounts import keys
from accounts.domain import Scope
from mlregistry import health, loading
from mlregistry.models import ModelFile
from spotopt.celery import app
from tests import factories
from tests.mlregistry.a_market import a_registered_model

pytestmark = pytest.mark.django_db
PATH = "/api/v1/ml/health"


@pytest.fixture
def api():
    _, text = keys.issue(factories.northwind(), "reader", [Scope.READ], by=None)
    return Client(headers={"Authorization": f"Api-Key {text}"})


@pytest.fixture
def _a_worker():
    """A process of its own, as in life: one inside the test would close the test's database connection."""
    command = [sys.executable, "-m", "celery", "-A", "spotopt", "worker", "--pool", "solo", "--loglevel", "ERROR"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        deadline = time.monotonic() + 60
        while not app.control.inspect(timeout=0.5).ping():
            assert time.monotonic() < deadline, "the worker did not come up"
        yield
        worker.terminate()


@pytest.mark.usefixtures("_a_worker")
def test_all_is_well_when_every_part_answers(api):
    a_registered_model()
    answer = api.get(PATH)
    assert answer.json() == {
        "status": "ok",
        "database": "ok",
        "redis": "ok",
        "workers": 1,
        "models_loaded": 1,
        "problems": [],
    }
    assert answer.status_code == 200


def test_without_a_worker_it_is_down_and_says_so(api):
    answer = api.get(PATH)
    assert answer.status_code == 503
    assert (answer.json()["status"], answer.json()["workers"]) == ("down", 0)
    assert answer.json()["problems"] == ["no worker answered within 1 s"]


def test_on_day_zero_no_model_is_loaded_and_that_is_no_fault():
    found = health.check()
    assert found.models == 0
    assert found.has_database


def test_a_cache_that_is_down_is_said(api, settings):
    settings.REDIS_CACHE_URL = "redis://127.0.0.1:1/0"
    answer = api.get(PATH)
    assert answer.status_code == 503
    assert (answer.json()["redis"], answer.json()["database"]) == ("down", "ok")


def test_a_damaged_active_model_is_said(api):
    version = a_registered_model()
    ModelFile.objects.filter(pk=version.file_id).update(content=b"tree\n")
    loading.forget()
    answer = api.get(PATH)
    assert answer.status_code == 503
    assert answer.json()["models_loaded"] is None
    assert "SHA-256 differs" in answer.json()["problems"][-1]


def test_a_queue_that_is_down_has_no_workers(monkeypatch):
    monkeypatch.setitem(app.conf, "broker_read_url", "redis://127.0.0.1:1/0")
    found = health.check()
    assert found.workers is None
    assert not found.is_well
