"""Does the timetable name real tasks, leave the admin's changes alone, and is every job's end on record?"""

from datetime import timedelta

import pytest
from celery import current_app
from celery.signals import beat_init
from django_celery_beat.models import PeriodicTask

from governance.models import ComponentRun
from instances import tasks
from spotopt.celery import QUEUES
from spotopt.celery import app as spotopt
from spotopt.timetable import COMPONENTS, TIMETABLE, seed

pytestmark = pytest.mark.django_db


def test_every_entry_and_component_names_a_task_that_exists():
    spotopt.loader.import_default_modules()
    known = set(current_app.tasks)
    assert {entry.task for entry in TIMETABLE} <= known
    assert set(COMPONENTS) <= known


def test_names_are_given_once_and_turns_do_not_pile_up():
    assert len({entry.name for entry in TIMETABLE}) == len(TIMETABLE)
    for entry in TIMETABLE:
        assert (entry.every is None) != (entry.at is None)
        assert timedelta() < entry.expires_after < (entry.every or timedelta(days=1))


def test_every_app_has_its_queue():
    routes = {spotopt.amqp.router.route({}, entry.task)["queue"].name for entry in TIMETABLE}
    assert routes <= set(QUEUES)


def test_seeding_adds_what_is_missing_and_leaves_what_people_changed():
    assert seed() == len(TIMETABLE)
    changed = PeriodicTask.objects.get(name="Spot Advisor")
    changed.enabled = False
    changed.save()
    PeriodicTask.objects.get(name="instance types").delete()
    assert seed() == 1
    changed.refresh_from_db()
    assert not changed.enabled
    daily = PeriodicTask.objects.get(name="instance types")
    assert (daily.crontab.hour, daily.crontab.minute, daily.task) == ("3", "20", "instances.tasks.refresh_catalogue")
    assert PeriodicTask.objects.get(name="Spot prices of every region").interval.every == 600


def test_beat_finds_its_rows_when_it_starts():
    beat_init.send(sender=None)
    assert PeriodicTask.objects.count() == len(TIMETABLE)


@pytest.fixture
def no_cloud(monkeypatch, settings):
    from accounts.aws.session import forget_all

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.MARKET_REGIONS = ["us-east-1"]
    forget_all()
    yield
    forget_all()


def test_a_job_that_fails_is_on_record_with_its_reason(no_cloud):
    tasks.refresh_zones.apply(args=["us-east-1"])
    run = ComponentRun.objects.get()
    assert (run.component, run.task, run.subject, run.is_success) == (
        *("price scraper", "refresh_zones", "us-east-1"),
        False,
    )
    assert run.detail.startswith("EndedBadly: zones us-east-1 failed: OutcomeUnknown")
    assert run.ended_at is not None


def test_a_job_that_ends_well_is_on_record():
    from tests.factories import an_account

    tasks.sync_account.apply(args=[an_account(regions=[]).pk])
    run = ComponentRun.objects.get()
    assert (run.component, run.is_success, run.detail) == ("inventory", True, "")


def test_a_job_that_only_starts_others_is_not_on_record(settings):
    settings.MARKET_REGIONS = []
    tasks.refresh_all_spot.apply()
    assert ComponentRun.objects.count() == 0
