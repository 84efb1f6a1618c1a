"""Is this file a LightGBM model that the library can be handed without surprise?

LightGBM trusts the indices in its text: a child that does not exist is read beyond the end of an array. So each tree is
checked here first: whole, of the stated length, its nodes a tree. The format is LightGBM's `Tree::ToString`, v4.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from mlregistry.adapters.metadata import ModelRefused

BEGIN = b"tree\n"
END = "end of trees\n"
BARE_TAIL = "\nparameters:\nend of parameters\n\npandas_categorical:null\n"  # what follows it in a canonical file
LARGEST = 64 * 2**20  # bytes, whatever the setting says; ours are below 300 kB
OTHER_FORMATS = (
    (b"\x80", "it is a pickle, and pickles are never opened"),
    (b"PK", "it is a zip archive, not LightGBM text"),
    (b"{", "it is JSON (XGBoost?), not LightGBM text"),
    (b"\x1f\x8b", "it is compressed, not LightGBM text"),
    (b"\x08", "it is binary (ONNX?), not LightGBM text"),
)
HEADER_KEYS = {
    *("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective"),
    *("feature_names", "monotone_constraints", "feature_infos", "tree_sizes"),
}
# numbers for each node, and for each leaf
NODE_INTEGERS = ("split_feature", "decision_type", "left_child", "right_child", "internal_count")
NODE_FLOATS = ("split_gain", "threshold", "internal_value", "internal_weight")
LEAF_INTEGERS = ("leaf_count",)
LEAF_FLOATS = ("leaf_value", "leaf_weight")
STUMP_KEYS = {"num_leaves", "num_cat", "is_linear", "shrinkage", "leaf_value"}
TREE_KEYS = {*STUMP_KEYS, *NODE_INTEGERS, *NODE_FLOATS, *LEAF_INTEGERS, *LEAF_FLOATS}
# Python reads 1_000 and +1 as numbers, LightGBM does not; only what LightGBM writes is taken
INTEGER = re.compile(r"-?\d{1,9}")
FLOAT = re.compile(r"-?\d+(\.\d+)?(e[+-]\d{1,3})?")


def check_text(model: bytes, features: Sequence[str]) -> str:
    """The model as the text to load: its header and trees. Raises ModelRefused unless it is one whole binary model
    over `features` in order.

    What follows the trees (importances, training parameters) is left out: prediction does not need it, and the library
    crashes on some malformed parameters.
    """
    if len(model) > LARGEST:
        raise ModelRefused(f"it has {len(model)} bytes, at most {LARGEST} are taken")
    if words := otherwise(model):
        raise ModelRefused(words)
    try:
        text = model.decode("ascii")
    except UnicodeDecodeError as wrong:
        raise ModelRefused(f"byte {wrong.start} is no text") from wrong
    head, blank, rest = text.partition("\n\n")
    header = _pairs(head.removeprefix("tree\n"))
    _check_header(header, features)
    sizes = _integers(header, "tree_sizes")
    body = rest[: sum(sizes)]
    if not blank or len(body) != sum(sizes) or not rest[len(body) :].startswith(END):
        raise ModelRefused("it is truncated: its trees are not as long as it says")
    if not text.rstrip().endswith("pandas_categorical:null") or "\nend of parameters\n" not in text:
        raise ModelRefused("it is truncated: its end is missing")
    begin = 0
    for index, size in enumerate(sizes):
        _check_tree(body[begin : begin + size], index, len(features))
        begin += size
    return text[: len(text) - len(rest) + len(body)] + END


def otherwise(beginning: bytes) -> str:
    """What a file is that begins like this, in words; empty where it begins as LightGBM's text does."""
    if beginning.startswith(BEGIN):
        return ""
    if not beginning:
        return "it is empty"
    return next(
        (words for magic, words in OTHER_FORMATS if beginning.startswith(magic)), "it is not a LightGBM text model"
    )


def _check_header(header: dict[str, str], features: Sequence[str]) -> None:
    wanted = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "objective": "binary sigmoid:1",
        "max_feature_idx": str(len(features) - 1),
        "feature_names": " ".join(features),
    }
    for key, value in wanted.items():
        if header.get(key) != value:
            raise ModelRefused(f"its {key} is {header.get(key, 'missing')!r}, needed is {value!r}")
    if header.keys() | {"monotone_constraints"} != HEADER_KEYS or len(header["feature_infos"].split()) != len(features):
        raise ModelRefused(f"its header does not hold exactly {', '.join(sorted(HEADER_KEYS))}")
    if not header["tree_sizes"]:
        raise ModelRefused("it has no trees")


def _check_tree(text: str, index: int, n_features: int) -> None:
    first, _, rest = text.partition("\n")
    tree = _pairs(rest)
    if first != f"Tree={index}" or tree.get("num_cat") != "0" or tree.get("is_linear") != "0":
        raise ModelRefused(f"tree {index} is not a plain tree of numbers")
    (n_leaves,) = _integers(tree, "num_leaves", 1)
    _floats(tree, "shrinkage", 1)
    if n_leaves < 1 or not (STUMP_KEYS if n_leaves == 1 else TREE_KEYS) <= tree.keys() <= TREE_KEYS:
        raise ModelRefused(f"tree {index} lacks lines, or has others than a tree has")
    _floats(tree, "leaf_value", n_leaves)
    if n_leaves > 1:
        _check_nodes(tree, index, n_leaves, n_features)


def _check_nodes(tree: dict[str, str], index: int, n_leaves: int, n_features: int) -> None:
    n_nodes = n_leaves - 1
    node = {key: _integers(tree, key, n_nodes) for key in NODE_INTEGERS}
    for key, count in [*((key, n_nodes) for key in NODE_FLOATS), *((key, n_leaves) for key in LEAF_FLOATS)]:
        _floats(tree, key, count)
    if min(*node["internal_count"], *_integers(tree, "leaf_count", n_leaves)) <= 0:  # contributions divide by them
        raise ModelRefused(f"tree {index} has a node that no row reached")
    if not all(0 <= feature < n_features for feature in node["split_feature"]):
        raise ModelRefused(f"tree {index} splits on a feature that does not exist")
    if not all(0 <= kind < 16 and not kind & 1 for kind in node["decision_type"]):  # bit 0: categorical
        raise ModelRefused(f"tree {index} splits on what is no numeric feature")
    # a node's children come after it; leaf i is written as -i - 1; each but the root is a child once
    left, right = node["left_child"], node["right_child"]
    is_after = all(child < 0 or child > parent for side in (left, right) for parent, child in enumerate(side))
    if not is_after or sorted(left + right) != [*range(-n_leaves, 0), *range(1, n_nodes)]:
        raise ModelRefused(f"the nodes of tree {index} are not a tree")


def _pairs(text: str) -> dict[str, str]:
    """Lines `key=value`; a key twice is refused, for readers may disagree about which counts."""
    found: dict[str, str] = {}
    for line in filter(None, text.split("\n")):
        key, _, value = line.partition("=")
        if key in found:
            raise ModelRefused(f"it says {key!r} twice")
        found[key] = value
    return found


def _integers(pairs: dict[str, str], key: str, count: int | None = None) -> list[int]:
    return [int(word) for word in _words(pairs, key, INTEGER, count)]


def _floats(pairs: dict[str, str], key: str, count: int) -> list[float]:
    values = [float(word) for word in _words(pairs, key, FLOAT, count)]
    if not all(map(math.isfinite, values)):
        raise ModelRefused(f"its {key} is not finite")
    return values


def _words(pairs: dict[str, str], key: str, form: re.Pattern[str], count: int | None) -> list[str]:
    words = pairs[key].split(" ") if key in pairs else []
    if not words or not all(form.fullmatch(word) for word in words):
        raise ModelRefused(f"its {key} is not a list of numbers")
    if count is not None and len(words) != count:
        raise ModelRefused(f"its {key} holds {len(words)} numbers, not {count}")
    return words
