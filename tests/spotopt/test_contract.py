"""Is each change of the API's contract in its changelog, and is it told so that a caller understands it?"""

import json
import shutil
from pathlib import Path

import pytest
from django.core.management import call_command

from spotopt import contract

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECORD = "./run manage record_api --why '…'"


def schema(**paths):
    fields = {"id": {"type": "integer"}, "name": {"type": "string"}}
    thing = {"type": "object", "required": ["id"], "properties": fields}
    return {"paths": paths, "components": {"schemas": {"Thing": thing}}}


def an_operation(*parameters):
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    return {"parameters": list(parameters), "responses": {"200": answer}}


LIMIT = {"in": "query", "name": "limit", "schema": {"type": "integer"}}
BEFORE = schema(**{"/things": {"get": an_operation(LIMIT)}})


def test_every_change_of_the_stored_schema_is_recorded_in_the_changelog():
    stored = contract.facts(json.loads((DOCS / "api-schema.json").read_text()))
    recorded = contract.read((DOCS / "api-recorded.txt").read_text())
    assert contract.changes(recorded, stored) == [], f"The contract changed. If that is meant: {RECORD}"
    assert recorded == stored, f"Not as the command writes it (two branches met?): {RECORD}"


def test_the_changelog_names_what_callers_rely_on():
    assert contract.facts(BEFORE) == {
        "Thing": "object",
        "Thing.id": "integer, required",
        "Thing.name": "string",
        "get /things": "there",
        "get /things 200": "Thing",
        "get /things ?limit": "integer",
    }


def changed(change):
    after = json.loads(json.dumps(BEFORE))
    change(after)
    return contract.changes(contract.facts(BEFORE), contract.facts(after))


@pytest.mark.parametrize(
    "change, lines",
    [
        (lambda s: s["paths"].update({"/more": {"post": an_operation()}}), ["- added `post /more`"]),
        (lambda s: s["paths"].pop("/things"), ["- **removed** `get /things`"]),
        (lambda s: s["paths"]["/things"]["get"].update(parameters=[]), ["- **removed** `get /things ?limit`"]),
        (
            lambda s: s["components"]["schemas"]["Thing"]["properties"].update(age={"type": "number"}),
            ["- added `Thing.age`: number"],
        ),
        (
            lambda s: s["components"]["schemas"]["Thing"]["properties"].update(id={"type": "string"}),
            ["- **changed** `Thing.id`: integer, required → string, required"],
        ),
        (
            lambda s: s["components"]["schemas"]["Thing"].update(required=["id", "name"]),
            ["- **changed** `Thing.name`: string → string, required"],
        ),
        (lambda s: s["components"]["schemas"]["Thing"].update(description="better said"), []),
    ],
)
def test_what_came_went_or_changed_is_a_line_each(change, lines):
    assert changed(change) == lines


def test_a_new_schema_is_told_by_the_operation_that_uses_it():
    def change(after):
        after["components"]["schemas"]["Other"] = {"type": "object", "properties": {"a": {"type": "integer"}}}

    assert changed(change) == []


def test_the_command_writes_schema_and_entry_once(tmp_path):
    for name in ("api-schema.json", "api-recorded.txt", "api-changes.md"):
        shutil.copy(DOCS / name, tmp_path / name)
    recorded = tmp_path / "api-recorded.txt"
    recorded.write_text(recorded.read_text().replace("get /api/v1/lab/instances ?limit: integer", "get /old: there"))
    for _ in range(2):
        call_command("record_api", docs=tmp_path, why="For the test.")
    told = (tmp_path / "api-changes.md").read_text()
    assert told.count("For the test.") == 1
    assert told.count("added `get /api/v1/lab/instances ?limit`: integer") == 1
    assert "**removed** `get /old`" in told
    assert json.loads((tmp_path / "api-schema.json").read_text()) == json.loads((DOCS / "api-schema.json").read_text())


def test_what_was_written_is_read_again():
    assert contract.read(contract.written(contract.facts(BEFORE))) == contract.facts(BEFORE)
