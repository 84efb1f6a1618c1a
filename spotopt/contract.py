"""What does a caller of the API rely on, and what of it changed? The schema as facts, one a line.

`get /api/v1/lab/instances ?limit: integer`, `Instance.name: string, required`. Texts and examples are no facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


def facts(schema: Mapping[str, Any]) -> dict[str, str]:
    """Each operation, parameter, body, answer and field of this OpenAPI document, by name."""
    found = dict(_operations(schema))
    for name, component in schema.get("components", {}).get("schemas", {}).items():
        found[name] = _type(component, is_whole=True)
        found |= {f"{name}.{field}": value for field, value in _fields(component)}
    return dict(sorted(found.items()))


def _operations(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, item in schema["paths"].items():
        for method in (method for method in METHODS if method in item):
            name, operation = f"{method} {path}", item[method]
            yield name, "there"
            for given in operation.get("parameters", []):
                if given["in"] == "query":
                    yield f"{name} ?{given['name']}", _type(given["schema"]) + _required(given.get("required", False))
            for media, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{name} takes {media}", _type(content.get("schema", {}))
            for status, answer in operation["responses"].items():
                contents = answer.get("content", {"": {}})
                yield f"{name} {status}", " or ".join(_type(content.get("schema", {})) for content in contents.values())


def _fields(component: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    needed = component.get("required", [])
    for field, inner in component.get("properties", {}).items():
        yield field, _type(inner) + _required(field in needed)


def _required(is_required: bool) -> str:
    return ", required" if is_required else ""


def _type(schema: Mapping[str, Any], *, is_whole: bool = False) -> str:
    """In one line: a component by its name, an object without a name by its fields."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for word in ("oneOf", "anyOf", "allOf"):
        if word in schema:
            return (" and " if word == "allOf" else " or ").join(_type(each) for each in schema[word])
    kinds = schema.get("type", "anything")
    kind = "|".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "enum" in schema:
        return f"{kind} of {', '.join(map(str, schema['enum']))}"
    if "items" in schema:
        return f"{kind} of ({_type(schema['items'])})"
    if "properties" in schema and not is_whole:
        inner = ", ".join(f"{name}: {value}" for name, value in sorted(_fields(schema)))
        return f"{kind} {{{inner}}}"
    limits = [f"{word} {schema[word]}" for word in ("format", "minimum", "maximum", "maxLength") if word in schema]
    return " ".join([kind, *limits])


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """A line of Markdown for each fact that came, went or changed; a new operation or schema is told as one."""
    lines = []
    for name in sorted({*before, *after}):
        if name not in before:
            if _whole(name) not in after or _whole(name) in before or (name == _whole(name) and " " in name):
                lines.append(f"- added `{name}`" + ("" if after[name] == "there" else f": {after[name]}"))
        elif name not in after:
            if _whole(name) in after or name == _whole(name):
                lines.append(f"- **removed** `{name}`")
        elif before[name] != after[name]:
            lines.append(f"- **changed** `{name}`: {before[name]} → {after[name]}")
    return lines


def _whole(name: str) -> str:
    """The operation or schema that the fact belongs to."""
    if " " in name:
        return " ".join(name.split(" ")[:2])
    return name.partition(".")[0]


def written(found: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in found.items())


def read(text: str) -> dict[str, str]:
    """As `written`; a line of two merges that say different things counts as the later one."""
    return {name: value for name, _, value in (line.partition(": ") for line in text.splitlines() if line)}
