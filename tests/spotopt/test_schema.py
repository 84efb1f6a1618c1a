"""Does the schema say what the API does, and does nobody change the contract unawares?"""

import json
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from jsonschema import Draft202012Validator

from spotopt.schema import whole_schema

STORED = Path(__file__).resolve().parents[2] / "docs" / "api-schema.json"
REFRESH = "./run manage record_api --why '…'"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    whole_schema.cache_clear()
    return json.loads(json.dumps(whole_schema()))


def operations(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    paths = schema["paths"].items()
    return [(f"{m} {path}", item[m]) for path, item in paths for m in METHODS if m in item]


def examples_of(body: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    """Each example beside the schema it illustrates."""
    media = [content for name, content in body.get("content", {}).items() if "problem" not in name]
    found = [(m["schema"], e["value"]) for m in media for e in m.get("examples", {}).values() if "value" in e]
    return found + [(m["schema"], m["example"]) for m in media if "example" in m]


def test_the_stored_schema_is_the_one_that_is_served(schema):
    assert STORED.exists(), f"There is no stored schema: {REFRESH}"
    assert json.loads(STORED.read_text()) == schema, f"The contract changed. If that is meant: {REFRESH}"


def test_it_is_drawn_without_a_guess(schema):
    assert not GENERATOR_STATS, "drf-spectacular had to guess; it says where on: ./run manage spectacular --validate"


def test_every_operation_has_an_example_of_its_answer_and_of_its_body(schema):
    silent = []
    for name, operation in operations(schema):
        answers = [body for status, body in operation["responses"].items() if status.startswith("2")]
        if not any(examples_of(body) for body in answers):
            silent.append(f"{name}: no answer")
        if "requestBody" in operation and not examples_of(operation["requestBody"]):
            silent.append(f"{name}: no body")
    assert not silent


def test_every_example_is_as_the_schema_says(schema):
    wrong = []
    for name, operation in operations(schema):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for part, value in (pair for body in bodies for pair in examples_of(body)):
            whole = {**part, "components": schema["components"]}
            wrong += [f"{name}: {e.json_path} {e.message}" for e in Draft202012Validator(whole).iter_errors(value)]
    assert not wrong


def test_whoever_must_say_who_they_are_can_be_refused_by_name(schema):
    for name, operation in operations(schema):
        if operation.get("security") != [{}] and "/api/v1/" in name and name != "get /api/v1/":
            assert {"401", "403", "404", "429", "503"} <= set(operation["responses"]), name


@pytest.mark.django_db
def test_it_is_served_to_anybody_and_the_index_says_its_version(client):
    index = client.get("/api/v1/").json()
    assert index["schema_version"]
    assert client.get(index["schema"]).json()["openapi"].startswith("3.1")


@pytest.mark.django_db
def test_the_docs_page_has_no_inline_script_and_comes_with_its_own_files(client):
    page = client.get("/api/v1/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "<script>" not in text
    assert "<style" not in text
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "https://" not in text
    script = text.split('<script src="')[-1].split('"')[0]
    answer = client.get(script.replace("&amp;", "&"))
    assert answer.headers["Content-Type"].startswith("application/javascript")
    assert "/api/v1/schema/" in answer.content.decode()
