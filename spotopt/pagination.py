"""How is a long list handed out? `?limit=&offset=`, at most 1000 at once, or 50,000 as a sheet."""

from __future__ import annotations

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from accounts.sheets import MOST_ROWS, Csv

MOST = 1000
FARTHEST = 2**31 - 1  # beyond this the database would refuse the number, not the page


class LimitOffset(LimitOffsetPagination):
    """`{"count", "next", "previous", "results"}`; an offset past the end is an empty page."""

    default_limit = 100
    max_limit = MOST

    def get_limit(self, request: Request) -> int | None:
        if isinstance(getattr(request, "accepted_renderer", None), Csv):  # a sheet is saved whole, or nearly so
            return self._whole(request, "limit", default=MOST_ROWS, least=1, most=MOST_ROWS)
        return self._whole(request, "limit", default=self.default_limit, least=1, most=MOST)

    def get_offset(self, request: Request) -> int:
        return self._whole(request, "offset", default=0, least=0, most=FARTHEST)

    def _whole(self, request: Request, name: str, *, default: int, least: int, most: int) -> int:
        raw = request.query_params.get(name)
        if raw is None:
            return default
        if not (raw.isascii() and raw.isdigit() and least <= int(raw[:12]) <= most):
            raise ValidationError({name: [f"A whole number from {least} to {most}, not {raw[:20]!r}."]})
        return int(raw)
