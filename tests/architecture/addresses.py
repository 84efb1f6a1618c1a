"""Which addresses does the product answer, and what would a stranger put into them?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from spotopt.schema import whole_schema

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


class Unswept(AssertionError):
    """An address with a part for which the sweep knows no id of Alice's."""


@dataclass(frozen=True)
class Route:
    template: str

    def filled(self, ids: dict[tuple[str, str], Any]) -> str:
        """The address with Alice's ids, found by the segment before and the parameter's name. Raises Unswept."""

        def value(match: re.Match[str]) -> str:
            before = self.template[: match.start()].rstrip("/").rpartition("/")[2]
            for key in ((before, match[1]), ("", match[1])):
                if key in ids:
                    return str(ids[key])
            raise Unswept(f"{self.template}: no id is known for <{match[1]}> after {before!r}; add one to ALICES")

        return "/" + PARAMETER.sub(value, self.template)


@dataclass(frozen=True)
class Asked:
    """One request; `told` are the words in it, which an answer may repeat."""

    method: str
    address: str
    body: Any = None
    media: str = "application/json"
    told: tuple[str, ...] = field(default=(), compare=False)
    key: str = ""  # sent as Idempotency-Key

    def __str__(self) -> str:
        return f"{self.method} {self.address} {self.body or ''} {self.key}"


def routes(patterns: list[URLPattern | URLResolver] | None = None, before: str = "") -> Iterator[Route]:
    """Every route of the resolver. A regular expression stands for one address of its kind."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        text = before + _plain(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, text)
        else:
            yield Route(text)


def _plain(pattern: Any) -> str:
    if not isinstance(pattern, RegexPattern):
        return str(pattern)
    text = str(pattern).removeprefix("^").removesuffix("$")
    text = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", text)
    return text + "nothing" if text.endswith("/") and "<" not in text else text


def requests(route: Route, ids: dict[tuple[str, str], Any], words: dict[str, Any], nonsense: str) -> Iterator[Asked]:
    """All that a stranger might send to a route: each method, with Alice's ids in path, query and body."""
    address = route.filled(ids)
    operations = _operations(route)
    for query in _queries(operations, words, nonsense):
        told = tuple(str(value) for value in query.values())
        yield Asked("GET", f"{address}?{urlencode(query)}", told=told)
    everything = {name: str(value) for name, value in words.items()}
    for method in METHODS:
        if method in ("GET", "HEAD", "OPTIONS"):
            yield Asked(method, address)
            continue
        yield Asked(method, address, {})
        yield Asked(method, address, everything, told=tuple(everything.values()))
        for body in _bodies(operations.get(method.lower(), {}), words):
            yield Asked(method, address, body, told=tuple(everything.values()))
        if method == "POST":
            yield Asked(method, address, everything, media="form", told=tuple(everything.values()))
            # with the very body that Alice sent with this key, and with another
            yield Asked(method, address, {}, key=nonsense)
            yield Asked(method, address, everything, told=tuple(everything.values()), key=nonsense)


def _operations(route: Route) -> dict[str, Any]:
    path = "/" + re.sub(PARAMETER, r"{\1}", route.template)
    operations: dict[str, Any] = whole_schema()["paths"].get(path, {})
    return operations


def _queries(operations: dict[str, Any], words: dict[str, Any], nonsense: str) -> Iterator[dict[str, Any]]:
    """Each declared parameter by itself, for one that is unknown is refused; all at once where none is declared."""
    declared = [p for p in operations.get("get", {}).get("parameters", []) if p["in"] == "query"]
    for parameter in declared:
        offered = parameter["schema"].get("enum") or parameter["schema"].get("items", {}).get("enum") or []
        for value in offered or [words.get(parameter["name"], nonsense)]:
            yield {parameter["name"]: value}
    if not declared:
        yield words


def _bodies(operation: dict[str, Any], words: dict[str, Any]) -> Iterator[Any]:
    """The examples of the schema, as they are and with Alice's ids in every field of that name."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        for example in media.get("examples", {}).values():
            yield example["value"]
            if isinstance(example["value"], dict):
                yield {**example["value"], **{k: v for k, v in words.items() if k in example["value"]}}
                yield {**example["value"], "customer_id": words["customer_id"]}
                yield {**example["value"], "account_id": words["account_id"]}
