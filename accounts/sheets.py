"""How is a list written as CSV, so that a spreadsheet computes nothing out of what somebody wrote into a name?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of a formula
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
    names = list(columns)
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(names)
    writer.writerows([cell(row.get(name)) for name in names] for row in rows)
    return output.getvalue()


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
