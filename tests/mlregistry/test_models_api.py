"""`ml/models/list`: every organization reads the installation's models; nobody reads their bytes here."""

import pytest
from django.test import Client

from accounts import keys
from accounts.domain import Scope
from mlregistry.models import ModelStatus
from tests import factories
from tests.mlregistry.a_market import a_registered_model

pytestmark = pytest.mark.django_db
PATH = "/api/v1/ml/models/list"


@pytest.fixture
def api():
    _, text = keys.issue(factories.northwind(), "reader", [Scope.READ], by=None)
    return Client(headers={"Authorization": f"Api-Key {text}"})


def some_models() -> None:
    a_registered_model(version="1")
    a_registered_model(version="2", trained_until="2024-01-01")
    a_registered_model(version="3", active=False, status=ModelStatus.TESTING, trained_until="2022-01-01")


def versions(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["version"] for row in answer.json()["results"]]


def test_each_model_is_listed_without_its_bytes(api):
    version = a_registered_model()
    body = api.get(PATH).json()
    assert body["count"] == 1
    row = body["results"][0]
    assert row["model_id"] == version.pk
    assert row["active"] is True
    assert (row["status"], row["trained_until"], row["model_type"]) == ("graduated", "2023-05-14", "spot_predictor")
    assert row["file_sha256"] == version.file_id
    assert not {"content", "metadata", "trial"} & row.keys()


def test_filters_and_ordering(api):
    some_models()
    assert versions(api.get(PATH, {"active": "true"})) == ["2"]
    assert sorted(versions(api.get(PATH, {"active": "false"}))) == ["1", "3"]
    assert versions(api.get(PATH, {"status": "testing"})) == ["3"]
    assert len(versions(api.get(PATH, {"model_type": "spot_predictor"}))) == 3
    assert versions(api.get(PATH, {"ordering": "trained_until"})) == ["3", "1", "2"]
    assert versions(api.get(PATH, {"ordering": "-version"})) == ["3", "2", "1"]


def test_pages(api):
    some_models()
    body = api.get(PATH, {"ordering": "version", "limit": 2}).json()
    assert [row["version"] for row in body["results"]] == ["1", "2"]
    assert versions(api.get(body["next"])) == ["3"]


@pytest.mark.parametrize(
    "query",
    [{"limit": 1001}, {"activ": "true"}, {"active": "maybe"}, {"model_type": "oracle"}, {"ordering": "metadata"}],
)
def test_a_parameter_that_means_nothing_is_an_error(api, query):
    answer = api.get(PATH, query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"?{next(iter(query))}"


def test_the_number_of_queries_does_not_grow(api, django_assert_num_queries):
    a_registered_model()
    api.get(PATH)
    with django_assert_num_queries(3):  # the key, the count, the page
        api.get(PATH)
    for number in range(2, 7):
        a_registered_model(version=str(number), active=False)
    with django_assert_num_queries(3):
        assert len(versions(api.get(PATH))) == 6


def test_nobody_reads_it_without_a_key():
    assert Client().get(PATH).status_code == 401
