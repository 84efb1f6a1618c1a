"""How lists are shown: turned by number and by cursor, kept in an address, sent as sheets?"""

import asyncio
import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django import forms
from django.http import QueryDict
from django.test import AsyncRequestFactory

from accounts import lists
from accounts.lists import ListForm, Orders
from accounts.models import AwsAccount
from accounts.sheets import sent
from tests.factories import NOW, an_account

pytestmark = pytest.mark.django_db


class AccountsForm(ListForm):
    orders = Orders("name", {"name": "name", "synced": "synced_at", "owner": "organization__name"})
    kept = ("of",)

    q = forms.CharField(required=False)
    of = forms.CharField(required=False, widget=forms.HiddenInput)


def form(query=""):
    return AccountsForm(QueryDict(query))


def some_accounts(n, *, unknown=0):
    """`n` whose inventory was read, two at each instant, and `unknown` whose never was."""
    for number in range(n + unknown):
        synced = None if number >= n else NOW - timedelta(hours=number // 2)
        an_account(name=f"account {number:03}", synced_at=synced)


def every_page(query, turn=lists.by_cursor, way="after"):
    """The names on each page from the first to the last, and the query of the last."""
    pages = []
    while True:
        page = turn(AwsAccount.objects.all(), form(query), "accounts")
        pages.append([row.name for row in page.rows])
        assert len(pages) < 9
        if not (further := getattr(page, way)):
            return pages, query
        query = further


@pytest.mark.parametrize("sort", ["name", "-name", "synced", "-synced", "owner", "-owner"])
def test_every_row_is_on_one_page_in_order_however_one_turns_them(sort):
    some_accounts(70, unknown=60)
    by_cursor, last = every_page(f"sort={sort}")
    by_number, _ = every_page(f"sort={sort}", lists.by_number)
    assert by_cursor == by_number
    assert [len(page) for page in by_cursor] == [50, 50, 30]
    back, _ = every_page(last, way="before")
    assert list(reversed(back)) == by_cursor


def test_what_is_unknown_comes_last_both_ways():
    some_accounts(2, unknown=1)
    for sort in ("synced", "-synced"):
        page = lists.by_cursor(AwsAccount.objects.all(), form(f"sort={sort}"), "accounts")
        assert page.rows[-1].synced_at is None


def test_a_row_that_comes_meanwhile_moves_no_page():
    some_accounts(60)
    first = lists.by_cursor(AwsAccount.objects.all(), form(), "accounts")
    an_account(name="account 000 and a half")
    second = lists.by_cursor(AwsAccount.objects.all(), form(first.after), "accounts")
    assert [row.name for row in second.rows] == [f"account {n:03}" for n in range(50, 60)]


@pytest.mark.parametrize(
    "cursor", ["x", "bnVsbA", "WyJuYW1lIiwgMSwgInh5eiJd", "W10", "A" * 9000, "%00", "WyItbmFtZSIsImEiLDFd"]
)
@pytest.mark.parametrize("way", ["after", "before"])
def test_a_cursor_that_is_none_is_the_beginning(cursor, way):
    some_accounts(2)
    page = lists.by_cursor(AwsAccount.objects.all(), form(f"{way}={cursor}"), "accounts")
    assert [row.name for row in page.rows] == ["account 000", "account 001"]
    assert page.before == page.after == ""


def test_a_cursor_goes_down_an_index_and_counts_nothing(django_assert_num_queries):
    some_accounts(60)
    first = lists.by_cursor(AwsAccount.objects.all(), form(), "accounts")
    with django_assert_num_queries(2) as asked:
        lists.by_cursor(AwsAccount.objects.all(), form(first.after), "accounts")
    told = asked.captured_queries[0]["sql"]
    assert '"name" >= ' in told
    assert "COUNT" not in told
    assert "NULLS" not in told


def test_what_is_nonsense_is_told_and_otherwise_ignored():
    asked = form("sort=weight&q=web&page=many")
    assert (asked.sort, asked.wanted["q"]) == ("name", "web")
    assert "sort" in asked.errors


def test_an_address_keeps_the_filters_and_drops_place_order_and_what_is_empty():
    asked = form("q=a%26b&of=us&sort=-name&page=3&after=x&format=csv&empty=")
    assert parse_qs(asked.address) == {"q": ["a&b"], "of": ["us"]}
    assert parse_qs(asked.sheet) == {"q": ["a&b"], "of": ["us"], "sort": ["-name"], "format": ["csv"]}


def test_whose_list_it_is_is_no_filter():
    assert not form("of=us&sort=name").is_filtered
    assert form("q=x").is_filtered
    assert form().typed == ["list_q"]


def test_an_empty_list_is_a_page_of_nothing():
    for turn in (lists.by_number, lists.by_cursor):
        page = turn(AwsAccount.objects.none(), form(), "accounts")
        assert (page.rows, page.before, page.after) == ([], "", "")


def a_sheet(request, n=3):
    some_accounts(n)
    rows, asked = AwsAccount.objects.all(), form("sort=-name")
    return lists.sheet(request, rows, asked, name="accounts", columns=("name",), row=lambda a: {"name": a.name})


def names_in(body):
    return [row["name"] for row in csv.DictReader(io.StringIO(body))]


def test_a_sheet_is_streamed_in_the_order_asked_for(rf):
    answer = a_sheet(rf.get("/"))
    assert answer.streaming
    assert answer["Content-Disposition"] == 'attachment; filename="accounts.csv"'
    assert names_in(answer.getvalue().decode()) == ["account 002", "account 001", "account 000"]


def test_a_sheet_ends_where_it_becomes_too_long(rf, monkeypatch):
    monkeypatch.setattr(lists, "MOST_ROWS", 2)
    assert len(names_in(a_sheet(rf.get("/")).getvalue().decode())) == 2


def test_a_server_of_asynchronous_views_gets_it_piece_by_piece_too():
    written = ({"name": f"row {n}"} for n in range(30_000))
    answer = sent(AsyncRequestFactory().get("/"), written, ("name",), name="rows")
    assert answer.is_async

    async def pieces():
        return [piece async for piece in answer]

    with ThreadPoolExecutor(1) as other:  # a browser of another test may have a loop in this thread
        got = other.submit(asyncio.run, pieces()).result()
    assert len(got) > 3
    assert len(names_in(b"".join(got).decode())) == 30_000
