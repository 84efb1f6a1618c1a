"""Does every run of a job leave a row, however it ends?"""

import pytest

from governance import health
from governance.models import ComponentRun

pytestmark = pytest.mark.django_db


def test_a_job_that_ends_well_is_a_success():
    with health.run("price scraper", "fetch_spot", "us-east-1") as report:
        assert ComponentRun.objects.get().ended_at is None
        report.detail = "12 rows"
    row = ComponentRun.objects.get()
    assert (row.component, row.subject, row.is_success, row.detail) == ("price scraper", "us-east-1", True, "12 rows")
    assert row.ended_at is not None
    assert row.ended_at >= row.started_at


def test_a_job_that_raises_is_a_failure_and_the_error_passes_on():
    with pytest.raises(ZeroDivisionError), health.run("scoring", "score_region"):
        raise ZeroDivisionError("by zero")
    row = ComponentRun.objects.get()
    assert (row.is_success, row.detail) == (False, "ZeroDivisionError: by zero")


def test_a_job_may_say_itself_that_it_failed():
    with health.run("scoring", "score_region", "x" * 500) as report:
        report.is_success, report.detail = False, "d" * 9000
    row = ComponentRun.objects.get()
    assert row.is_success is False
    assert len(row.detail) == health.LONGEST_DETAIL
