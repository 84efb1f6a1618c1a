"""How is a list written as CSV, so that a spreadsheet computes nothing out of what somebody wrote into a name?"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from rest_framework.renderers import BaseRenderer, JSONRenderer

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of a formula
PIECE = 65_536  # characters that are gathered before they are sent
MOST_ROWS = 50_000  # of one sheet; a list that is longer goes on under another offset or cursor


def cell(value: Any) -> Any:
    """As it is, but text that a spreadsheet would compute gets a leading apostrophe; unknown is empty."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def sheet(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> str:
    """The rows under a line of `columns`; a column that a row lacks is empty."""
    return "".join(_pieces(rows, columns))


def sent(
    request: HttpRequest, rows: Iterable[Mapping[str, Any]], columns: Iterable[str], *, name: str
) -> StreamingHttpResponse:
    """The same as a file to be saved, sent while it is written: a long list is never whole in memory."""
    pieces: Any = _pieces(rows, columns)
    return StreamingHttpResponse(
        _in_turns(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _pieces(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Iterator[str]:
    """The sheet's text, some hundred lines at a time."""
    names = list(columns)
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(names)
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in names])
        if output.tell() > PIECE:
            yield output.getvalue()
            output.seek(0)
            output.truncate()
    yield output.getvalue()


async def _in_turns(pieces: Iterator[str]) -> AsyncIterator[str]:
    """For a server of asynchronous views, which would otherwise gather all before it sends any."""
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece


class Csv(BaseRenderer):
    """`?format=csv` of a list; its columns are the view's `columns`. A refusal stays the problem it is."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes | str:
        if not isinstance(data, Mapping) or "results" not in data:
            return JSONRenderer().render(data)
        context = renderer_context or {}
        return sheet(data["results"], context["view"].columns)


def _is_number(text: str) -> bool:
    """Money is text in our answers, and savings may be negative: a number stays one."""
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and not text[-1:].isspace() and not text[:1].isspace()
