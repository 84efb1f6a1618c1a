"""Which objects does a selector mean? Label selectors in full, field selectors as far as the server knows the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from spotopt.local.kube.status import bad_request

Test = Callable[[Mapping[str, Any]], bool]
TOKEN = re.compile(r"\s*(!=|==|=|!|\(|\)|,|[^\s!=(),]+)")
FIELDS = {
    "nodes": {"metadata.name", "spec.unschedulable"},
    "pods": {"metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"},
}


def labels(selector: str) -> Test:
    """Does an object carry labels like these? Refused (400) for what cannot be read."""
    tokens, tests = TOKEN.findall(selector), []
    while tokens:
        tests.append(_requirement(tokens))
        if tokens and tokens.pop(0) != ",":
            raise bad_request(f"unable to parse requirement: found '{selector}', expected: ',' or 'end of string'")
    return lambda thing: all(test(thing["metadata"].get("labels") or {}) for test in tests)


def _requirement(tokens: list[str]) -> Callable[[Mapping[str, str]], bool]:
    if tokens[0] == "!":
        absent = tokens[1]
        del tokens[:2]
        return lambda found: absent not in found
    key = tokens.pop(0)
    if not tokens or tokens[0] == ",":
        return lambda found: key in found
    operator = tokens.pop(0)
    if operator in {"=", "==", "!="}:
        value = tokens.pop(0) if tokens and tokens[0] != "," else ""
        return lambda found: (found.get(key) == value) == (operator != "!=")
    if operator not in {"in", "notin"}:
        raise bad_request(f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
    values = _values(tokens)
    return lambda found: (found.get(key) in values) == (operator == "in")


def _values(tokens: list[str]) -> set[str]:
    if not tokens or tokens[0] != "(":
        raise bad_request(f"unable to parse requirement: found '{tokens[0] if tokens else ''}' expected: '('")
    closing = tokens.index(")") if ")" in tokens else len(tokens)
    values = {token for token in tokens[1:closing] if token != ","}
    del tokens[: closing + 1]
    return values


def match_labels(selector: Mapping[str, Any]) -> Test:
    """A budget's or set's selector: matchLabels and matchExpressions; an empty one means everything."""
    wanted = dict(selector.get("matchLabels") or {})
    tests = [_expression(each) for each in selector.get("matchExpressions") or ()]

    def test(thing: Mapping[str, Any]) -> bool:
        found = thing["metadata"].get("labels") or {}
        return wanted.items() <= found.items() and all(each(found) for each in tests)

    return test


def _expression(each: Mapping[str, Any]) -> Callable[[Mapping[str, str]], bool]:
    key, values = each["key"], set(each.get("values") or ())
    return {
        "In": lambda found: found.get(key) in values,
        "NotIn": lambda found: found.get(key) not in values,
        "Exists": lambda found: key in found,
        "DoesNotExist": lambda found: key not in found,
    }[each["operator"]]


def fields(resource: str, selector: str) -> Test:
    """Refused (400) for a field that this resource cannot be selected by; a node by its providerID, for one."""
    tests: list[Test] = []
    for part in filter(None, selector.split(",")):
        name, operator, value = re.split(r"(!=|==|=)", part, maxsplit=1)
        if name not in FIELDS.get(resource, {"metadata.name", "metadata.namespace"}):
            raise bad_request(f"field label not supported: {name}")
        tests.append(_field(name, value, wanted=operator != "!="))
    return lambda thing: all(test(thing) for test in tests)


def _field(name: str, value: str, *, wanted: bool) -> Test:
    def test(thing: Mapping[str, Any]) -> bool:
        found: Any = thing
        for part in name.split("."):
            found = found.get(part, "") if isinstance(found, Mapping) else ""
        if name == "spec.unschedulable":
            found = str(bool(found)).lower()
        return (found == value) == wanted

    return test
