"""What does the system monitor say, and of whose jobs to whom?"""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.domain import Scope
from governance import monitoring
from governance.domain.components import COMPONENTS, SUBJECTS
from governance.models import ComponentRun
from spotopt.celery import app
from spotopt.timetable import COMPONENTS as REPORTING
from tests.factories import (
    a_browser,
    a_person,
    a_program,
    alice,
    an_account,
    an_instance,
    charlie,
    northwind,
    southwind,
)

pytestmark = pytest.mark.django_db
PAGE, BESIDE = "/system/", "/system/beside/"
API, LOGS = "/api/v1/system/components", "/api/v1/system/logs"
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=')


def a_job(component="price scraper", task="refresh_spot", subject="us-east-1", *, ago=timedelta(), took=2.0, **fields):
    began = timezone.now() - ago - timedelta(seconds=took)
    values = {"ended_at": began + timedelta(seconds=took), "is_success": True} | fields
    return ComponentRun.objects.create(component=component, task=task, subject=subject, started_at=began, **values)


def text(answer):
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def staff():
    return a_browser(a_person("root", organization=southwind(), is_staff=True))


def jobs_of_everybody():
    """One of each kind of Alice's, and of the market; (account, instance)."""
    account = an_account(northwind(), name="northwind-shop", regions=["sa-east-1"])
    instance = an_instance(account, name="northwind-web")
    a_job("inventory", "sync_account", str(account.pk), detail="said of the account")
    a_job("price scraper", "refresh_zones", f"sa-east-1 {account.pk}", detail="said of the zones")
    a_job("linear pipeline", "evaluate_instance", f"instance {instance.pk}", detail="said of the instance")
    a_job("price scraper", "refresh_spot", "sa-east-1", detail="said by the installation")
    a_job("linear pipeline", "evaluate_all", "", detail="999 instances queued")
    a_job("inventory", "unheard_of", "who knows", detail="what")
    return account, instance


# --- Who sees what -------------------------------------------------------------------------------------------------
def test_an_organization_sees_its_own_jobs_by_name_and_the_markets_of_its_regions():
    jobs_of_everybody()
    for page in (text(a_browser(alice()).get(PAGE)), str(a_program(northwind(), Scope.READ).get(LOGS).json())):
        for word in ("northwind-shop", "sa-east-1 of northwind-shop", "northwind-web", "said of the account"):
            assert word in page
        for word in ("said by the installation", "999 instances", "unheard_of"):
            assert word not in page
    assert a_program(northwind(), Scope.READ).get(LOGS).json()["count"] == 4


def test_a_stranger_sees_neither_names_nor_regions_nor_rows_of_others():
    _, instance = jobs_of_everybody()
    page = text(a_browser(charlie()).get(PAGE))
    body = a_program(southwind(), Scope.READ).get(LOGS).json()
    assert body["count"] == 0
    for word in ("northwind", "sa-east-1", "said", "999", "who knows", f"instance {instance.pk}"):
        assert word not in page
    assert "Largest tables" not in page


def test_a_stranger_with_an_account_of_the_same_number_in_the_region_sees_the_market_alone():
    jobs_of_everybody()
    an_account(southwind(), regions=["sa-east-1"])
    [row] = a_program(southwind(), Scope.READ).get(LOGS).json()["results"]
    assert (row["task"], row["subject"], row["detail"]) == ("refresh_spot", "sa-east-1", "")


def test_staff_and_the_platforms_keys_see_all():
    jobs_of_everybody()
    page = text(staff().get(PAGE))
    for word in ("northwind-shop", "said by the installation", "999 instances queued", "who knows", "Largest tables"):
        assert word in page
    assert a_program(None, Scope.READ).get(LOGS).json()["count"] == 6


def test_staff_without_an_organization_see_what_the_installation_stands_on():
    jobs_of_everybody()
    browser = a_browser(a_person("root", is_staff=True))
    page = text(browser.get(PAGE))
    assert "Largest tables" in page
    assert "999 instances queued" in page
    assert "Workers" in text(browser.get(BESIDE))
    assert a_browser(a_person("nobody")).get(PAGE).status_code == 403


def test_the_page_is_for_people_who_signed_in(client):
    for address in (PAGE, BESIDE):
        assert client.get(address).status_code == 302


# --- The figures ---------------------------------------------------------------------------------------------------
def figures(name):
    return next(each for each in monitoring.components(now=timezone.now()) if each.name == name)


def test_a_component_is_counted_over_a_day():
    for seconds in (1, 2, 3, 4, 100):
        a_job(took=seconds, ago=timedelta(hours=2))
    a_job(is_success=False, ago=timedelta(hours=3, minutes=10))
    a_job(ago=timedelta(hours=30))
    found = figures("price-scraper")
    assert (found.runs, found.succeeded, found.failed) == (6, 5, 1)
    assert found.success_rate == pytest.approx(5 / 6)
    assert found.p50_seconds == pytest.approx(2.5)
    assert found.p95_seconds == pytest.approx(76, abs=1)
    assert found.uptime == pytest.approx(1 / 2)
    assert len(found.hours) == 24
    assert [(h.hours_ago, h.succeeded, h.failed) for h in found.hours if h.has_run] == [(3, 0, 1), (2, 5, 0)]


def test_what_never_ran_is_unknown_and_not_zero():
    found = figures("scoring")
    assert found.status == "silent"
    assert found.success_rate is found.p50_seconds is found.uptime is found.last_ended_at is None


@pytest.mark.parametrize(
    "jobs, status",
    [
        ([{}], "well"),
        ([{}, {"is_success": False}], "partly"),
        ([{"is_success": False}], "failing"),
        ([{"ago": timedelta(hours=5)}], "late"),
        ([{"is_success": None, "ended_at": None}], "well"),
    ],
)
def test_the_status_is_of_the_newest_runs(jobs, status):
    for job in jobs:
        a_job(**job)
    assert figures("price-scraper").status == status


def test_whatever_reports_is_a_component_and_each_of_its_jobs_says_whom_it_names():
    app.loader.import_default_modules()
    assert set(REPORTING.values()) | {"linear pipeline"} == {each.name for each in COMPONENTS}
    assert {task.rpartition(".")[2] for task in REPORTING} <= set(SUBJECTS)


# --- Page and API --------------------------------------------------------------------------------------------------
def test_the_page_draws_a_bar_for_each_hour_and_asks_again():
    a_job()
    page = text(a_browser(alice()).get(PAGE))
    assert page.count("<title>") == 1 + 24 * len(COMPONENTS)
    assert 'hx-trigger="every 30s"' in page
    assert "Its first turn is still to come" in page
    assert not EXTERNAL.findall(page)
    part = text(a_browser(alice()).get(PAGE, headers={"HX-Request": "true"}))
    assert part.lstrip().startswith('<div id="monitor"')


def test_the_log_is_narrowed_and_keeps_its_address_while_it_asks_again():
    an_account(northwind(), regions=["us-east-1"])
    a_job(detail="x")
    a_job("scoring", "score_region", is_success=False)
    browser = a_browser(alice())
    page = text(browser.get(f"{PAGE}?component=scoring&ended=badly"))
    assert "score_region" in page
    assert "refresh_spot" not in page
    assert "component=scoring&amp;ended=badly" in page
    assert "No such run" in text(browser.get(f"{PAGE}?component=inventory"))


def test_an_empty_system_says_what_to_start():
    assert "Start beat and a worker" in text(a_browser(alice()).get(PAGE))


@pytest.mark.parametrize("count", [2, 200])
def test_many_runs_take_as_many_queries_as_few(count, django_assert_max_num_queries):
    account = an_account(northwind())
    for n in range(count):
        a_job("inventory", "sync_account", str(account.pk), ago=timedelta(seconds=n))
    browser = a_browser(alice())
    with django_assert_max_num_queries(12):
        assert f"of {count} runs" in text(browser.get(PAGE))


def test_what_it_stands_on_is_asked_itself():
    app.send_task("governance.tasks.none", queue="scan")
    page = text(a_browser(alice()).get(BESIDE))
    assert "none answered" in page
    assert page.count("answers") == 2
    assert re.search(r"Queue scan</dt><dd>1<", page)


def test_a_queue_that_is_down_is_said(monkeypatch):
    def down(*_, **__):
        raise monitoring.redis.RedisError("down")

    monkeypatch.setattr(monitoring.current_app, "connection_for_read", down)
    assert "the queue does not answer" in text(a_browser(alice()).get(BESIDE))


def test_the_api_says_the_same():
    an_account(northwind(), regions=["us-east-1"])
    a_job(is_success=False)
    program = a_program(northwind(), Scope.READ)
    found = {each["name"]: each for each in program.get(API).json()}
    assert (found["price-scraper"]["status"], found["price-scraper"]["failed"]) == ("failing", 1)
    runs = program.get(f"{API}/price-scraper/runs").json()
    assert (runs["count"], runs["results"][0]["duration_seconds"]) == (1, pytest.approx(2.0))
    assert program.get(f"{API}/scoring/runs").json()["count"] == 0
    assert program.get(f"{API}/nothing/runs").status_code == 404
    assert program.get(LOGS, {"is_success": "true"}).json()["count"] == 0
    assert program.get(LOGS, {"component": "price scraper"}).json()["count"] == 1
    assert program.get(LOGS, {"component": "x"}).status_code == 422
