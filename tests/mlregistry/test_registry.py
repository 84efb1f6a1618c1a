"""What may be registered, what may be active, and that one stays active whatever goes wrong."""

import json
import pickle
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import AuditEntry
from mlregistry import loading, registry
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.artifacts import ModelTooLarge, canonical_json
from mlregistry.domain.features import feature_hash
from mlregistry.models import ModelFile, ModelStatus, ModelVersion
from tests.factories import NOW
from tests.mlregistry import a_model
from tests.mlregistry.a_market import a_registered_model

pytestmark = pytest.mark.django_db


def metadata(**changes):
    return a_model.metadata(**{"trained_until": "2023-05-14"} | changes)


def stored(content: bytes | None = None, **changes) -> ModelVersion:
    return registry.store(content or a_model.model_bytes(), metadata(**changes), by="a test")


class Bomb:
    """A pickle of this leaves a mark when somebody opens it."""

    def __reduce__(self):
        return (exec, ("import builtins; builtins.bomb_went_off = True",))


class TestStore:
    def test_a_model_is_stored_with_digests_and_waits_in_testing(self):
        version = stored()
        version.refresh_from_db()
        assert bytes(version.file.content) == a_model.model_bytes()
        assert (version.status, version.is_active) == ("testing", False)
        assert (version.name, version.version, version.horizon_seconds) == ("for-tests", "1", 3600)
        assert AuditEntry.objects.get().deed == "model.registered"

    def test_the_metadata_digest_is_the_same_after_the_database_kept_them(self):
        version = stored(note={"large": 1e22, "small": 1e-30, "zero": -0.0, "whole": 5.0, "text": "Ω"})
        version.refresh_from_db()
        assert loading.loaded(version).metadata_sha256 == version.metadata_sha256

    def test_the_same_name_and_version_twice_is_a_conflict(self):
        first = stored()
        with pytest.raises(registry.AlreadyRegistered) as refused:
            stored(trace_families=["g4dn"])
        assert refused.value.existing == first
        assert ModelVersion.objects.count() == 1

    def test_the_same_file_under_another_version_is_kept_once(self):
        stored()
        stored(version="2")
        assert ModelFile.objects.count() == 1

    @pytest.mark.parametrize("cut", [0.05, 0.5, 0.9, 0.999])
    def test_a_truncated_file_is_refused(self, cut):
        whole = a_model.model_bytes()
        with pytest.raises(ModelRefused):
            stored(whole[: int(len(whole) * cut)])
        assert not ModelFile.objects.exists()

    @pytest.mark.parametrize("protocol", range(6))
    def test_a_pickle_is_refused_and_never_opened(self, protocol):
        import builtins

        with pytest.raises(ModelRefused):
            stored(pickle.dumps(Bomb(), protocol=protocol))
        assert not hasattr(builtins, "bomb_went_off")

    @pytest.mark.parametrize("content", [b"\0" * 100, b"hello", b'{"learner": {}}', b"PK\x03\x04", b"tree\n"])
    def test_what_is_no_model_is_refused(self, content):
        with pytest.raises(ModelRefused):
            stored(content)

    def test_another_feature_version_is_refused_naming_both(self):
        with pytest.raises(ModelRefused, match=r"pools-0.*pools-2"):
            stored(feature_version="pools-0")

    def test_the_same_version_with_another_definition_is_refused_naming_both_hashes(self):
        with pytest.raises(ModelRefused, match=f"hash {'0' * 64}, here it is {feature_hash()}"):
            stored(feature_hash="0" * 64)

    def test_a_model_that_answers_its_sample_otherwise_is_refused(self):
        sample = metadata()["sample"]
        sample["outputs"][0] += 1e-9
        with pytest.raises(ModelRefused, match="answers its own sample otherwise"):
            stored(sample=sample)

    def test_a_file_larger_than_the_setting_is_refused(self, settings):
        settings.MODEL_UPLOAD_LIMIT_MIB = 1
        with pytest.raises(ModelTooLarge, match="at most 1048576"):
            stored(b"tree\n" + b"x" * 1024 * 1024)

    @pytest.mark.parametrize("until", [None, "yesterday", 20230514])
    def test_a_model_without_a_day_it_was_trained_until_is_refused(self, until):
        with pytest.raises(ModelRefused, match="trained_until"):
            stored(trained_until=until)

    def test_metadata_that_are_no_json_are_refused(self):
        with pytest.raises(ModelRefused, match="no JSON"):
            stored(note=float("nan"))


class TestActivate:
    def test_the_previous_one_is_returned_and_can_be_activated_back(self):
        first = a_registered_model()
        second = a_registered_model(version="2", active=False)
        assert registry.activate(second, by="a test", now=NOW) == first
        assert loading.active_model().version == "2"
        assert registry.activate(first, by="a test", now=NOW) == second
        assert loading.active_model().version == "1"

    def test_the_switch_is_audited_and_the_trial_kept(self):
        first = a_registered_model()
        second = a_registered_model(version="2", active=False)
        registry.activate(second, by="a test", now=NOW)
        entry = AuditEntry.objects.filter(deed="model.activated").first()
        assert (entry.before["version"], entry.after["version"]) == ("1", "2")
        assert second.trial["rows"] == 5
        assert second.activated_at == NOW
        first.refresh_from_db()
        assert not first.is_active

    def test_activating_the_active_one_changes_nothing(self):
        version = a_registered_model()
        assert registry.activate(version, by="a test", now=NOW) is None
        version.refresh_from_db()
        assert version.activated_at == NOW - timedelta(hours=1)
        assert AuditEntry.objects.filter(deed="model.activated").count() == 1

    @pytest.mark.parametrize("status", [ModelStatus.TESTING, ModelStatus.REJECTED])
    def test_only_a_graduated_model_may_be_active(self, status):
        version = a_registered_model(status=status, active=False)
        with pytest.raises(registry.NotActivatable) as refused:
            registry.activate(version, by="a test", now=NOW)
        assert refused.value.state == status
        assert loading.active_model() is loading.BASELINE

    def test_the_database_itself_refuses_a_second_active_one(self):
        a_registered_model()
        second = a_registered_model(version="2", active=False)
        with pytest.raises(IntegrityError), transaction.atomic():
            ModelVersion.objects.filter(pk=second.pk).update(is_active=True)

    def test_damaged_bytes_are_found_before_anything_is_switched(self):
        first = a_registered_model()
        second = a_registered_model(version="2", active=False)
        damaged = a_model.model_bytes().replace(b"leaf_value=", b"leaf_value=9", 1)
        ModelFile.objects.filter(pk=second.file_id).update(content=damaged)
        loading.forget()
        with pytest.raises(ModelRefused, match="SHA-256 differs"):
            registry.activate(second, by="a test", now=NOW)
        first.refresh_from_db()
        assert first.is_active

    @pytest.mark.django_db(transaction=True)
    def test_of_two_activations_at_once_one_stands(self):
        versions = [a_registered_model(version=str(number), active=False) for number in range(4)]
        begin, failures = threading.Barrier(len(versions)), []

        def activate(version):
            try:
                begin.wait(10)
                registry.activate(version, by="a test", now=NOW)
            except Exception as error:
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=activate, args=[version]) for version in versions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert ModelVersion.objects.filter(is_active=True).count() == 1
        assert AuditEntry.objects.filter(deed="model.activated").count() == 4


class TestShipped:
    def test_it_is_registered_once_graduated_and_can_be_activated(self):
        version = registry.register_shipped()
        assert registry.register_shipped() == version
        assert (version.status, ModelVersion.objects.count()) == ("graduated", 1)
        registry.activate(version, by="a test", now=NOW)
        assert loading.active_model().name == version.name

    def test_other_bytes_under_its_name_are_not_overwritten(self):
        shipped = registry.register_shipped()
        ModelVersion.objects.filter(pk=shipped.pk).update(metadata_sha256="0" * 64)
        with pytest.raises(registry.AlreadyRegistered):
            registry.register_shipped()


class TestJudge:
    def test_a_rejected_model_is_never_activated(self):
        version = a_registered_model(active=False)
        registry.judge(version, ModelStatus.REJECTED, by="a test", reason="drifts")
        assert AuditEntry.objects.get(deed="model.judged").reason == "drifts"
        with pytest.raises(registry.NotActivatable):
            registry.activate(version, by="a test", now=NOW)

    def test_the_active_model_stays_graduated(self):
        version = a_registered_model()
        with pytest.raises(registry.StillActive):
            registry.judge(version, ModelStatus.REJECTED, by="a test")


def test_canonical_json_has_one_spelling():
    assert canonical_json({"b": 1.0, "a": [-0.0, 1e22]}) == b'{"a":[0,10000000000000000000000],"b":1}'
    assert json.loads(canonical_json({"x": 0.1})) == {"x": 0.1}
