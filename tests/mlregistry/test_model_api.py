"""Models are activated after a trial, gone back from, deleted, looked at and fetched."""

import base64
import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.domain import Scope
from accounts.models import AuditEntry
from mlregistry import loading, registry
from mlregistry.models import Assignment, ModelFile, ModelStatus, ModelVersion, Prediction
from tests.factories import NOW, a_browser, a_program, an_account, bob, charlie, northwind, southwind
from tests.mlregistry import a_model
from tests.mlregistry.a_market import a_registered_model

pytestmark = pytest.mark.django_db
MODELS = "/api/v1/ml/models"


@pytest.fixture
def platform_key():
    return a_program(None, Scope.MANAGE, Scope.READ)


def activate(client, model, **changes):
    body = {"model_id": model.pk, "version": model.version} | changes
    return client.post(f"{MODELS}/activate", body, content_type="application/json")


def a_prediction(version, organization=None, **fields):
    return Prediction.objects.create(
        **{
            "organization": organization or northwind(),
            "model": version,
            "prediction_type": "spot_interruption",
            "inputs": {},
            "output": {"interruption_probability": 0.1},
            "probability": 0.1,
            "evidence": "trace",
            "latency_ms": 2.0,
            "horizon_seconds": 3600,
        }
        | fields
    )


class TestActivation:
    def test_it_counts_at_once_and_the_answer_names_the_one_to_go_back_to(self, platform_key):
        one, other = a_registered_model(version="1"), a_registered_model(version="2", active=False)
        answer = activate(platform_key, other)
        assert answer.json()["status"] == "active"
        assert answer.json()["previous_active"] == one.pk
        assert loading.active_model().id == other.pk
        back = ModelVersion.objects.before(other)
        assert activate(platform_key, back).json()["previous_active"] == other.pk
        assert loading.active_model().id == one.pk

    def test_a_model_in_testing_is_not_activated(self, platform_key):
        answer = activate(platform_key, a_registered_model(active=False, status=ModelStatus.TESTING))
        assert (answer.status_code, answer.json()["state"]) == (409, "testing")

    def test_a_wrong_version_activates_nothing(self, platform_key):
        version = a_registered_model(active=False)
        answer = activate(platform_key, version, version="7")
        assert (answer.status_code, answer.json()["state"]) == (409, {"version": "1"})
        assert loading.active_model().is_baseline

    def test_a_model_whose_bytes_are_damaged_leaves_the_active_one_in_place(self, platform_key):
        one = a_registered_model(version="1")
        other = a_registered_model(version="2", active=False, seed=7)
        loading.forget()
        ModelFile.objects.update(content=b"something else")
        answer = activate(platform_key, other)
        assert (answer.status_code, answer.json()["state"]) == (409, "refused")
        assert ModelVersion.objects.get(is_active=True) == one

    def test_what_is_not_there_is_not_activated(self, platform_key):
        answer = platform_key.post(
            f"{MODELS}/activate", {"model_id": 1, "version": "1"}, content_type="application/json"
        )
        assert answer.status_code == 404


class TestDeletion:
    def test_a_deleted_model_is_in_no_list_and_its_bytes_stay_for_its_receipts(self, platform_key):
        version = a_registered_model(active=False)
        answer = platform_key.delete(f"{MODELS}/{version.pk}")
        assert answer.json()["status"] == "deleted"
        assert platform_key.get(f"{MODELS}/list").json()["count"] == 0
        assert platform_key.get(f"{MODELS}/{version.pk}/details").status_code == 404
        assert platform_key.delete(f"{MODELS}/{version.pk}").status_code == 404
        assert activate(platform_key, version).status_code == 404
        assert loading.by_digest(version.file_id, version.metadata_sha256).id == version.pk
        assert AuditEntry.objects.filter(deed="model.deleted").exists()

    def test_the_active_one_is_not_deleted(self, platform_key):
        answer = platform_key.delete(f"{MODELS}/{a_registered_model().pk}")
        assert (answer.status_code, answer.json()["state"]) == (409, "active")

    def test_an_assigned_one_is_not_deleted_until_it_is_rejected(self, platform_key):
        version, account = a_registered_model(active=False), an_account()
        Assignment.objects.create(
            organization=account.organization, account=account, share=0.5, model=version, kind="shadow", assigned_at=NOW
        )
        answer = platform_key.delete(f"{MODELS}/{version.pk}")
        assert (answer.status_code, answer.json()["state"]) == (409, {"assigned": 1})
        registry.judge(version, ModelStatus.REJECTED, by="a test")
        assert platform_key.delete(f"{MODELS}/{version.pk}").status_code == 200


class TestFigures:
    def test_without_an_outcome_every_figure_is_null(self):
        version = a_registered_model()
        a_prediction(version)
        found = a_browser(bob()).get(f"{MODELS}/{version.pk}/performance").json()
        figures = ("accuracy", "precision", "recall", "f1_score", "roc_auc", "brier")
        assert [found[name] for name in figures] == [None] * 6
        assert (found["calibration"], found["predictions_count"], found["labelled_count"]) == ([], 1, 0)

    def test_with_outcomes_they_come_from_those_predictions_alone(self):
        version = a_registered_model()
        for probability, outcome in ((0.9, "interrupted"), (0.8, "survived"), (0.1, "survived"), (0.05, "interrupted")):
            a_prediction(version, probability=probability, outcome=outcome)
        a_prediction(version, probability=0.9, outcome="censored")
        a_prediction(version, probability=0.9)
        found = a_browser(bob()).get(f"{MODELS}/{version.pk}/performance").json()
        assert (found["accuracy"], found["precision"], found["recall"], found["f1_score"]) == (0.5, 0.5, 0.5, 0.5)
        assert found["roc_auc"] == 0.5
        assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.01 + 0.9025) / 4)
        assert (found["predictions_count"], found["labelled_count"]) == (6, 4)
        assert sum(each["count"] for each in found["calibration"]) == 4

    def test_since_leaves_older_ones_out_and_a_misspelt_parameter_is_refused(self):
        version = a_registered_model()
        a_prediction(version, outcome="survived")
        browser = a_browser(bob())
        later = browser.get(f"{MODELS}/{version.pk}/performance?since=2099-01-01T00:00:00Z").json()
        assert (later["predictions_count"], later["labelled_count"]) == (0, 0)
        assert browser.get(f"{MODELS}/{version.pk}/performance?sinse=2099-01-01").status_code == 422

    def test_each_organization_reads_its_own_figures_and_the_platform_all(self, platform_key):
        version = a_registered_model()
        a_prediction(version)
        a_prediction(version, southwind())
        a_prediction(version, southwind(), is_shadow=True, latency_ms=10.0)

        def usage(client):
            return client.get(f"{MODELS}/{version.pk}/details").json()["usage_stats"]

        assert usage(a_browser(bob()))["predictions_24h"] == {"number": 1, "is_more": False}
        charlies = usage(a_browser(charlie()))
        assert (charlies["predictions_30d"]["number"], charlies["shadow_30d"]["number"]) == (2, 1)
        assert charlies["latency_ms"]["p50"] == 6.0
        assert usage(platform_key)["predictions_24h"]["number"] == 3

    def test_a_model_nobody_used_has_no_latency(self):
        version = a_registered_model()
        found = a_browser(bob()).get(f"{MODELS}/{version.pk}/details").json()
        assert found["usage_stats"]["latency_ms"] is None
        assert found["usage_stats"]["last_used_at"] is None
        assert found["metadata"]["name"] == "for-tests"

    def test_details_take_few_queries_however_many_predictions_there_are(self, django_assert_max_num_queries):
        version = a_registered_model()
        for _ in range(30):
            a_prediction(version, outcome="survived")
        browser = a_browser(bob())
        with django_assert_max_num_queries(12):
            browser.get(f"{MODELS}/{version.pk}/details")


class TestTheFile:
    def test_it_comes_with_its_digest_and_as_an_attachment(self):
        version = a_registered_model()
        answer = a_browser(bob()).get(f"{MODELS}/{version.pk}/download")
        assert answer.content == a_model.model_bytes()
        digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
        assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="for-tests-1.txt"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    def test_bytes_that_changed_are_not_handed_out(self):
        version = a_registered_model()
        ModelFile.objects.update(content=b"something else")
        assert a_browser(bob()).get(f"{MODELS}/{version.pk}/download").status_code == 409


class TestHistory:
    ADDRESS = "/api/v1/ml/predictions/history"

    def test_it_is_read_page_by_page_to_its_end(self):
        version = a_registered_model()
        made = [a_prediction(version).pk for _ in range(5)]
        browser, seen, address = a_browser(bob()), [], f"{self.ADDRESS}?limit=2"
        while address:
            page = browser.get(address).json()
            seen += [row["prediction_id"] for row in page["results"]]
            address = page["next"]
        assert seen == made[::-1]

    def test_it_is_filtered_and_shows_what_became_of_each(self):
        version, other = a_registered_model(), a_registered_model(version="2", active=False)
        mine = a_prediction(version, outcome="interrupted")
        a_prediction(other)
        browser = a_browser(bob())
        (row,) = browser.get(f"{self.ADDRESS}?model_id={version.pk}").json()["results"]
        assert (row["prediction_id"], row["outcome"], row["is_shadow"]) == (mine.pk, "interrupted", False)
        assert len(browser.get(f"{self.ADDRESS}?outcome=interrupted").json()["results"]) == 1
        assert browser.get(f"{self.ADDRESS}?cursor=x").status_code == 422
        assert browser.get(f"{self.ADDRESS}?limit=0").status_code == 422
        assert browser.get(f"{self.ADDRESS}?sinse=1").status_code == 422

    def test_others_have_none_of_it(self):
        a_prediction(a_registered_model())
        assert a_browser(charlie()).get(self.ADDRESS).json()["results"] == []

    def test_a_page_costs_the_same_at_any_depth(self, django_assert_max_num_queries):
        version = a_registered_model()
        last = [a_prediction(version).pk for _ in range(20)][-1]
        browser = a_browser(bob())
        with django_assert_max_num_queries(6):
            assert len(browser.get(f"{self.ADDRESS}?cursor={last}").json()["results"]) == 19


def test_predictions_made_long_ago_are_not_counted_as_recent():
    version = a_registered_model()
    old = a_prediction(version)
    Prediction.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=40))
    usage = a_browser(bob()).get(f"{MODELS}/{version.pk}/details").json()["usage_stats"]
    assert usage["predictions_30d"]["number"] == 0
    assert usage["last_used_at"] is not None
