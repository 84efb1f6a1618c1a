"""How is a list shown? What is in it, in which order, how many at once, as a sheet: all of it stands in the address.

A page with a list has a `ListForm`. Its view pages the rows `by_number`, where their number is told, or `by_cursor`,
where the list is a history that nobody should count, and gives `context` to a template that is made of
`components/filters.html`, `sortable.html` and `pages.html`. `?format=csv` of the same address is all of it as a sheet.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from django import forms
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F, Field, Model, Q, QuerySet
from django.db.models.expressions import OrderBy
from django.http import HttpRequest, HttpResponseBase, QueryDict

from accounts.sheets import MOST_ROWS, sent

M = TypeVar("M", bound=Model)

ROWS_A_PAGE = 50
PLACE = ("page", "after", "before")  # where in the list one is
SAMPLED = 1_000  # rows that a sheet takes from the database at once
MOST_CURSOR = 4_000  # characters; a longer one is not ours


@dataclass(frozen=True, slots=True)
class Orders:
    """By which words a list may be sorted, and the column of each; `-word` is the other way round."""

    usual: str
    columns: Mapping[str, str]

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(word, word) for name in self.columns for word in (name, f"-{name}")]

    def column(self, word: str) -> tuple[str, bool]:
        """The column, and whether it falls."""
        return self.columns[word.removeprefix("-")], word.startswith("-")

    def terms(self, model: type[Model], word: str, *, reverse: bool = False) -> list[OrderBy]:
        """Unknown values come last both ways; ties are settled by the key, so that pages fit."""
        name, is_falling = self.column(word)
        return [_term(model, name, is_falling, reverse), _term(model, "pk", is_falling, reverse)]


def _term(model: type[Model], name: str, is_falling: bool, reverse: bool) -> OrderBy:
    """Where nothing can be unknown nothing is said of it: an index would not be used."""
    last: dict[str, Any] = {"nulls_first" if reverse else "nulls_last": True} if _may_be_unknown(model, name) else {}
    return F(name).desc(**last) if is_falling != reverse else F(name).asc(**last)


def _may_be_unknown(model: type[Model], column: str) -> bool:
    """Whether the column may be NULL, by itself or by a row that is not there; annotations may."""
    try:
        return any(field.null for field in _fields(model, column))
    except FieldDoesNotExist:
        return True


def _fields(model: type[Model], column: str) -> list[Field[Any, Any]]:
    """The fields that the path leads through. Raises FieldDoesNotExist for an annotation."""
    found: list[Field[Any, Any]] = []
    for name in column.split("__"):
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        if not isinstance(field, Field):
            raise FieldDoesNotExist(f"{column} of {model.__name__} is no column")
        found.append(field)
        model = field.related_model or model
    return found


class ListForm(forms.Form):
    """What the address of a list may say; what is nonsense is told on the page, and otherwise ignored."""

    orders: ClassVar[Orders]
    kept: ClassVar[tuple[str, ...]] = ()  # hidden fields that are no filter: they say whose list it is

    def __init__(self, data: QueryDict) -> None:
        self.asked = data
        super().__init__(data, auto_id="list_%s")  # a page may have another form beside it
        self.fields["sort"] = forms.ChoiceField(required=False, choices=self.orders.choices, widget=forms.HiddenInput)

    @property
    def wanted(self) -> dict[str, Any]:
        """What is said, and makes sense."""
        self.is_valid()
        return self.cleaned_data

    @property
    def sort(self) -> str:
        return str(self.wanted.get("sort") or self.orders.usual)

    @property
    def is_filtered(self) -> bool:
        filters = {name for name in self.fields if name not in ("sort", *self.kept)}
        return any(value not in ("", None) for name, value in self.wanted.items() if name in filters)

    @property
    def typed(self) -> list[str]:
        """The ids of the fields that one types into: the list follows them while one does."""
        return [
            field.id_for_label for field in self.visible_fields() if isinstance(field.field.widget, forms.TextInput)
        ]

    @property
    def address(self) -> str:
        """The query without place, order and format, for links that add theirs."""
        return self.query(sort=None)

    @property
    def sheet(self) -> str:
        return self.query(sort=self.sort, format="csv")

    def query(self, **more: str | None) -> str:
        """The query of another view of this list: its place is left out, and what is empty or None."""
        query = self.asked.copy()
        for name in (*PLACE, "format", *more, *(name for name, value in self.data.items() if not value)):
            query.pop(name, None)
        query.update({name: value for name, value in more.items() if value is not None})
        return query.urlencode()


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list. `before` and `after` are queries; empty where there is nothing."""

    rows: list[Any]
    says: str
    before: str
    after: str


def by_number(rows: QuerySet[M], form: ListForm, noun: str) -> Page:
    """The page of that number, in the order asked for; one that is none is the first, one past the end the last."""
    ordered = rows.order_by(*form.orders.terms(rows.model, form.sort))
    page = Paginator(ordered.values_list("pk", flat=True), ROWS_A_PAGE).get_page(form.data.get("page"))
    return Page(
        rows=_whole(rows, page.object_list),
        says=f"{page.start_index():,}–{page.end_index():,} of {page.paginator.count:,} {noun}",
        before=_numbered(form, page.previous_page_number()) if page.has_previous() else "",
        after=_numbered(form, page.next_page_number()) if page.has_next() else "",
    )


def by_cursor(rows: QuerySet[M], form: ListForm, noun: str) -> Page:
    """The rows after or before a row, found by what it is sorted by: as quick a million rows down, and never counted.

    A cursor that is none of ours, or of another order, is the beginning.
    """
    before, after = form.data.get("before", ""), form.data.get("after", "")
    is_back, mark = bool(before), _mark(rows, form, before or after)
    is_back = is_back and mark is not None
    ordered = rows.order_by(*form.orders.terms(rows.model, form.sort, reverse=is_back))
    if mark is not None:
        ordered = ordered.filter(_beyond(rows.model, form, mark, reverse=is_back))
    keys = list(ordered.values_list("pk", flat=True)[: ROWS_A_PAGE + 1])
    has_more = len(keys) > ROWS_A_PAGE
    found = _whole(rows, keys[:ROWS_A_PAGE])
    if is_back:
        found.reverse()
    return Page(
        rows=found,
        says=f"{len(found):,} {noun} on this page",
        before=_cursor(form, "before", found[0]) if found and (has_more if is_back else mark is not None) else "",
        after=_cursor(form, "after", found[-1]) if found and (has_more or is_back) else "",
    )


def is_beginning(form: ListForm) -> bool:
    """Whether this is the list as one comes to it: in its usual order, from its first row."""
    return form.sort == form.orders.usual and not any(form.data.get(name) for name in PLACE)


def context(form: ListForm, page: Page) -> dict[str, Any]:
    """What the components of a list read."""
    return {
        "form": form,
        "page": page,
        "sort": form.sort,
        "address": form.address,
        "is_filtered": form.is_filtered,
    }


def wants_sheet(request: HttpRequest) -> bool:
    return request.GET.get("format") == "csv"


def sheet(
    request: HttpRequest,
    rows: QuerySet[M],
    form: ListForm,
    *,
    name: str,
    columns: Iterable[str],
    row: Callable[[M], Mapping[str, Any]],
) -> HttpResponseBase:
    """The list as CSV, row by row as the database gives them, at most MOST_ROWS."""
    ordered = rows.order_by(*form.orders.terms(rows.model, form.sort))[:MOST_ROWS]
    return sent(request, (row(each) for each in ordered.iterator(SAMPLED)), columns, name=name)


def wants_part(request: HttpRequest) -> bool:
    """A partial for htmx, but the whole page when history asks for it again."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request and not htmx.boosted


def _whole(rows: QuerySet[M], keys: Iterable[Any]) -> list[M]:
    """The rows with these keys, in that order: keys are found first, for whole rows are too wide to be sorted."""
    wanted = list(keys)
    found = {row.pk: row for row in rows.order_by().filter(pk__in=wanted)} if wanted else {}
    return [found[key] for key in wanted if key in found]  # one may have gone in between


def _numbered(form: ListForm, number: int) -> str:
    return form.query(sort=form.sort, page=str(number))


def _cursor(form: ListForm, name: str, row: Any) -> str:
    column, _ = form.orders.column(form.sort)
    text = json.dumps([form.sort, _value(row, column), row.pk], cls=DjangoJSONEncoder)
    cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return form.query(**{"sort": form.sort, name: cursor})


def _value(row: Any, column: str) -> Any:
    for name in column.split("__"):
        row = getattr(row, name, None)
    return row


def _mark(rows: QuerySet[Any], form: ListForm, cursor: str) -> tuple[Any, Any] | None:
    """The value and key of the row that a cursor names; None for what is none."""
    if not cursor or len(cursor) > MOST_CURSOR:
        return None
    try:
        sort, value, pk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if sort != form.sort or pk is None:
            return None
        column, _ = form.orders.column(sort)
        return _fields(rows.model, column)[-1].to_python(value), _fields(rows.model, "pk")[-1].to_python(pk)
    except (binascii.Error, ValueError, TypeError, ValidationError, FieldDoesNotExist, OverflowError):
        return None


def _beyond(model: type[Model], form: ListForm, mark: tuple[Any, Any], *, reverse: bool) -> Q:
    """The rows that come after the mark in the order, or before it in reverse; unknown values stand at the end."""
    column, is_falling = form.orders.column(form.sort)
    value, pk = mark
    side = "lt" if is_falling != reverse else "gt"
    if value is None:
        tied = Q(**{f"{column}__isnull": True, f"pk__{side}": pk})
        return tied | Q(**{f"{column}__isnull": False}) if reverse else tied
    # said twice over, for an index to begin at the value
    further = Q(**{f"{column}__{side}e": value}) & (Q(**{f"{column}__{side}": value}) | Q(**{f"pk__{side}": pk}))
    unknown = Q(**{f"{column}__isnull": True})
    return further | unknown if _may_be_unknown(model, column) and not reverse else further
