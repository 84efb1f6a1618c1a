"""Is a page never longer than asked, never cut in silence, and never a surprise?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from spotopt.pagination import MOST, LimitOffset


def paged(rows: range, **query):
    pages = LimitOffset()
    page = pages.paginate_queryset(rows, Request(APIRequestFactory().get("/", query)))
    return page, pages.get_paginated_response(page).data


@given(count=st.integers(0, 60), limit=st.integers(1, 70), offset=st.integers(0, 70))
def test_a_page_is_the_slice_that_was_asked_for(count, limit, offset):
    page, body = paged(range(count), limit=limit, offset=offset)
    assert page == list(range(count))[offset : offset + limit]
    assert body["count"] == count
    assert (body["next"] is None) == (offset + limit >= count)


def test_without_a_limit_a_page_has_a_hundred():
    page, body = paged(range(250))
    assert len(page) == 100
    assert "limit=100" in body["next"]
    assert "offset=100" in body["next"]


@pytest.mark.parametrize("limit", [MOST + 1, 0, -1, "all", "1.5", "", "٣", "9" * 400])
def test_a_limit_that_is_not_served_is_an_error(limit):
    with pytest.raises(ValidationError) as error:
        paged(range(3), limit=limit)
    assert list(error.value.detail) == ["limit"]


@pytest.mark.parametrize("offset", [-1, "x", 2**31, "9" * 400])
def test_an_offset_beyond_any_row_is_an_error_too(offset):
    with pytest.raises(ValidationError):
        paged(range(3), offset=offset)
