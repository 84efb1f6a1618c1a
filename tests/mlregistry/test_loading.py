"""Which model a process answers with, and that it is never an old one or other bytes."""

import json
import threading

import pytest
from django.db import connection

from mlregistry import loading, registry
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.models import ModelFile, ModelVersion
from tests.factories import NOW
from tests.mlregistry.a_market import a_registered_model
from tests.mlregistry.a_model import a_matrix

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache():
    loading.forget()
    yield
    loading.forget()


def test_without_an_active_model_the_baseline_counts():
    assert loading.active_model() is loading.BASELINE
    assert loading.active_adapter() is None
    assert loading.BASELINE.as_json()["name"] == "advisor-baseline"


def test_the_active_model_is_read_once_and_then_costs_one_narrow_query(django_assert_num_queries):
    version = a_registered_model()
    loading.forget()
    first = loading.active_model()
    with django_assert_num_queries(1):
        again = loading.active_model()
    assert again.adapter is first.adapter
    assert again.id == version.pk


def test_a_switch_elsewhere_is_seen_at_the_next_use():
    a_registered_model()
    assert loading.active_model().version == "1"
    second = a_registered_model(version="2", active=False)
    registry.activate(second, by="a test", now=NOW)
    assert loading.active_model().version == "2"


def test_bytes_that_are_not_the_registered_ones_are_not_loaded():
    version = a_registered_model()
    ModelFile.objects.filter(pk=version.file_id).update(content=b"tree\n")
    loading.forget()
    with pytest.raises(ModelRefused, match="SHA-256 differs"):
        loading.active_model()


def test_a_changed_calibration_is_not_loaded():
    version = a_registered_model()
    metadata = version.metadata | {"calibration": version.metadata["calibration"] | {"intercept": -9.0}}
    ModelVersion.objects.filter(pk=version.pk).update(metadata=metadata)
    loading.forget()
    with pytest.raises(ModelRefused, match="metadata are not the ones"):
        loading.active_model()


def test_a_replay_finds_a_model_by_its_digests_though_another_is_active():
    first = a_registered_model()
    a_registered_model(version="2")
    found = loading.by_digest(first.file_id, first.metadata_sha256)
    assert (found.id, found.version) == (first.pk, "1")


def test_a_replay_with_unknown_digests_says_which():
    with pytest.raises(ModelVersion.DoesNotExist, match="abc"):
        loading.by_digest("abc", "def")


@pytest.mark.django_db(transaction=True)
def test_many_threads_share_one_adapter():
    a_registered_model()
    loading.forget()
    found, matrix = [], a_matrix(3)

    def use():
        model = loading.active_model()
        found.append((model.adapter, model.adapter.predict(matrix).tolist()))
        connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(adapter) for adapter, _ in found}) == 1
    assert len({tuple(answers) for _, answers in found}) == 1


def test_a_process_keeps_only_the_last_few():
    for number in range(loading.KEPT + 3):
        a_registered_model(version=str(number))
        loading.active_model()
    assert len(loading._adapters) == loading.KEPT


def test_the_baseline_looks_as_far_ahead_as_the_shipped_model():
    shipped = json.loads((registry.SHIPPED / "metadata.json").read_bytes())
    assert loading.BASELINE.as_json()["horizon_seconds"] == shipped["horizon_seconds"]
