"""What did pools cost, and what are they made of? Prices, catalogue and Advisor as training needs them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instances.domain.pool import Product, family_of, region_of_zone_name
from instances.domain.prices import PriceHistory, PriceSummary, summarize
from mlregistry.domain.features import (
    PoolInputs,
    RegionStatistics,
    context_of,
    launch_year,
    raw_features,
    statistics_of,
)
from mlregistry.domain.hazard import monthly_rate
from mlregistry.training.traces import ADVISOR, CATALOG, ON_DEMAND, PRICES, PRICES_PARIS, Trace, rows_of

Floats = NDArray[np.float64]
PoolKey = tuple[str, str]  # zone name, instance type
SILENCE = 26 * 3600.0  # prices are re-emitted about once a day; after more silence than this a price is not known
ADVISOR_AT = datetime.fromisoformat("2021-02-10T00:00:00+00:00").timestamp()
# families whose GPU count the catalogue leaves empty. Source: AWS, "Amazon EC2 P2 Instances" (K80)
GPU_FAMILIES = frozenset({"p2"})


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the catalogue and the Advisor say of a type."""

    vcpus: float
    memory_gib: float
    is_burstable: float
    has_gpu: float


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Price changes of pools of one source, in the order of `pools`; a pool's price is known until `until`."""

    source: str
    pools: tuple[PoolKey, ...]
    history: PriceHistory
    until: Floats


@dataclass(frozen=True, slots=True)
class Market:
    """Everything beside the traces: who costs what, who is rated how."""

    books: tuple[PriceBook, ...]
    hardware: Mapping[str, Hardware]
    on_demand_micro: Mapping[tuple[str, str], float]  # (region, type)
    bands: Mapping[tuple[str, str], float]  # (region, type)


def read_market(paths: Mapping[str, Path], traces: Sequence[Trace], more_prices: Sequence[Path] = ()) -> Market:
    """Prices of the files of 2020, of the traces that saw some, and of `more_prices`, in the same columns."""
    files = [paths[PRICES], paths[PRICES_PARIS], *more_prices]
    return Market(
        books=(*(_book_of_file(path) for path in files), *_book_of_traces(traces)),
        hardware=_hardware(paths[CATALOG]),
        on_demand_micro={
            (row["region"], row["instance_type"]): float(row["hourly_usd"]) * 1e6 for row in rows_of(paths[ON_DEMAND])
        },
        bands=_bands(paths[ADVISOR]),
    )


def summarized(book: PriceBook, at: float) -> PriceSummary:
    """The book's pools at an instant; a pool that has fallen silent by then is unknown."""
    summary = summarize(book.history, at=at)
    silent = at > book.until
    for name in PriceSummary.__slots__:
        getattr(summary, name)[silent] = np.nan
    return summary


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is known of interruptions in and around n pools: the four columns of that kind in PoolInputs."""

    last_missing_at: Floats
    interruptions_7d: Floats
    watched_hours_7d: Floats
    neighbours_hit: Floats


def no_trouble(n: int) -> Trouble:
    """n pools of which no interruption is known, because nobody watched."""
    return Trouble(np.full(n, np.nan), np.zeros(n), np.zeros(n), np.zeros(n))


def inputs_of(market: Market, pools: Sequence[PoolKey], prices: PriceSummary, trouble: Trouble) -> PoolInputs:
    """Feature inputs of pools, ordered by region, each pool's region, family and type numbered as they appear."""
    regions = [region_of_zone_name(zone) for zone, _ in pools]
    types = [instance_type for _, instance_type in pools]
    known = [market.hardware.get(name) for name in types]
    keys = list(zip(regions, types, strict=True))
    return PoolInputs(
        prices=prices,
        on_demand_micro=np.array([market.on_demand_micro.get(key, np.nan) for key in keys]),
        interruption_rate=monthly_rate(np.array([market.bands.get(key, np.nan) for key in keys])),
        vcpus=np.array([spec.vcpus if spec else np.nan for spec in known]),
        memory_gib=np.array([spec.memory_gib if spec else np.nan for spec in known]),
        launch_year=launch_year([family_of(name) for name in types]),
        is_burstable=np.array([spec.is_burstable if spec else np.nan for spec in known]),
        has_gpu=np.array([spec.has_gpu if spec else np.nan for spec in known]),
        last_missing_at=trouble.last_missing_at,
        interruptions_7d=trouble.interruptions_7d,
        watched_hours_7d=trouble.watched_hours_7d,
        neighbours_hit=trouble.neighbours_hit,
        region=numbered(regions),
        family=numbered([f"{region} {family_of(name)}" for region, name in keys]),
        instance_type=numbered([f"{region} {name}" for region, name in keys]),
    )


def catalogue_statistics(market: Market, regions: Sequence[str]) -> RegionStatistics:
    """Statistics of the hardware columns over the types the Advisor rates in the regions together, one row per region.

    Together, because two catalogues differ by a hair, and trees would read that hair as the name of a region: tried,
    it "knew" us-west-2 from us-east-1 by the vCPU column alone.
    """
    keys = sorted(key for key in market.bands if key[0] in regions and key[1] in market.hardware)
    pools = [(f"{region}a", name) for region, name in keys]  # any zone: only the hardware counts
    inputs = inputs_of(market, pools, no_prices(len(pools)), no_trouble(len(pools)))
    raw = raw_features(inputs, context_of(inputs), ADVISOR_AT)
    together = statistics_of(raw, np.zeros(len(pools), dtype=np.int64), 1)
    hardware = ["interruption_rate", "vcpus", "memory_gib", "generation_age"]
    return RegionStatistics(
        np.repeat(together.mean, len(regions), axis=0), np.repeat(together.deviation, len(regions), axis=0)
    ).only(hardware)


def no_prices(n: int) -> PriceSummary:
    """n pools whose prices nobody knows."""
    return PriceSummary(*(np.full(n, np.nan) for _ in PriceSummary.__slots__))


def numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """Each name's number, in the order of first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def price_book(
    source: str, events: Mapping[PoolKey, Mapping[float, float]], until: Mapping[PoolKey, float]
) -> PriceBook:
    pools = sorted(events, key=lambda pool: (region_of_zone_name(pool[0]), *pool))
    rows = [(at, usd) for pool in pools for at, usd in sorted(events[pool].items())]
    history = PriceHistory(
        offsets=np.cumsum([0, *(len(events[pool]) for pool in pools)]).astype(np.int64),
        at=np.array([at for at, _ in rows], dtype=np.float64),
        usd_micro=np.array([round(usd * 1e6) for _, usd in rows], dtype=np.int64),
    )
    return PriceBook(source, tuple(pools), history, np.array([until[pool] for pool in pools]))


def _book_of_file(path: Path) -> PriceBook:
    """Raises ValueError naming the file for one of other columns, or with rows that are no prices."""
    events: dict[PoolKey, dict[float, float]] = {}
    try:
        for row in rows_of(path):
            if row["product"] == Product.LINUX:
                at = datetime.fromisoformat(row["timestamp_utc"]).timestamp()
                events.setdefault((row["az"], row["instance_type"]), {})[at] = float(row["usd_per_hour"])
        return price_book(path.name, events, {pool: max(rows) + SILENCE for pool, rows in events.items()})
    except (KeyError, ValueError) as wrong:
        raise ValueError(f"{path.name} is no file of price changes: {wrong}") from wrong


def _book_of_traces(traces: Sequence[Trace]) -> list[PriceBook]:
    """One book per campaign that saw prices."""
    campaigns: dict[str, list[Trace]] = {}
    for trace in traces:
        if np.isfinite(trace.usd).any():
            campaigns.setdefault(trace.campaign, []).append(trace)
    return [
        price_book(name, {trace.pool: _changes(trace) for trace in group}, {t.pool: float(t.at[-1]) for t in group})
        for name, group in campaigns.items()
    ]


def _changes(trace: Trace) -> dict[float, float]:
    known = np.isfinite(trace.usd)
    at, usd = trace.at[known], trace.usd[known]
    is_new = np.concatenate([[True], usd[1:] != usd[:-1]])
    return dict(zip(at[is_new].tolist(), usd[is_new].tolist(), strict=True))


def _hardware(path: Path) -> dict[str, Hardware]:
    return {
        row["instance_type"]: Hardware(
            vcpus=float(row["vcpus"]),
            memory_gib=float(row["memory_mib"]) / 1024,
            is_burstable=float(row["burstable"] or row["family"].startswith("t")),
            has_gpu=float(int(row["gpu_count"] or 0) > 0 or row["family"] in GPU_FAMILIES),
        )
        for row in rows_of(path)
    }


def _bands(path: Path) -> dict[tuple[str, str], float]:
    with gzip.open(path) as file:
        rated = json.load(file)["spot_advisor"]
    return {
        (region, name): float(entry["r"])
        for region, systems in rated.items()
        for name, entry in systems.get("Linux", {}).items()
    }
