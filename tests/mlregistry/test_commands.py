"""The same deeds by hand."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from mlregistry import loading
from mlregistry.models import ModelVersion, PoolScore
from tests.mlregistry import a_model
from tests.mlregistry.a_market import a_market, a_registered_model

pytestmark = pytest.mark.django_db


def run(*words: object) -> str:
    out = StringIO()
    call_command(*map(str, words), stdout=out)
    return out.getvalue()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "model.txt").write_bytes(a_model.model_bytes())
    (tmp_path / "metadata.json").write_text(json.dumps(a_model.metadata(trained_until="2023-05-14")))
    return tmp_path / "model.txt", tmp_path / "metadata.json"


def test_score_scores_every_region_and_says_how_it_went(time_machine):
    from tests.factories import NOW

    time_machine.move_to(NOW, tick=False)
    a_market()
    assert "us-east-1: 15 pools, 0 of them unknown, by advisor-baseline 2" in run("score")
    assert PoolScore.objects.count() == 15


def test_score_refuses_a_region_without_pools():
    with pytest.raises(CommandError, match="no pools in eu-west-9"):
        run("score", "eu-west-9")


def test_a_model_is_registered_then_activated(files):
    assert "for-tests 1: graduated" in run("register_model", *files, "--graduate")
    assert "for-tests 1 is active" in run("activate_model", "for-tests", "1")
    assert loading.active_model().name == "for-tests"


def test_a_model_in_testing_is_not_activated(files):
    run("register_model", *files)
    with pytest.raises(CommandError, match="only a graduated model"):
        run("activate_model", "for-tests", "1")


def test_the_same_model_twice_is_refused(files):
    run("register_model", *files)
    with pytest.raises(CommandError, match="registered already"):
        run("register_model", *files)
    assert ModelVersion.objects.count() == 1


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"tree\nversion=v4\n"])
def test_a_file_that_is_no_model_is_refused(files, content):
    files[0].write_bytes(content)
    with pytest.raises(CommandError, match="not registered"):
        run("register_model", *files)


def test_a_missing_file_or_broken_metadata_is_one_sentence(files):
    with pytest.raises(CommandError, match="not registered"):
        run("register_model", files[0].with_name("nowhere"), files[1])
    files[1].write_text("{")
    with pytest.raises(CommandError, match="not registered"):
        run("register_model", *files)
    with pytest.raises(CommandError, match="neither"):
        run("register_model", files[0])


def test_activating_the_next_names_the_one_before():
    a_registered_model()
    a_registered_model(version="2", active=False)
    assert "for-tests 2 is active, after for-tests 1" in run("activate_model", "for-tests", "2")


def test_an_unknown_model_is_not_activated():
    with pytest.raises(CommandError, match="no model nothing 9 is registered"):
        run("activate_model", "nothing", "9")
