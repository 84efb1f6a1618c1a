"""Does training repeat itself to the byte, keep time apart, and say so when there is nothing to learn from?"""

import json
import shutil
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from mlregistry.adapters.lightgbm import load
from mlregistry.domain.features import NAMES
from mlregistry.training.dataset import looks
from mlregistry.training.fit import LEARNED, WITHHELD, FitConfig, cut_times, fit, split
from mlregistry.training.market import catalogue_statistics, read_market
from mlregistry.training.traces import FILES, MissingData, all_traces, located
from mlregistry.training.train import FIGURES, METADATA, MODEL, differing, other_figures

SHIPPED = Path(__file__).parents[3] / "mlregistry" / "shipped"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def data() -> Path:
    folder = settings.SPOTOPT_DATA
    if folder is None or not all((folder / name).is_file() for name in FILES):
        pytest.skip("not run: no data")
    return folder


@pytest.fixture(scope="module")
def skypilot(data):
    """Rows of SkyPilot's traces: no prices to join, so they are quick."""
    paths = located(data)
    traces = [trace for trace in all_traces(paths) if trace.campaign.startswith("skypilot-availability")]
    market = read_market(paths, traces)
    return looks(traces, market), market


def test_every_feature_is_either_read_or_withheld_with_a_reason():
    assert sorted((*LEARNED, *WITHHELD)) == sorted(NAMES)


def test_the_traces_are_those_the_data_page_counts(data):
    traces = all_traces(located(data))
    drops = {trace.name: len(trace.dropped_at) for trace in traces}
    assert drops["avail-aws-2023-02-15-us-east-1a-v100_1-1n"] == 253
    assert sum(count for name, count in drops.items() if name.startswith("dime")) == 32
    assert not any("gcp" in name for name in drops)


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_slices_follow_one_another_and_no_label_reaches_into_the_next(skypilot, hours):
    horizon = timedelta(hours=hours)
    rows = skypilot[0].watched(horizon)
    parts = split(rows, horizon, cut_times(skypilot[0]))
    slices = [parts.train, parts.validation, parts.calibration, parts.later]
    assert all(part.any() for part in slices)
    for before, after in pairwise(slices):
        assert rows.at[before].max() + hours * 3600 <= rows.at[after].min()


def test_two_regions_share_one_scale_so_that_hardware_does_not_name_the_region(skypilot):
    every, market = skypilot
    statistics = catalogue_statistics(market, every.regions)
    assert len(every.regions) == 2
    assert np.array_equal(statistics.mean[0], statistics.mean[1], equal_nan=True)


def test_the_same_seed_gives_the_same_trees_and_another_seed_others(skypilot):
    every, market = skypilot
    rows, config = every.watched(HOUR), FitConfig(most_rounds=20)
    parts, statistics = split(rows, HOUR, cut_times(every)), catalogue_statistics(market, every.regions)
    one, two, other = (fit(rows, rows.label(HOUR), parts, statistics, seed=s, config=config) for s in (1, 1, 2))
    assert one.text == two.text
    assert one.slope == two.slope
    assert one.text != other.text


def test_a_model_reads_no_column_that_is_withheld(skypilot):
    every, market = skypilot
    rows, config = every.watched(HOUR), FitConfig(most_rounds=20)
    parts, statistics = split(rows, HOUR, cut_times(every)), catalogue_statistics(market, every.regions)
    fitted = fit(rows, rows.label(HOUR), parts, statistics, seed=1, config=config)
    used = dict(zip(NAMES, lightgbm.Booster(model_str=fitted.text).feature_importance(), strict=True))
    assert {name for name, count in used.items() if count} <= set(LEARNED)


def test_other_bytes_are_found_and_told_from_other_figures(tmp_path):
    made = {METADATA: json.dumps(dict.fromkeys(FIGURES, 1) | {"seed": 1}).encode(), MODEL: b"trees"}
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    assert differing(made, tmp_path) == []
    (tmp_path / MODEL).write_bytes(b"other trees")
    assert differing(made, tmp_path) == [MODEL]
    assert other_figures(made, tmp_path) == []
    (tmp_path / METADATA).write_text(json.dumps(dict.fromkeys(FIGURES, 1) | {"metrics": 2}))
    assert other_figures(made, tmp_path) == ["metrics"]
    assert other_figures(made, tmp_path / "nowhere") == list(FIGURES)


def test_without_data_the_command_names_the_files_and_fails(tmp_path):
    with pytest.raises(CommandError, match=f"not run: no data: {FILES[0]}"):
        call_command("train_model", data=tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_data_folder_the_command_says_which_setting_to_make(settings, tmp_path):
    settings.SPOTOPT_DATA = None
    with pytest.raises(CommandError, match="not run: no data: set SPOTOPT_DATA"):
        call_command("train_model", out=tmp_path / "out")


def test_too_few_traces_are_said_to_be_too_few(data, tmp_path):
    with pytest.raises(CommandError, match="not trained"):
        call_command("train_model", data=data, out=tmp_path / "out", region=["eu-west-3"])
    assert not (tmp_path / "out").exists()


def test_a_csv_of_other_columns_is_named(data, tmp_path):
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match=r"wrong\.csv is no file"):
        call_command("train_model", data=data, out=tmp_path / "out", csv=[tmp_path / "wrong.csv"])


def test_a_folder_that_lacks_one_file_names_that_file(data, tmp_path):
    for name in FILES[1:]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / name, tmp_path / name)
    with pytest.raises(MissingData) as missing:
        located(tmp_path)
    assert missing.value.files == (FILES[0],)


def test_the_shipped_model_loads_answers_its_sample_and_is_small():
    stored = json.loads((SHIPPED / "metadata.json").read_bytes())
    model = (SHIPPED / "model.txt").read_bytes()
    adapter = load(model, stored)
    adapter.try_sample()
    assert len(model) < 300_000
    assert adapter.metadata.trace_families == {"p2", "p3"}
    assert len({file["sha256"] for file in stored["trained_on"]}) == len(FILES)


def test_the_shipped_card_shows_the_figures_of_the_metadata_and_the_goals_that_were_missed():
    stored = json.loads((SHIPPED / "metadata.json").read_bytes())
    card = (SHIPPED / "card.md").read_text()
    for view in stored["metrics"].values():
        assert f"{view['brier'][0]:.3f}" in card
    for name, goal in stored["goals"].items():
        assert (
            f"{name}: {goal['figure']:.3f}, goal {goal['limit']:g}: **{'met' if goal['met'] else 'not met'}**" in card
        )
    assert all(file["sha256"] in card for file in stored["trained_on"])


@pytest.mark.timeout(600)
def test_the_shipped_files_are_what_the_command_makes(data):
    call_command("train_model", data=data, check=True)
