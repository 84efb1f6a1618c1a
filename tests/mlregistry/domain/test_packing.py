"""Do the numbers of a score come back from its row as they went in, and in no other order?"""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlregistry.domain import safety
from mlregistry.domain.facts import MEASURES, Measures
from mlregistry.domain.features import NAMES
from mlregistry.domain.packing import COLUMNS, COMPONENTS, LAYOUT, OtherLayout, packed, unpacked
from mlregistry.domain.safety import AdaptiveComponents

numbers = st.lists(
    st.floats(allow_infinity=False), min_size=len(COLUMNS) - 1, max_size=len(COLUMNS) - 1
)  # NaN among them


def laid_out(values: list[float], feedback: float = 0.0) -> bytes:
    """One pool whose facts, features and components are these numbers, in order."""
    left = iter(values)
    facts = Measures(*(np.array([next(left)]) for _ in fields(Measures)))
    features = np.array([[next(left) for _ in NAMES]])
    components = AdaptiveComponents(*(np.array([next(left)]) for _ in COMPONENTS))
    return packed(facts, features, components, feedback)[0].tobytes()


@given(numbers)
def test_every_number_comes_back_bit_for_bit_and_the_unknown_as_none(values):
    found = unpacked(laid_out(values), LAYOUT)
    components = [found.components[name]["value"] for name in COMPONENTS]
    again = [*found.facts, *found.features, *components]
    assert [None if value != value else value.hex() for value in values] == [
        None if value is None else value.hex() for value in again
    ]


def test_components_come_back_with_the_weights_they_were_added_up_with():
    found = unpacked(laid_out([0.5] * (len(COLUMNS) - 1), feedback=0.1), LAYOUT)
    weights = safety.adaptive_weights(0.1).shares
    assert {name: part["weight"] for name, part in found.components.items()} == weights
    assert found.components["learned"] == {"value": 0.5, "weight": 0.1, "share": 0.05}


def test_a_share_is_unknown_with_its_value_unless_it_weighs_nothing():
    parts = unpacked(laid_out([float("nan")] * (len(COLUMNS) - 1)), LAYOUT).components
    assert parts["advisor"] == {"value": None, "weight": 0.6, "share": None}
    assert parts["learned"] == {"value": None, "weight": 0.0, "share": 0.0}


@pytest.mark.parametrize("layout, cut", [(0, 0), (LAYOUT + 1, 0), (LAYOUT, 8)])
def test_numbers_in_another_layout_are_refused(layout, cut):
    block = laid_out([1.0] * (len(MEASURES) + len(NAMES) + len(COMPONENTS)))
    with pytest.raises(OtherLayout):
        unpacked(block[cut:], layout)
