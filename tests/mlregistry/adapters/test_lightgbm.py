"""Is only a whole, fitting LightGBM text model loaded, and does it answer the same whatever the number of rows?"""

import pickle
import re

import lightgbm as library
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlregistry.adapters.base import BadMatrix, NotFinite
from mlregistry.adapters.lightgbm import load
from mlregistry.adapters.lightgbm_text import LARGEST
from mlregistry.adapters.metadata import ModelRefused, model_digest
from mlregistry.domain.features import N_FEATURES, NAMES
from tests.mlregistry.a_model import a_matrix, metadata, model_bytes


def test_it_answers_as_the_bare_library_does_through_the_calibration_map():
    matrix = a_matrix(50)
    raw = library.Booster(model_str=model_bytes().decode()).predict(matrix, raw_score=True)
    assert load(model_bytes(), metadata()).predict(matrix) == pytest.approx(1 / (1 + np.exp(-(0.8 * raw - 0.3))))


def test_one_row_and_sixty_thousand_give_the_same_bits():
    adapter = load(model_bytes(), metadata())
    matrix = a_matrix(60_000)
    together = adapter.predict(matrix)
    assert together.tobytes() == adapter.predict(np.asfortranarray(matrix)).tobytes()
    assert together[:100].tobytes() == adapter.predict(matrix[:100]).tobytes()
    for row in (0, 1, 31_234, 59_999):
        assert adapter.predict(matrix[row : row + 1]).tobytes() == together[row].tobytes()


def test_contributions_sum_to_the_log_odds_of_the_answer():
    adapter = load(model_bytes(), metadata())
    matrix = a_matrix(20)
    parts = adapter.contributions(matrix)
    assert parts.log_odds.shape == (20, N_FEATURES + 1)
    assert 1 / (1 + np.exp(-parts.log_odds.sum(axis=1))) == pytest.approx(parts.calibrated)
    assert parts.calibrated.tobytes() == adapter.predict(matrix).tobytes()
    assert not np.allclose(parts.raw, parts.calibrated)


def test_rows_with_an_unknown_feature_are_named_and_not_answered():
    matrix = a_matrix(4)
    matrix[1, 3], matrix[3, 0] = np.nan, np.inf
    with pytest.raises(NotFinite) as refused:
        load(model_bytes(), metadata()).predict(matrix)
    assert refused.value.rows == (1, 3)


@pytest.mark.parametrize(
    "matrix", [a_matrix(3)[:, :-1], a_matrix(3)[0], a_matrix(3).astype(np.float32), a_matrix(3).tolist()]
)
def test_another_shape_or_type_is_refused(matrix):
    with pytest.raises(BadMatrix):
        load(model_bytes(), metadata()).predict(matrix)


def test_no_rows_get_no_answers():
    adapter = load(model_bytes(), metadata())
    assert adapter.predict(a_matrix(0)).shape == (0,)
    assert adapter.contributions(a_matrix(0)).log_odds.shape == (0, N_FEATURES + 1)


@pytest.mark.parametrize(
    "file, words",
    [
        (b"", "empty"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"PK\x03\x04rest", "zip"),
        (b'{"learner": {}}', "JSON"),
        (b"\x08\x07onnx", "ONNX"),
        (b"hello", "not a LightGBM"),
        (b"tree\nversion=v4\n", "num_class"),
        (b"tree\n\xff\xfe", "no text"),
        (b"tree\n" + b"x" * LARGEST, "bytes"),
    ],
)
def test_what_is_no_model_is_refused_in_plain_words(file, words):
    with pytest.raises(ModelRefused, match=words):
        load(file, metadata())


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99, 0.999])
def test_a_truncated_model_is_refused(share):
    with pytest.raises(ModelRefused):
        load(model_bytes()[: int(len(model_bytes()) * share)], metadata())


@pytest.mark.parametrize(
    "pattern, put, words",
    [
        (rb"(split_feature=[\d ]*?)1\d", rb"\g<1>99", "does not exist"),
        (rb"left_child=-?\d", b"left_child=7", "not a tree|as long"),
        (rb"right_child=(-?\d)", b"right_child=0", "not a tree|as long"),
        (rb"(leaf_value=)-0.\d\d", rb"\g<1>00nan", "not a list of numbers"),
        (rb"(leaf_value=-0.\d{5})\d{4}", rb"\g<1>e999", "not finite|not a list"),
        (rb"num_leaves=7", b"num_leaves=-", "not a list of numbers"),
        (rb"internal_count", b"internal_tnuoc", "lacks lines"),
        (rb"label_index=0", b"other_index=0", "header"),
        (rb"objective=binary sigmoid:1", b"objective=regression", "objective"),
        (rb"version=v4", b"version=v9", "version"),
        (rb"feature_names=price_position", b"feature_names=other_position", "feature_names"),
        (rb"num_cat=0", b"num_cat=1", "plain tree"),
        (rb"num_leaves=7", b"num_leaves=6", "7 numbers, not 6"),
        (rb"Tree=3", b"Tree=4", "tree 3"),
    ],
)
def test_a_model_that_was_tampered_with_is_refused(pattern, put, words):
    with pytest.raises(ModelRefused, match=words):
        load(re.sub(pattern, put, model_bytes(), count=1), metadata())


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.integers(32, 126))
def test_a_changed_byte_is_refused_or_still_a_tree(place, byte):
    body = bytearray(model_bytes())
    body[place % len(body)] = byte
    try:
        adapter = load(bytes(body), metadata())
    except ModelRefused:
        return
    assert adapter.predict(a_matrix(3)).shape == (3,)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"feature_version": "pools-0"}, "feature version 'pools-0'"),
        ({"feature_hash": "0" * 64}, "have the hash 0{64}, here it is"),
        ({"features": list(reversed(NAMES))}, "in order"),
        ({"model_type": "price_predictor"}, "not a spot_predictor"),
        ({"horizon_seconds": 0}, "no time"),
        ({"horizon_seconds": "soon"}, "malformed"),
        ({"sample": {}}, "lack 'inputs'"),
        ({"calibration": {"slope": -1, "intercept": 0, "edges": [], "low": [0], "high": [1]}}, "no rising line"),
        ({"calibration": {"slope": 1, "intercept": 0, "edges": [0.5], "low": [0], "high": [1]}}, "bins"),
        ({"calibration": {"slope": 1, "intercept": 0, "edges": [], "low": [0.9], "high": [0.1]}}, "no probabilities"),
    ],
)
def test_a_model_that_does_not_fit_is_an_error_at_load(change, words):
    with pytest.raises(ModelRefused, match=words):
        load(model_bytes(), metadata(**change))


def test_a_model_that_answers_its_sample_otherwise_is_not_to_be_activated():
    good = metadata()
    load(model_bytes(), good).try_sample()
    good["sample"]["outputs"][2] += 1e-6
    with pytest.raises(ModelRefused, match="otherwise"):
        load(model_bytes(), good).try_sample()


def test_a_model_without_a_sample_is_not_to_be_activated():
    with pytest.raises(ModelRefused, match="no sample"):
        load(model_bytes(), metadata(sample={"inputs": [], "outputs": []})).try_sample()


def test_the_digest_covers_the_calibration_map():
    other = metadata(calibration={"slope": 0.9, "intercept": -0.3, "edges": [], "low": [0], "high": [1]})
    assert model_digest(model_bytes(), metadata()) == model_digest(model_bytes(), metadata())
    assert model_digest(model_bytes(), metadata()) != model_digest(model_bytes(), other)
