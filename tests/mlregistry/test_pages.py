"""Pages of the models: what a reader sees, what an admin may do, and what the platform alone may."""

import csv
import io
import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.domain import Environment, Role
from mlregistry import loading, registry
from mlregistry.assigning import judges_of
from mlregistry.models import Assignment, ModelStatus, ModelVersion, Prediction
from tests.factories import (
    NOW,
    a_browser,
    a_model,
    a_person,
    an_account,
    an_instance,
    bob,
    northwind,
    southwind,
)
from tests.mlregistry import a_model as model_of_tests
from tests.mlregistry.a_file import a_form
from tests.mlregistry.a_market import a_registered_model

pytestmark = pytest.mark.django_db
LIST = "/models/"


@pytest.fixture
def staff():
    return a_browser(a_person(organization=northwind(), role=Role.ADMIN, is_staff=True))


@pytest.fixture
def admin():
    return a_browser(a_person(organization=northwind(), role=Role.ADMIN))


def text(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def page_of(client, version) -> str:
    return text(client.get(f"{LIST}{version.pk}/"))


def labelled(version, probability, outcome, organization=None):
    return Prediction.objects.create(
        organization=organization or northwind(),
        model=version,
        prediction_type="spot_interruption",
        inputs={},
        output={},
        probability=probability,
        evidence="trace",
        latency_ms=3.0,
        outcome=outcome,
    )


class TestTheList:
    def test_an_empty_one_says_what_judges_meanwhile_and_what_to_do(self, staff):
        assert "No models yet" in text(a_browser(bob()).get(LIST))
        assert "register_model" in text(staff.get(LIST))

    def test_it_is_filtered_sorted_and_shared_by_its_address(self):
        a_model("older", trained_until="2020-01-01")
        a_model("newer", trained_until="2024-01-01", status="rejected")
        browser = a_browser(bob())
        assert "older" not in text(browser.get(f"{LIST}?status=rejected"))
        assert "newer" not in text(browser.get(f"{LIST}?q=old"))
        assert "No model matches" in text(browser.get(f"{LIST}?q=nothing"))
        first, second = text(browser.get(f"{LIST}?sort=trained")), text(browser.get(f"{LIST}?sort=-trained"))
        assert first.index("older") < first.index("newer")
        assert second.index("newer") < second.index("older")

    def test_a_part_of_it_is_rows_alone(self):
        a_model("one")
        part = text(a_browser(bob()).get(LIST, headers={"HX-Request": "true"}))
        assert "one" in part
        assert "<html" not in part

    def test_it_is_a_sheet_too(self):
        version = a_model("one")
        (row,) = csv.DictReader(io.StringIO(text(a_browser(bob()).get(f"{LIST}?format=csv"))))
        assert (row["name"], row["file_sha256"], row["active"]) == ("one", version.file_id, "False")

    def test_it_takes_the_same_few_queries_for_a_page_full(self, django_assert_max_num_queries):
        for _ in range(60):
            a_model()
        browser = a_browser(bob())
        with django_assert_max_num_queries(12):
            assert "1–50 of 60 models" in text(browser.get(LIST))
        assert "51–60 of 60 models" in text(browser.get(f"{LIST}?page=2"))

    def test_a_viewer_sees_no_button_that_is_not_theirs(self, staff):
        version = a_registered_model(active=False)
        viewer = a_browser(bob())
        assert "Upload a model" not in text(viewer.get(LIST))
        for words in ("Activate<", "Delete it", "Say so", f'href="{LIST}{version.pk}/assign/"'):
            assert words not in page_of(viewer, version)
            assert words in page_of(staff, version)


class TestOneModel:
    def test_without_outcomes_it_says_so_and_shows_no_figure(self):
        page = page_of(a_browser(bob()), a_registered_model())
        assert "No outcomes yet" in page
        assert "<circle" not in page
        assert "<dt>Accuracy</dt><dd>–</dd>" in page

    def test_with_outcomes_it_draws_what_was_said_against_what_was_seen(self):
        version = a_registered_model()
        for number in range(20):
            labelled(version, number / 20, "interrupted" if number > 12 else "survived")
        labelled(version, 0.9, "interrupted", southwind())  # not ours
        page = page_of(a_browser(bob()), version)
        assert page.count("<circle") == 10
        assert "said 0.0%" in page or "said 2.5%" in page
        assert "20 predictions whose outcome is known" in page
        assert "3 ms" in page

    def test_it_takes_at_most_twelve_queries_also_for_staff(self, staff, django_assert_max_num_queries):
        version = a_registered_model(version="1")
        a_registered_model(version="2")
        account = an_account()
        for _ in range(5):
            Assignment.objects.create(
                organization=northwind(),
                account=account,
                instance=an_instance(account),
                model=version,
                kind="shadow",
                assigned_at=NOW,
            )
        with django_assert_max_num_queries(12):
            page_of(staff, version)

    def test_its_name_is_text_whatever_it_is(self):
        version = a_model("<script>alert(1)</script>", metadata={"note": "</pre><script>"})
        assert "<script>alert" not in page_of(a_browser(bob()), version)

    def test_a_deleted_one_and_one_that_never_was_are_not_there(self):
        version = a_registered_model(active=False)
        registry.delete(version, by="a test", now=NOW)
        browser = a_browser(bob())
        assert browser.get(f"{LIST}{version.pk}/").status_code == 404
        assert browser.get(f"{LIST}999999/").status_code == 404


class TestDeedsOfThePlatform:
    def test_one_click_activates_and_one_goes_back(self, staff):
        one, other = a_registered_model(version="1"), a_registered_model(version="2", active=False)
        assert "for-tests 2 is active, after for-tests 1." in text(
            staff.post(f"{LIST}{other.pk}/activate/", follow=True)
        )
        back = reverse("mlregistry:activate", args=[one.pk])
        assert f'action="{back}"' in page_of(staff, other)
        assert "Back to for-tests 1" in page_of(staff, other)
        staff.post(back)
        assert loading.active_model().id == one.pk

    def test_a_status_is_changed_with_a_reason_and_a_forbidden_move_says_why(self, staff):
        version = a_registered_model(active=False, status=ModelStatus.TESTING)
        answer = staff.post(f"{LIST}{version.pk}/status/", {"status": "rejected", "reason": "drifts"}, follow=True)
        assert "for-tests 1 is rejected now." in text(answer)
        answer = staff.post(f"{LIST}{version.pk}/status/", {"status": "graduated"}, follow=True)
        assert "put it back to testing first" in text(answer)

    def test_the_active_model_is_not_deleted_and_another_is(self, staff):
        one, other = a_registered_model(version="1"), a_registered_model(version="2", active=False)
        assert "activate another model first" in text(staff.post(f"{LIST}{one.pk}/delete/", follow=True))
        assert "is deleted" in text(staff.post(f"{LIST}{other.pk}/delete/", follow=True))
        assert list(ModelVersion.objects.present()) == [one]


class TestUploading:
    def form(self, **changes):
        sent = a_form(**changes)
        card = sent["metadata"].encode()
        return sent | {"metadata": SimpleUploadedFile("metadata.json", card)}

    def test_it_works_without_a_script(self, staff):
        answer = staff.post(f"{LIST}upload/", self.form(), follow=True)
        assert "sent 1 is taken, in testing." in text(answer)
        assert answer.redirect_chain[-1][0] == f"{LIST}{ModelVersion.objects.get().pk}/"

    def test_a_refusal_stands_at_the_file(self, staff):
        page = text(staff.post(f"{LIST}upload/", self.form(content=b"\x80\x04")))
        assert "This model is not taken: it is a pickle, and pickles are never opened" in page

    def test_metadata_that_are_no_json_are_told(self, staff):
        form = self.form() | {"metadata": SimpleUploadedFile("metadata.json", b"nothing")}
        assert "This is no JSON" in text(staff.post(f"{LIST}upload/", form))


class TestAssigning:
    def test_an_admin_assigns_and_takes_away(self, admin):
        version, instance = a_registered_model(active=False), an_instance()
        body = {"kind": "serving", "instances": instance.instance_id}
        page = text(admin.post(f"{LIST}{version.pk}/assign/", body, follow=True))
        assert instance.instance_id in page
        assert judges_of(instance).serving.id == version.pk
        admin.post(reverse("mlregistry:end", args=[Assignment.objects.get().pk]))
        assert judges_of(instance).serving is loading.BASELINE

    def test_a_share_is_given_in_per_cent(self, admin):
        version, account = a_registered_model(active=False), an_account()
        body = {"kind": "shadow", "account": account.pk, "share_percent": "25"}
        assert "25.0 % of the account" in text(admin.post(f"{LIST}{version.pk}/assign/", body, follow=True))
        assert Assignment.objects.get().share == 0.25

    @pytest.mark.parametrize(
        "body, words",
        [
            ({"kind": "serving"}, "Name instances, or choose"),
            ({"kind": "serving", "instances": "i-nowhere"}, "Not there, or not yours: i-nowhere"),
        ],
    )
    def test_what_is_missing_or_foreign_is_told(self, admin, body, words):
        assert words in text(admin.post(f"{LIST}{a_registered_model(active=False).pk}/assign/", body))

    def test_a_strangers_account_is_no_choice(self, admin):
        version, theirs = a_registered_model(active=False), an_account(southwind(), name="southern")
        body = {"kind": "serving", "account": theirs.pk, "share_percent": "25"}
        page = text(admin.post(f"{LIST}{version.pk}/assign/", body))
        assert "southern" not in page
        assert not Assignment.objects.exists()

    def test_a_model_in_testing_says_where_it_may_judge(self, admin):
        version = a_registered_model(active=False, status=ModelStatus.TESTING)
        body = {"kind": "serving", "instances": an_instance().instance_id}
        assert "only a graduated model serves in PROD" in text(admin.post(f"{LIST}{version.pk}/assign/", body))
        lab = an_instance(an_account(environment=Environment.LAB.value))
        admin.post(f"{LIST}{version.pk}/assign/", {"kind": "serving", "instances": lab.instance_id})
        assert Assignment.objects.get().instance == lab


@pytest.mark.django_db(transaction=True)
def test_in_a_browser_files_are_dropped_looked_at_and_sent_with_progress(browser, live_server, tmp_path):
    (tmp_path / "model.txt").write_bytes(model_of_tests.model_bytes())
    (tmp_path / "wrong.txt").write_bytes(b"\x80\x04pickle")
    (tmp_path / "metadata.json").write_text(json.dumps(model_of_tests.metadata(trained_until="2023-05-14")))
    client = a_browser(a_person(organization=northwind(), role=Role.ADMIN, is_staff=True))
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{live_server.url}/models/upload/")
    page.set_input_files("#id_file", tmp_path / "wrong.txt")
    page.get_by_text("does not begin as LightGBM's text does").wait_for()
    page.set_input_files("#id_file", tmp_path / "model.txt")
    page.set_input_files("#id_metadata", tmp_path / "metadata.json")
    page.wait_for_function("document.getElementById('id_model_name').value === 'for-tests'")
    assert page.input_value("#id_trained_until_date") == "2023-05-14"
    page.click("button:has-text('Upload')")
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert "for-tests 1" in page.inner_text("h1")
    assert not problems
    context.close()
