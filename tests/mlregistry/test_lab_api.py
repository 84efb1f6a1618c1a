"""Models are judged by the platform and assigned by the admins of an organization."""

import pytest

from accounts.domain import Environment, Role, Scope
from accounts.models import AuditEntry
from mlregistry import loading
from mlregistry.assigning import judges_of
from mlregistry.models import Assignment, ModelStatus, ModelVersion
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
from tests.mlregistry.a_market import a_registered_model

pytestmark = pytest.mark.django_db
LAB = "/api/v1/lab/models"


@pytest.fixture
def admin():
    return a_browser(a_person(organization=northwind(), role=Role.ADMIN))


def post(client, model, deed, **body):
    return client.post(f"{LAB}/{model.pk}/{deed}", body, content_type="application/json")


class TestStatus:
    def test_the_platform_graduates_a_model_and_says_why(self):
        version = a_registered_model(active=False, status=ModelStatus.TESTING)
        answer = post(a_program(None, Scope.MANAGE), version, "status", status="graduated", reason="three weeks")
        assert answer.json() == {"model_id": version.pk, "status": "graduated"}
        entry = AuditEntry.objects.get(deed="model.judged")
        assert (entry.before, entry.after, entry.reason) == ("testing", "graduated", "three weeks")

    @pytest.mark.parametrize("status", ["testing", "rejected"])
    def test_the_active_model_stays_graduated(self, status):
        version = a_registered_model()
        answer = post(a_program(None, Scope.MANAGE), version, "status", status=status)
        assert (answer.status_code, answer.json()["state"]) == (409, "active")

    def test_a_rejected_model_goes_back_to_testing_first(self):
        version, key = a_registered_model(active=False), a_program(None, Scope.MANAGE)
        assert post(key, version, "status", status="rejected").status_code == 200
        answer = post(key, version, "status", status="graduated")
        assert (answer.status_code, answer.json()["state"]) == (409, "rejected")
        assert post(key, version, "status", status="testing").status_code == 200
        assert ModelVersion.objects.get().status == "testing"

    def test_saying_it_twice_is_one_entry(self):
        version, key = a_registered_model(active=False), a_program(None, Scope.MANAGE)
        for _ in range(2):
            assert post(key, version, "status", status="rejected").status_code == 200
        assert AuditEntry.objects.filter(deed="model.judged").count() == 1


class TestAssigning:
    def test_an_admin_assigns_a_model_and_it_judges(self, admin):
        version, instance = a_registered_model(active=False), an_instance()
        (row,) = post(admin, version, "assign", instances=[instance.pk]).json()["assignments"]
        assert (row["kind"], row["instance"], row["instance_id"]) == ("serving", instance.pk, instance.instance_id)
        assert judges_of(instance).serving.id == version.pk
        assert admin.get(f"{LAB}/{version.pk}/assign").json() == {"assignments": [row]}

    def test_a_share_of_an_account_is_an_a_b_split(self, admin):
        version, instance = a_registered_model(active=False), an_instance()
        answer = post(admin, version, "assign", account=instance.account.pk, share=1, kind="shadow")
        (row,) = answer.json()["assignments"]
        assert (row["share"], row["instance"], row["account"]) == (1.0, None, instance.account.pk)
        assert judges_of(instance).shadow == version

    def test_a_model_in_testing_serves_in_lab_only(self, admin):
        version = a_registered_model(active=False, status=ModelStatus.TESTING)
        lab = an_instance(an_account(environment=Environment.LAB.value))
        assert post(admin, version, "assign", instances=[lab.pk]).status_code == 200
        answer = post(admin, version, "assign", instances=[an_instance().pk])
        assert (answer.status_code, answer.json()["state"]) == (409, "testing")

    @pytest.mark.parametrize(
        "body, pointer",
        [
            ({}, "#"),
            ({"instances": []}, "#"),
            ({"instances": [1], "account": 1, "share": 0.5}, "#"),
            ({"account": 1}, "#"),
            ({"account": 1, "share": 0}, "#/share"),
            ({"account": 1, "share": 1.5}, "#/share"),
            ({"instances": [1], "kinds": "shadow"}, "#/kinds"),
            ({"instances": [1], "kind": "both"}, "#/kind"),
        ],
    )
    def test_what_cannot_be_meant_is_pointed_at(self, admin, body, pointer):
        answer = post(admin, a_registered_model(active=False), "assign", **body)
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    def test_a_strangers_instance_and_account_are_as_if_they_were_none(self, admin):
        version, theirs = a_registered_model(active=False), an_instance(an_account(southwind()))
        mine = an_instance()
        foreign = post(admin, version, "assign", instances=[mine.pk, theirs.pk])
        absent = post(admin, version, "assign", instances=[mine.pk, 10**6])
        assert foreign.status_code == 422
        assert foreign.json()["errors"] == absent.json()["errors"]
        assert foreign.json()["detail"] == absent.json()["detail"]
        assert foreign.json()["errors"][0]["pointer"] == "#/instances/1"
        assert post(admin, version, "assign", account=theirs.account.pk, share=0.5).status_code == 404
        assert not Assignment.objects.exists()

    def test_it_is_taken_away_again_by_those_whose_it_is(self, admin):
        version, instance = a_registered_model(active=False), an_instance()
        (row,) = post(admin, version, "assign", instances=[instance.pk]).json()["assignments"]
        ids = [row["assignment_id"]]
        assert post(a_browser(charlie()), version, "unassign", assignments=ids).status_code == 422
        assert post(admin, version, "unassign", assignments=ids).json() == {"ended": 1}
        assert judges_of(instance).serving is loading.BASELINE

    def test_a_thousand_instances_are_assigned_in_one_call_or_none(self, admin):
        version = a_registered_model(active=False)
        assert post(admin, version, "assign", instances=list(range(1, 1002))).status_code == 422


class TestTheList:
    def test_it_counts_ones_own_assignments_alone(self, admin):
        version = a_registered_model(active=False)
        own, theirs = an_instance(), an_instance(an_account(southwind()))
        post(admin, version, "assign", instances=[own.pk])
        post(admin, version, "assign", instances=[own.pk], kind="shadow")
        post(admin, version, "assign", account=own.account.pk, share=0.5)
        post(a_browser(charlie()), version, "assign", instances=[theirs.pk])

        def counts(client):
            (row,) = client.get(LAB).json()["results"]
            return row["serving_instances"], row["shadow_instances"], row["shares"]

        assert counts(a_browser(alice())) == (1, 1, 1)
        assert counts(a_browser(charlie())) == (1, 0, 0)

    def test_it_takes_the_same_few_queries_for_many_models(self, admin, django_assert_max_num_queries):
        for version in range(8):
            a_registered_model(version=str(version), active=False)
        with django_assert_max_num_queries(7):
            assert admin.get(LAB).json()["count"] == 8
