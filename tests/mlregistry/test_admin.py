"""The installation's staff look at models and scores, and make a model count; history is not edited."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEntry
from mlregistry import loading, registry, scoring
from mlregistry.models import ModelStatus, ModelVersion
from tests.factories import NOW
from tests.mlregistry.a_market import a_market, a_registered_model

pytestmark = pytest.mark.django_db
LISTS = ("modelversion", "assignment", "modelfile", "featurestatistics", "poolscore", "regionscoring", "prediction")
MODELS = "admin:mlregistry_modelversion_changelist"


def act(client, action: str, *rows: ModelVersion):
    body = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(MODELS), body, follow=True)


def messages_of(page) -> str:
    return " ".join(str(message) for message in page.context["messages"])


@pytest.mark.parametrize("name", LISTS)
def test_each_list_opens_and_nothing_can_be_added(admin_client, name):
    a_market()
    a_registered_model()
    scoring.score_region("us-east-1", now=NOW)
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(reverse(f"admin:mlregistry_{name}_changelist"))
    assert page.status_code == 200
    assert len(queries) <= 12
    assert admin_client.get(reverse(f"admin:mlregistry_{name}_add")).status_code == 403


def test_a_score_can_be_read_whole(admin_client):
    a_market()
    scoring.score_region("us-east-1", now=NOW)
    from mlregistry.models import PoolScore

    page = admin_client.get(reverse("admin:mlregistry_poolscore_change", args=[PoolScore.objects.first().pk]))
    assert page.status_code == 200
    assert b"seconds_since_change" in page.content


def test_activate_goes_through_the_trial_and_is_audited(admin_client):
    a_registered_model()
    second = a_registered_model(version="2", active=False)
    assert "for-tests 2: done." in messages_of(act(admin_client, "activate", second))
    assert loading.active_model().version == "2"
    assert AuditEntry.objects.filter(deed="model.activated").first().actor == "admin"


def test_a_model_in_testing_is_graduated_first(admin_client):
    version = a_registered_model(status=ModelStatus.TESTING, active=False)
    assert b"only a graduated model may be active" in act(admin_client, "activate", version).content
    act(admin_client, "graduate", version)
    act(admin_client, "activate", version)
    assert loading.active_model().version == "1"


def test_the_active_model_cannot_be_rejected(admin_client):
    version = a_registered_model()
    assert b"activate another model first" in act(admin_client, "reject", version).content
    version.refresh_from_db()
    assert version.status == "graduated"


def test_two_models_cannot_both_be_made_to_count(admin_client):
    rows = [a_registered_model(version=str(number), active=False) for number in range(2)]
    assert b"Select the one model" in act(admin_client, "activate", *rows).content
    assert loading.active_model() is loading.BASELINE


def test_who_may_only_look_may_not_activate(client, django_user_model):
    from django.contrib.auth.models import Permission

    looker = django_user_model.objects.create_user("looker", "l@example.org", "x" * 20, is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_modelversion"))
    client.force_login(looker)
    version = a_registered_model(active=False)
    act(client, "activate", version)
    assert loading.active_model() is loading.BASELINE


def test_a_rejected_model_is_not_graduated_and_a_deleted_one_not_judged(admin_client):
    rejected = a_registered_model(version="1", active=False, status=ModelStatus.REJECTED)
    assert "put it back to testing first" in messages_of(act(admin_client, "graduate", rejected))
    gone = a_registered_model(version="2", active=False)
    registry.delete(gone, by="a test", now=NOW)
    assert "does not exist" in messages_of(act(admin_client, "reject", gone))
    assert ModelVersion.objects.get(pk=gone.pk).status == "graduated"
