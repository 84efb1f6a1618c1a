"""Does the guide to models name the features as they are, and every message that a model is refused with?"""

import ast
import re
from pathlib import Path

import pytest

from mlregistry.domain.features import FEATURE_VERSION, NAMES

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "models.md").read_text()
REFUSALS = {"ModelRefused", "ModelTooLarge", "NotActivatable", "StillActive", "AlreadyRegistered"}
PLAIN = " ".join(GUIDE.split())


def messages():
    """The longest fixed part of each message."""
    for path in sorted((ROOT / "mlregistry").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            is_refusal = isinstance(node, ast.Call) and getattr(node.func, "id", "") in REFUSALS and node.args
            if is_refusal and (parts := [part for part in _fixed(node.args[0]) if len(part) > 5]):
                yield max(parts, key=len)


def _fixed(node):
    if isinstance(node, ast.IfExp):
        return _fixed(node.body)
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    return [re.sub(r"[\s'(:,]+$", "", str(v.value).strip()) for v in values if isinstance(v, ast.Constant)]


@pytest.mark.parametrize("message", sorted(set(messages())))
def test_each_message_is_explained(message):
    assert message.strip(" :(,") in PLAIN, "say in docs/models.md, under 'When it is refused', what to do then"


def test_the_features_are_the_ones_of_this_version():
    assert f"## Features (`{FEATURE_VERSION}`)" in GUIDE
    table = GUIDE.partition("## Features")[2].partition("**Safety score**")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert tuple(name for row in rows for name in re.findall(r"`(\w+)`", row)) == NAMES
