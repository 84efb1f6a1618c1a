"""Is every POST of the interface safe to repeat, and does the schema say so?"""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import HEADER, Repeatable
from spotopt import urls
from spotopt.schema import whole_schema

API = "api/v1/"
# who signs in is not known yet; a refresh token works once by itself, and revoking twice is revoking
EXCEPT = {f"{API}auth/token/", f"{API}auth/token/refresh/", f"{API}auth/token/revoke/"}


def posts(
    patterns: list[URLPattern | URLResolver] | None = None, before: str = ""
) -> Iterator[tuple[str, type | None]]:
    """Every address of the interface that takes a POST, with its view."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from posts(pattern.url_patterns, address)
        elif address.startswith(API):
            view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
            actions = getattr(pattern.callback, "actions", None)
            if view is None or hasattr(view, "post") or "post" in (actions or {}):
                yield address, view


def unsafe() -> set[str]:
    return {address for address, view in posts() if not (isinstance(view, type) and issubclass(view, Repeatable))}


def test_every_post_takes_a_key():
    found = dict(posts())
    assert len(found) > 8
    assert unsafe() == EXCEPT, "Put accounts.idempotency.Repeatable before APIView in the view's bases"


def test_the_schema_says_so_of_each():
    said = {
        path.lstrip("/")
        for path, operations in whole_schema()["paths"].items()
        if any(p.get("name") == HEADER for p in operations.get("post", {}).get("parameters", []))
    }
    posted = {path.lstrip("/") for path, operations in whole_schema()["paths"].items() if "post" in operations}
    assert posted - said == EXCEPT
    assert all("409" in whole_schema()["paths"]["/" + path]["post"]["responses"] for path in said)


class Careless(APIView):
    def post(self, request):
        return Response({})


urlpatterns = [path("", include(urls.urlpatterns)), path(f"{API}careless", Careless.as_view())]


@pytest.mark.urls(__name__)
def test_a_post_without_it_is_found():
    assert f"{API}careless" in unsafe()
