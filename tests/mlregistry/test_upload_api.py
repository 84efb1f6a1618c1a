"""A stranger's model becomes a row in testing, in our own spelling, or is refused in plain words."""

import hashlib
import io
import json
import pickle
import platform

import pytest
from django.test import Client

from accounts.domain import Scope
from accounts.models import AuditEntry
from mlregistry import loading, sandbox
from mlregistry.adapters.lightgbm import load
from mlregistry.models import ModelFile, ModelVersion
from tests.factories import a_person, a_program, northwind
from tests.mlregistry import a_model
from tests.mlregistry.a_file import a_form, upload

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/ml/models/upload"


@pytest.fixture
def platform_key() -> Client:
    return a_program(None, Scope.MANAGE)


def refusal(answer, status: int) -> str:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.json()["detail"]


def test_a_model_is_taken_and_is_in_testing(platform_key):
    answer = upload(platform_key)
    assert answer.status_code == 201, answer.content
    version = ModelVersion.objects.get()
    assert answer.json() == {
        "model_id": version.pk,
        "status": "testing",
        "upload_path": f"/api/v1/ml/models/{version.pk}/download",
        "file_sha256": version.file_id,
    }
    assert answer.headers["Location"] == answer.json()["upload_path"]
    assert (version.name, version.version, version.is_active) == ("sent", "1", False)
    assert str(version.trained_until) == "2023-05-14"


def test_what_is_kept_and_loaded_is_what_the_sandboxed_reader_wrote(platform_key):
    sent = a_model.model_bytes().replace(b"\n\nfeature_importances:", b"\n\nfeature_importances:\nsmuggled=1")
    version = ModelVersion.objects.get(pk=upload(platform_key, sent).json()["model_id"])
    stored = bytes(ModelFile.objects.get().content)
    assert b"smuggled" not in stored
    assert hashlib.sha256(stored).hexdigest() == version.file_id != hashlib.sha256(sent).hexdigest()
    sample = loading.loaded(version).adapter.metadata.sample_inputs
    assert (loading.adapter_of(version).predict(sample) == a_model_answers(sample)).all()
    entry = AuditEntry.objects.get(deed="model.registered")
    assert entry.after["received_sha256"] == hashlib.sha256(sent).hexdigest()
    assert entry.after["file_sha256"] == version.file_id


def a_model_answers(sample):
    return load(a_model.model_bytes(), a_model.metadata()).predict(sample)


def test_what_is_kept_is_the_same_when_it_is_sent_again(platform_key):
    upload(platform_key)
    stored = bytes(ModelFile.objects.get().content)
    assert upload(platform_key, stored, model_version="2").status_code == 201
    assert ModelFile.objects.count() == 1


class Trap:
    def __reduce__(self):
        return print, ("this must never run",)


@pytest.mark.parametrize(
    "content, words",
    [
        (pickle.dumps(Trap()), "it is a pickle, and pickles are never opened; LightGBM's text form is taken"),
        (b"PK\x03\x04rest", "it is a zip archive"),
        (b'{"learner": {}}', "it is JSON (XGBoost?), not LightGBM text"),
        (b"\x08\x07onnx", "it is binary (ONNX?)"),
        (b"", "it is empty"),
        (b"tree\nversion=v4\n", "its num_class is 'missing'"),
        (b"tree\n" + b"a" * 100, "its version is 'missing'"),
    ],
)
def test_what_is_no_such_model_is_refused_with_what_it_is(platform_key, capfd, content, words):
    detail = refusal(upload(platform_key, content), 422)
    assert words in detail
    assert "this must never run" not in "".join(capfd.readouterr())
    assert not ModelVersion.objects.exists()


def test_a_model_that_answers_its_own_sample_otherwise_is_refused(platform_key):
    metadata = a_model.metadata()
    metadata["sample"]["outputs"][0] += 0.1
    changed = {**metadata, "name": "sent", "version": "1", "trained_until": "2023-05-14"}
    assert "answers its own sample otherwise" in refusal(upload(platform_key, metadata=json.dumps(changed)), 422)


def test_metadata_that_contradict_the_form_are_refused(platform_key):
    metadata = a_model.metadata(name="another", trained_until="2023-05-14")
    detail = refusal(upload(platform_key, metadata=json.dumps(metadata)), 422)
    assert "its metadata say name 'another', and beside it stands 'sent'" in detail


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"region_statistics": {"us-east-1": {"no_such_feature": [1, 1]}}}, "region_statistics"),
        ({"region_statistics": {"us-east-1": {"vcpus": [1]}}}, "malformed"),
        ({"region_statistics": 7}, "malformed"),
        ({"trace_families": "p3"}, "trace_families"),
        ({"sample": {"inputs": [], "outputs": []}}, "no sample"),
        ({"note": "a\x00b"}, "NUL"),
        ({"horizon_seconds": -1}, "no time"),
    ],
)
def test_metadata_that_would_fail_later_are_refused_now(platform_key, changes, words):
    metadata = a_model.metadata(name="sent", version="1", trained_until="2023-05-14") | changes
    assert words in refusal(upload(platform_key, metadata=json.dumps(metadata)), 422)


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"a": NaN}', "[" * 100_000])
def test_metadata_that_are_no_json_object_are_pointed_at(platform_key, text):
    answer = upload(platform_key, metadata=text)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/metadata"


def test_a_name_that_could_be_a_path_is_none(platform_key):
    assert "letters, digits" in refusal(upload(platform_key, model_name="../../etc"), 422)


def test_a_misspelt_field_and_a_missing_one_are_pointed_at(platform_key):
    answer = upload(platform_key, model_nam="x", model_name=None)
    assert {error["pointer"] for error in answer.json()["errors"]} == {"#/model_nam", "#/model_name"}


def test_a_version_stands_for_its_bytes_for_good(platform_key):
    first = upload(platform_key).json()
    answer = upload(platform_key)
    refusal(answer, 409)
    assert answer.json()["state"] == {"model_id": first["model_id"], "status": "testing"}
    assert platform_key.delete(f"/api/v1/ml/models/{first['model_id']}").status_code == 200
    assert "was deleted" in refusal(upload(platform_key), 409)


def test_a_file_above_the_limit_is_refused(platform_key, settings):
    settings.MODEL_UPLOAD_LIMIT_MIB = 1
    assert "at most 1 MiB" in refusal(upload(platform_key, b"tree\n" + b"x" * 2**20), 413)


def test_a_form_that_is_far_too_long_is_refused_before_it_is_read(settings):
    settings.MODEL_UPLOAD_LIMIT_MIB, settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1, 2**20

    class Unread(io.BytesIO):
        def read(self, *_):
            raise AssertionError("the form was read")

    client = a_program(None, Scope.MANAGE)
    media = "multipart/form-data; boundary=x"
    extra = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(3 * 2**20), "CONTENT_TYPE": media}
    answer = client.generic("POST", ADDRESS, **extra)
    assert answer.status_code == 413


def test_a_signed_in_stranger_cannot_fill_the_disk_either(settings):
    """The CSRF check looks into the form before anybody asks who may."""
    settings.MODEL_UPLOAD_LIMIT_MIB, settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1, 2**20
    client = Client(enforce_csrf_checks=True)
    client.force_login(a_person(organization=northwind()))
    client.cookies["csrftoken"] = "x" * 32
    answer = client.post(ADDRESS, a_form(b"x" * 3 * 2**20))
    assert answer.status_code == 413


def test_where_the_kernel_cannot_lock_the_door_uploads_are_off_and_say_so(platform_key, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert sandbox.off()
    assert "Models cannot be uploaded here: only Linux" in refusal(upload(platform_key), 503)


def test_a_person_of_the_platform_may_and_an_owner_may_not(admin_client):
    assert upload(admin_client).status_code == 201
    owner = Client()
    owner.force_login(a_person(organization=northwind()))
    assert upload(owner, model_version="2").status_code == 403
