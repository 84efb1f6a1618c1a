"""What does asking a model through its adapter cost beside asking LightGBM alone?"""

from __future__ import annotations

import json
import os
from pathlib import Path

import lightgbm
import numpy as np

import mlregistry
from mlregistry.adapters.lightgbm import WIDE_ROWS, load
from mlregistry.domain.features import N_FEATURES
from spotopt.local.benches import invented
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.measure import Row, at_most, medians, not_run

SHIPPED = Path(mlregistry.__file__).parent / "shipped"
ONE, MANY = at_most(2), at_most(1.1)
CALLS = 50  # of one row, which takes a fraction of a millisecond


def rows(on: Ground) -> list[Row]:
    n = on.sized(invented.POOLS, least=WIDE_ROWS + 1)
    one, many = "inference of one row", f"inference of {n:,} rows"
    try:
        content = (SHIPPED / "model.txt").read_bytes()
        metadata = json.loads((SHIPPED / "metadata.json").read_bytes())
    except FileNotFoundError:
        return [not_run(one, "µs", ONE), not_run(many, "ms", MANY)]
    adapter, booster = load(content, metadata), lightgbm.Booster(model_str=content.decode())
    columns = np.random.default_rng(2).normal(size=(N_FEATURES, n))
    matrix, row = columns.T, columns[:, :1].T.copy()  # as features are laid out: column by column
    calls, cores = on.sized(CALLS), os.cpu_count() or 1
    took_one = medians(
        {
            "bare": lambda: [booster.predict(row, num_threads=1) for _ in range(calls)],
            "ours": lambda: [adapter.predict(row) for _ in range(calls)],
            "why": lambda: [adapter.contributions(row) for _ in range(calls)],
        },
        times=on.sized(31, least=3),
    )
    took_many = medians(
        {
            "bare": lambda: booster.predict(matrix, num_threads=cores),
            "ours": lambda: adapter.predict(matrix),
        },
        times=on.sized(9, least=3),
    )
    bare, ours, why = (took_one[name] / calls * 1e6 for name in ("bare", "ours", "why"))
    note = f"floor: Booster.predict of {booster.num_trees()} trees"
    return [
        Row(one, ours, "µs", bare, ONE, f"{note}, one thread"),
        Row("… with its contributions", why, "µs", bare),
        Row(many, took_many["ours"] * 1e3, "ms", took_many["bare"] * 1e3, MANY, f"{note}, {cores} threads"),
    ]
