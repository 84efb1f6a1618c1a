"""When was capacity there and when was it taken? The real traces, as one kind of value.

SkyPilot's traces (NSDI 2024) count the nodes available at ticks: 1 → 0 is read as an interruption, which is what their
README says and the data support, and still an assumption. The 2020-03 probe of "Training on a DIME" kept an instance
in each pool and logged every ten minutes whether it ran. Neither knows its clock: SkyPilot states only a start date,
the probe wrote its collector's local time with a Z. So instants are right to about a day, differences are exact.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instances.domain.pool import region_of_zone_name

Floats = NDArray[np.float64]

SKYPILOT_INDEX = "preemption/skypilot_spot_traces_index.csv"
SKYPILOT_RUNS = "preemption/skypilot_spot_traces_runs.csv.gz"
PROBE = "preemption/dime_aws_probe_2020-03.csv.gz"
PRICES = "spot_prices/gpu_p2_p3_us_2019-12_2020-03.csv.gz"
PRICES_PARIS = "spot_prices/eu-west-3a_16types_2020-03_2020-06.csv.gz"
ADVISOR = "advisor/spot-advisor-data_2021-02-10.json.gz"  # the newest before the SkyPilot traces
CATALOG = "catalog/instance_types.csv.gz"
ON_DEMAND = "ondemand/ondemand_linux_usd.csv.gz"
FILES = (SKYPILOT_INDEX, SKYPILOT_RUNS, PROBE, PRICES, PRICES_PARIS, ADVISOR, CATALOG, ON_DEMAND)
SKYPILOT_FILES = (SKYPILOT_INDEX, SKYPILOT_RUNS)


class MissingData(Exception):
    """Training data that are not on this machine; `files` are relative to the data folder."""

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self.files = tuple(files)
        super().__init__(f"{', '.join(files)} (looked in {folder})")


@dataclass(frozen=True, slots=True)
class Trace:
    """Whether one pool had capacity, looked at now and then.

    `at` float64[t], epoch seconds, ascending; `is_up` bool[t]; `usd` float64[t], the Spot price seen, NaN = not seen.
    Traces of one `campaign` were taken side by side.
    """

    name: str
    campaign: str
    zone: str
    instance_type: str
    at: Floats
    is_up: NDArray[np.bool_]
    usd: Floats

    @property
    def region(self) -> str:
        return region_of_zone_name(self.zone)

    @property
    def pool(self) -> tuple[str, str]:
        return self.zone, self.instance_type

    @property
    def dropped_at(self) -> Floats:
        """When capacity was first seen missing after it had been there."""
        return self.at[1:][self.is_up[:-1] & ~self.is_up[1:]]


def located(folder: Path, files: Sequence[str] = FILES) -> dict[str, Path]:
    """Where each file lies. Raises MissingData naming all that are not there."""
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise MissingData(folder, missing)
    return {name: folder / name for name in files}


def digests(paths: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each file."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, compressed or not."""
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        yield from csv.DictReader(file)


def all_traces(paths: Mapping[str, Path]) -> list[Trace]:
    """Every AWS trace of one node, SkyPilot's and the probe's."""
    return [*skypilot_traces(paths[SKYPILOT_INDEX], paths[SKYPILOT_RUNS]), *probe_traces(paths[PROBE])]


def skypilot_traces(index: Path, runs: Path) -> list[Trace]:
    """SkyPilot's traces of single AWS nodes; those of other clouds are left out."""
    by_trace: dict[str, list[tuple[int, int, int, float]]] = {}
    for row in rows_of(runs):
        usd = float(row["usd_per_hour"]) if row["usd_per_hour"] else np.nan
        run = (int(row["start_tick"]), int(row["n_ticks"]), int(row["available_nodes"]), usd)
        by_trace.setdefault(row["trace_id"], []).append(run)
    return [
        _from_runs(row, by_trace[row["trace_id"]])
        for row in rows_of(index)
        if row["cloud"] == "aws" and row["requested_nodes"] == "1"
    ]


def probe_traces(path: Path) -> list[Trace]:
    """One trace per probed pool: up while its instance runs, down from `not_running` until the next is created."""
    seen: dict[tuple[str, str], dict[float, bool]] = {}
    for row in rows_of(path):
        if row["event"] != "creation_failed":  # says a type but no zone: it belongs to no pool for certain
            at = datetime.fromisoformat(row["log_time"]).timestamp()
            is_up = row["event"] in {"created", "running"}
            seen.setdefault((row["zone"], row["instance_type"]), {})[at] = is_up
    return [
        Trace(
            name=f"dime-{zone}-{instance_type}",
            campaign="dime-2020-03",
            zone=zone,
            instance_type=instance_type,
            at=np.array(sorted(looks)),
            is_up=np.array([looks[at] for at in sorted(looks)]),
            usd=np.full(len(looks), np.nan),
        )
        for (zone, instance_type), looks in sorted(seen.items())
    ]


def _from_runs(row: Mapping[str, str], runs: Sequence[tuple[int, int, int, float]]) -> Trace:
    n_ticks = int(row["ticks"])
    is_up, usd = np.zeros(n_ticks, dtype=bool), np.full(n_ticks, np.nan)
    for start, length, nodes, price in runs:
        is_up[start : start + length] = nodes > 0
        usd[start : start + length] = price
    began_at = datetime.fromisoformat(row["start_date"]).replace(tzinfo=UTC).timestamp()
    return Trace(
        name=row["trace_id"],
        campaign=f"skypilot-{row['kind']}-{row['start_date']}",
        zone=row["zone"],
        instance_type=row["instance_type"],
        at=began_at + np.arange(n_ticks, dtype=np.float64) * float(row["gap_seconds"]),
        is_up=is_up,
        usd=usd,
    )
