"""Does a receipt keep its bits, refuse what JSON cannot say, and tell where it differs?"""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.receipt import BadReceipt, canonical, differences, digest, normal

numbers = st.floats(allow_nan=False, allow_infinity=False)
receipts = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(receipts)
def test_the_way_through_text_changes_nothing(receipt):
    plain = normal(receipt)
    again = json.loads(canonical(plain))
    assert list(differences(plain, again)) == []
    assert digest(again) == digest(receipt)


@given(st.dictionaries(st.text(), numbers, max_size=6))
def test_the_order_of_keys_does_not_matter(receipt):
    assert digest(receipt) == digest(dict(reversed(receipt.items())))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(BadReceipt):
        digest({"features": [1.0, bad]})
    with pytest.raises(BadReceipt):
        canonical([bad])


@pytest.mark.parametrize("bad", [{1: 2}, {"a": {1, 2}}, [object()]])
def test_what_is_no_json_is_refused(bad):
    with pytest.raises(BadReceipt):
        digest(bad)


@given(numbers)
def test_the_next_float_is_another_one(value):
    other = math.nextafter(value, math.inf)
    if math.isfinite(other) and other != value:
        assert list(differences([value], [other])) == [f"[0]: {value!r} in the receipt, {other!r} now"]


def test_each_place_that_differs_has_a_line():
    told = {"a": 1, "b": [1, {"c": "x"}], "d": True, "gone": None}
    found = {"a": 1, "b": [2, {"c": "y"}, 3], "d": 1, "new": 0}
    assert list(differences(told, found)) == [
        "b: 2 entries in the receipt, 3 now",
        "b[0]: 1 in the receipt, 2 now",
        "b[1].c: 'x' in the receipt, 'y' now",
        "d: True in the receipt, 1 now",
        "gone: missing now",
        "new: not in the receipt",
    ]


def test_a_tolerance_is_for_floats_alone():
    assert list(differences({"p": 0.2}, {"p": 0.2 + 1e-14}, tolerance=1e-12)) == []
    assert list(differences({"p": 0.2}, {"p": 0.2 + 1e-10}, tolerance=1e-12))
    assert list(differences({"usd_micro": 40_000}, {"usd_micro": 40_001}, tolerance=1e-12))
