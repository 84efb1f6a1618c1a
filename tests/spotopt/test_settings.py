"""Does the table name every setting, and does a start say at once all that is wrong?"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.*?) \| .+ \|$", re.MULTILINE)


def table() -> dict[str, str]:
    return dict(ROW.findall((ROOT / "docs" / "settings.md").read_text()))


def read_settings() -> dict[str, list[ast.expr]]:
    """The arguments after its name of each setting that is read through `env`."""
    calls = [node for node in ast.walk(ast.parse((ROOT / "spotopt" / "settings.py").read_text())) if is_read(node)]
    return {ast.literal_eval(call.args[0]): call.args[1:] for call in calls}


def is_read(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and node.func.attr != "settle"
    )


def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process that knows nothing but these variables."""
    return subprocess.run(
        [sys.executable, "-c", "import spotopt.settings"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_table_has_each_setting_that_is_read_and_no_other():
    assert sorted(table()) == sorted(read_settings())


@pytest.mark.parametrize("name", sorted(read_settings()))
def test_the_tables_default_is_the_one_that_is_read(name):
    told, arguments = table()[name], read_settings()[name]
    if arguments and isinstance(arguments[0], ast.Constant) and not str(arguments[0].value).startswith("https:"):
        assert told == (
            str(arguments[0].value).lower() if isinstance(arguments[0].value, bool) else str(arguments[0].value)
        )
    elif arguments and isinstance(arguments[0], ast.Tuple):
        assert told == ",".join(ast.literal_eval(arguments[0]))


def test_the_example_starts_and_names_only_settings_that_exist():
    assert example().keys() <= table().keys()
    result = started(example())
    assert result.returncode == 0, result.stderr


def test_a_start_without_settings_names_all_that_are_missing_at_once():
    required = {name for name, default in table().items() if default == "**required**"}
    last = started({}).stderr.rpartition("Settings in the environment:")[2]
    assert set(re.findall(r"^- ([A-Z_]+) is not set", last, re.MULTILINE)) == required


def test_wrong_values_are_told_together_and_secrets_are_not_repeated():
    wrong = {
        "DEBUG": "perhaps",
        "PRICE_HISTORY_DAYS": "3",
        "LOG_LEVEL": "loud",
        "DATABASE_URL": "mysql://app:hush@db/x",
    }
    last = started(example() | wrong).stderr.rpartition("Settings in the environment:")[2]
    assert all(f"- {name}" in last for name in wrong)
    assert "hush" not in last
