"""That ./run bench measures what it says, in the form it says. Sizes are tiny: nothing here is about speed."""

import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module

import pytest

from spotopt.local import bench
from spotopt.local.benches import inference, measure
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.measure import Row, at_least, at_most
from tests import plugin

KEYS = ["name", "figure", "unit", "floor", "ratio", "goal", "ok", "note"]


def run(*words, **env):
    everything = {**os.environ, **env}
    command = [sys.executable, "-m", "spotopt.local.bench", *words]
    return subprocess.run(command, cwd=plugin.ROOT, env=everything, capture_output=True, text=True, timeout=280)


@pytest.mark.parametrize(
    ("figure", "floor", "goal", "ratio", "ok"),
    [
        (200.0, 100.0, at_least(2), 2.0, True),
        (199.0, 100.0, at_least(2), 1.99, False),
        (3.0, 2.0, at_most(1.5), 1.5, True),
        (3.1, 2.0, at_most(1.5), 1.55, False),
        (3.0, 2.0, None, 1.5, None),
        (3.0, None, None, None, None),
        (None, None, at_most(1.5), None, None),
    ],
)
def test_a_row_says_how_far_its_figure_is_from_the_floor_and_whether_that_will_do(figure, floor, goal, ratio, ok):
    row = Row("a row", figure, "ms", floor, goal).as_json()
    assert list(row) == KEYS
    assert (row["ratio"], row["ok"]) == (ratio, ok)
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("figure, ok", [(150.0, True), (150.1, False), (None, None)])
def test_a_goal_may_be_of_the_figure_itself(figure, ok):
    row = Row("a row", figure, "ms", 10.0, limit=150).as_json()
    assert (row["goal"], row["ok"]) == ("≤ 150 ms", ok)


def test_works_take_turns_and_what_comes_before_each_is_not_timed():
    done = []
    works = {"floor": lambda: done.append("floor"), "ours": lambda: done.append("ours")}
    took = measure.medians(works, times=2, before=lambda: done.append("-"))
    assert done == ["-", "floor", "-", "ours"] * 2
    assert set(took) == {"floor", "ours"}


def test_a_percentile_is_a_value_that_was_seen():
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [measure.percentile(values, share) for share in (0.5, 0.99, 0.01)] == [3.0, 5.0, 1.0]
    assert measure.percentile([7.0], 0.5) == 7.0


def test_figures_keep_four_digits_that_count():
    assert [measure.rounded(value) for value in (123456.7, 0.012345678, 0.0, None)] == [123457, 0.01235, 0.0, None]


def test_each_group_has_a_module_of_its_name_and_a_line_in_the_help(capsys):
    with pytest.raises(SystemExit) as ended:
        bench.parse(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for group in bench.GROUPS:
        assert f"{group.name} " in told
        assert callable(import_module(f"spotopt.local.benches.{group.name}").rows)


@pytest.mark.parametrize("words", [["packing"], ["--scale", "0"], ["--scale", "2"]])
def test_what_cannot_be_run_is_refused_before_anything_starts(words, capsys):
    with pytest.raises(SystemExit) as ended:
        bench.parse(words)
    assert ended.value.code == 2
    assert "./run bench: error:" in capsys.readouterr().err


def test_a_row_without_its_data_says_so_and_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "SHIPPED", tmp_path)
    rows = inference.rows(Ground(0.01, is_full=False, state=tmp_path))
    assert [row.note for row in rows] == ["not run: no data"] * 2
    assert {row.is_ok for row in rows} == {None}
    assert "not run: no data" in bench.table(rows)


def test_a_bench_that_fails_is_named_and_the_others_are_still_reported(monkeypatch, capsys):
    broken = bench.Group("nowhere", "a module that is not there", has_services=False)
    monkeypatch.setattr(bench, "GROUPS", (broken, *bench.GROUPS))
    assert bench.main(["nowhere", "parsing", "--scale", "0.01", "--json"]) == 1
    told = capsys.readouterr()
    assert [row["name"] for row in json.loads(told.out)] == ["machine", "parse a page of 1000"]
    assert "could not be run: nowhere" in told.err


def test_a_missed_goal_is_reported_and_is_no_failure(monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda groups, on: ([Row("slow", 9.0, "s", 1.0, at_most(2))], []))
    assert bench.main(["parsing"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["slow", "9", "s", "1", "9", "≤", "2", "×", "NO"]


def test_pure_benches_need_no_service():
    told = run("parsing", "features", "inference", "--scale", "0.01", "--json", SPOTOPT_PG_BIN="/nonexistent")
    assert told.returncode == 0, told.stderr
    rows = json.loads(told.stdout)
    assert rows[0]["name"] == "machine"
    assert "mean nothing" in rows[0]["note"]
    with_goals = [row for row in rows if row["goal"]]
    assert len(with_goals) >= 4
    for row in with_goals:
        assert row["ratio"] > 0 or row["note"].startswith("not run")


@pytest.mark.timeout(300)
def test_benches_on_services_of_their_own_measure_every_row_and_leave_nothing():
    with tempfile.TemporaryDirectory(prefix="spotopt-bench-") as place:
        os.chmod(place, 0o755)  # PostgreSQL's own user passes through
        told = run("ingest", "refresh", "http", "pages", "--scale", "0.002", "--full", "--json", TMPDIR=place)
        assert told.returncode == 0, told.stderr
        assert os.listdir(place) == []
    rows = {row["name"]: row for row in json.loads(told.stdout)}
    assert "fsync on" in rows["machine"]["note"]
    pages = [rows.pop(name) for name in list(rows) if name.startswith("page: ")]
    assert len(pages) > 20
    assert all(row["figure"] > 0 and row["goal"] == "≤ 150 ms" for row in pages)
    goals = {name: row["goal"] for name, row in rows.items() if row["goal"]}
    assert sorted(goals.values()) == sorted(["≥ 2 ×"] * 2 + ["≥ 0.5 ×", "≤ 1.1 ×", "≤ 1.5 ×", "≤ 2.5 ×", "≤ 5 ×"])
    assert all(rows[name]["ratio"] > 0 for name in goals)
