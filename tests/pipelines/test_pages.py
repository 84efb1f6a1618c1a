"""The console, an instance, its run and its receipt, as a person's browser asks for them."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from instances.models import Instance
from mlregistry.scoring import score_region
from pipelines import linear
from pipelines.models import PipelineRun, RunState
from tests.factories import alice, an_account, an_instance, bob, charlie, northwind
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=')


@pytest.fixture
def market(db):
    a_scored_market(now=timezone.now())


def signed_in(client, person):
    client.force_login(person)
    return client


def an_evaluated_instance(**fields):
    instance = a_plain_instance(an_account(northwind()), seen_at=timezone.now(), **fields)
    linear.evaluate(instance, now=timezone.now())
    return instance


def test_the_console_shows_each_instance_with_its_decision(client, market):
    instance = an_evaluated_instance(name="web-paris")
    page = signed_in(client, alice()).get("/instances/").content.decode()
    assert "web-paris" in page
    assert "Switch" in page
    assert instance.experiments.get().reason[:30] in page
    assert "Northwind" in page


def test_a_stranger_sees_an_empty_console_and_no_page_of_ours(client, market):
    instance = an_evaluated_instance(name="web-paris")
    experiment, run = instance.experiments.get(), instance.runs.get()
    signed_in(client, charlie())
    assert "web-paris" not in client.get("/instances/").content.decode()
    for address in (f"/instances/{instance.pk}/", f"/runs/{run.pk}/", f"/decisions/{experiment.pk}/"):
        assert client.get(address).status_code == 404
    assert client.post(f"/instances/{instance.pk}/evaluate/").status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_back(client):
    answer = client.get("/instances/?decision=SWITCH")
    assert answer.status_code == 302
    assert answer["Location"] == "/sign-in/?next=/instances/%3Fdecision%3DSWITCH"


def test_the_console_is_switched_between_prod_and_lab_with_its_filters_kept(client):
    an_instance(an_account(environment="PROD"), name="real")
    an_instance(an_account(environment="LAB"), name="tried")
    signed_in(client, alice())
    both = client.get("/instances/?region=us-east-1&page=1").content.decode()
    assert "real" in both
    assert "tried" in both
    assert 'href="?region=us-east-1&amp;environment=LAB"' in both
    lab = client.get("/instances/?region=us-east-1&environment=LAB").content.decode()
    assert ">real<" not in lab
    assert ">tried<" in lab
    assert re.search(r'href="[^"]*environment=LAB" aria-current="true"', lab)
    assert 'href="?region=us-east-1"' in lab
    assert 'href="?"' in client.get("/instances/?environment=LAB").content.decode()


def test_filters_order_and_page_stand_in_the_address(client, market):
    account = an_account(northwind())
    for n in range(60):
        an_instance(account, name=f"web-{n:02}")
    an_instance(account, name="spotty", is_spot=True)
    signed_in(client, alice())
    first = client.get("/instances/?sort=name").content.decode()
    assert "web-00" in first
    assert "1–50 of 61 instances" in first
    assert "web-59" in client.get("/instances/?sort=name&page=2").content.decode()
    only = client.get("/instances/?market=spot").content.decode()
    assert "spotty" in only
    assert "web-00" not in only
    assert "No instance matches" in client.get("/instances/?q=nothing-like-it").content.decode()


def test_an_address_that_says_nonsense_shows_what_is_wrong_and_everything(client, market):
    an_instance(an_account(northwind()), name="web-00")
    page = signed_in(client, alice()).get("/instances/?market=neither&sort=weight&page=zero")
    assert page.status_code == 200
    assert "Select a valid choice" in page.content.decode()


def test_an_empty_console_says_what_to_do_next(client):
    page = signed_in(client, alice()).get("/instances/").content.decode()
    assert "No instances yet" in page
    assert "sync_inventory" in page


def test_htmx_gets_the_rows_alone_and_a_restored_history_the_whole_page(client, market):
    an_instance(an_account(northwind()), name="web-00")
    signed_in(client, alice())
    part = client.get("/instances/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="instances"')
    whole = client.get(
        "/instances/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    ).content.decode()
    assert whole.startswith("<!doctype html>")


@pytest.mark.parametrize("n", [3, 120])
def test_the_console_takes_as_many_queries_for_many_instances_as_for_few(
    client, market, n, django_assert_max_num_queries
):
    account = an_account(northwind())
    for _ in range(n):
        an_instance(account)
    signed_in(client, alice())
    with django_assert_max_num_queries(8):
        client.get("/instances/")


def test_an_operator_queues_an_evaluation_and_a_viewer_may_not(client, market, django_capture_on_commit_callbacks):
    instance = a_plain_instance(an_account(northwind()), seen_at=timezone.now())
    assert signed_in(client, bob()).post(f"/instances/{instance.pk}/evaluate/").status_code == 403
    signed_in(client, alice())
    with django_capture_on_commit_callbacks() as queued:
        answer = client.post(f"/instances/{instance.pk}/evaluate/", headers={"HX-Request": "true"})
    assert len(queued) == 2  # the job, and a word to whoever watches the audit log
    page = answer.content.decode()
    assert 'hx-trigger="every 10s, livepoll"' in page  # the socket tells each step; this is for when it does not
    assert f'name="run" value="{PipelineRun.objects.get().pk}"' in page
    run = PipelineRun.objects.get()
    assert (run.state, run.requested_by) == (RunState.QUEUED, alice())
    entry = AuditEntry.objects.get(deed="instance.evaluation_requested")
    assert (entry.person, entry.organization, entry.subject) == (alice(), northwind(), f"instance/{instance.pk}")


def test_a_second_press_joins_the_run_that_is_open(client, market):
    instance = a_plain_instance(an_account(northwind()), seen_at=timezone.now())
    signed_in(client, alice())
    first = client.post(f"/instances/{instance.pk}/evaluate/")
    assert client.post(f"/instances/{instance.pk}/evaluate/")["Location"] == first["Location"]
    assert PipelineRun.objects.count() == 1


def test_a_finished_run_is_drawn_from_its_rows_and_asks_no_more(client, market):
    instance = an_evaluated_instance()
    page = signed_in(client, alice()).get(f"/runs/{instance.runs.get().pk}/").content.decode()
    assert page.count("flow-done") == 8
    assert "flow-skipped" in page
    assert "every 1s" not in page
    assert "Read the receipt" in page


def test_a_failed_run_says_why_and_what_next(client, market):
    instance = a_plain_instance(an_account(northwind()))
    run = linear.request(instance, trigger="person", by=alice(), now=timezone.now())
    PipelineRun.objects.filter(pk=run.pk).update(state="failed", error="OperationalError: the database went away")
    page = signed_in(client, alice()).get(f"/runs/{run.pk}/").content.decode()
    assert "the database went away" in page
    assert "Nothing was changed" in page


def test_a_receipt_shows_every_gate_the_price_and_how_to_replay_it(client, market):
    experiment = an_evaluated_instance().experiments.get()
    page = signed_in(client, alice()).get(f"/decisions/{experiment.pk}/").content.decode()
    for verdict in experiment.receipt["candidates"][0]["verdicts"]:
        assert verdict["gate"].replace("_", " ") in page
    assert f"manage replay {experiment.pk}" in page
    assert "Would stay if" in page


def test_a_receipt_of_an_instance_without_any_candidate_is_read_too(client, db):
    now = timezone.now()
    score_region("us-east-1", now=now)
    experiment = an_evaluated_instance().experiments.get()
    page = signed_in(client, alice()).get(f"/decisions/{experiment.pk}/")
    assert page.status_code == 200
    assert "STAY" in page.content.decode()


def test_names_and_tags_from_aws_are_shown_as_text_never_as_markup(client, market):
    evil = "<script>alert(1)</script>"
    instance = an_evaluated_instance(name=evil, tags={"Name": evil, evil: "x"})
    signed_in(client, alice())
    for address in ("/instances/", f"/instances/{instance.pk}/", f"/decisions/{instance.experiments.get().pk}/"):
        assert evil not in client.get(address).content.decode()


def test_no_page_has_inline_script_or_style_or_calls_elsewhere(client, market):
    instance = an_evaluated_instance()
    signed_in(client, alice())
    pages = ("/instances/", f"/instances/{instance.pk}/", f"/runs/{instance.runs.get().pk}/")
    for address in (*pages, f"/decisions/{instance.experiments.get().pk}/"):
        answer = client.get(address)
        assert not EXTERNAL.findall(answer.content.decode())
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]


def test_an_instance_that_vanished_keeps_its_page_and_leaves_the_console(client, market):
    instance = an_evaluated_instance(name="gone-now")
    Instance.objects.filter(pk=instance.pk).update(vanished_at=timezone.now() - timedelta(hours=1))
    signed_in(client, alice())
    assert "gone-now" not in client.get("/instances/").content.decode()
    page = client.get(f"/instances/{instance.pk}/").content.decode()
    assert "no longer sees this instance" in page
    assert "Evaluate now" not in page
    assert client.post(f"/instances/{instance.pk}/evaluate/").status_code == 409
    assert PipelineRun.objects.count() == 1
