"""What is known of a region's pools now? Quotes → facts and statistics; features come from these alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from instances.domain import prices
from instances.domain.pool import Product, family_of
from instances.domain.prices import PriceSummary
from instances.domain.spec import InstanceSpec
from instances.market import quotes
from instances.market.quotes import PoolRow
from mlregistry.artifacts import canonical_json, digest
from mlregistry.domain import facts as pool_facts
from mlregistry.domain import features, hazard
from mlregistry.domain.facts import PoolFacts, PoolNames
from mlregistry.domain.features import PoolInputs, RegionStatistics
from mlregistry.models import FeatureStatistics

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
StoredStatistics = Mapping[str, Mapping[str, Sequence[float | None]]]  # sha256 → {"mean": [...], "std": [...]}

KEPT = timedelta(days=7)  # receipts carry their own copy; this is for looking at yesterday's rows


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """A region's pools with the statistics they are compared by, not yet stored."""

    facts: PoolFacts
    statistics: FeatureStatistics


def region_facts(region: str, *, now: datetime, product: Product = Product.LINUX) -> RegionFacts:
    """Facts of every pool the region offers, also those without a price; empty when it has none."""
    pools = quotes.pool_rows(region, product)
    at = now.timestamp()
    types, of_type = _groups(pool.instance_type for pool in pools)
    columns = {
        **_measure_pools(region, pools, now, product),
        **{name: column[of_type] for name, column in _measure_types(region, types, now).items()},
    }
    inputs = _inputs(columns, types, of_type)
    context = features.context_of(inputs)
    columns["family_stress"] = context.family_stress[inputs.family]
    columns["type_log_price"] = context.log_price[inputs.instance_type]
    statistics = _statistics(region, features.raw_features(inputs, context, at), now)
    names = PoolNames(
        [pool.id for pool in pools],
        [pool.instance_type for pool in pools],
        [pool.zone_id for pool in pools],
        *([each] * len(pools) for each in (product.value, region, statistics.sha256)),
    )
    return RegionFacts(PoolFacts(names, pool_facts.measured(columns)), statistics)


def store_statistics(statistics: FeatureStatistics) -> None:
    """Keep them under their digest, and let go of the region's older ones. Harmless when repeated."""
    FeatureStatistics.objects.bulk_create([statistics], ignore_conflicts=True)
    old = FeatureStatistics.objects.filter(region=statistics.region, computed_at__lt=statistics.computed_at - KEPT)
    old.exclude(sha256=statistics.sha256).delete()


def stored_statistics(digests: Iterable[str]) -> StoredStatistics:
    """What rows and receipts refer to, as JSON, one query; a digest nobody knows is left out."""
    rows = FeatureStatistics.objects.filter(sha256__in=set(digests))
    return {row.sha256: as_stored(row) for row in rows}


def as_stored(row: FeatureStatistics) -> dict[str, list[float | None]]:
    return {"mean": row.mean, "std": row.std}


def statistics_rows(stored: StoredStatistics, digests: Sequence[str]) -> RegionStatistics:
    """One row per digest; KeyError for one that is not among the stored."""
    rows = [stored[digest] for digest in digests]
    return RegionStatistics(
        mean=_matrix([row["mean"] for row in rows]), deviation=_matrix([row["std"] for row in rows])
    )


def _matrix(rows: Sequence[Sequence[float | None]]) -> Floats:
    known = [[np.nan if value is None else value for value in row] for row in rows]
    return np.array(known, dtype=np.float64).reshape(len(rows), features.N_FEATURES)


def _statistics(region: str, raw: Floats, now: datetime) -> FeatureStatistics:
    found = features.statistics_of(raw, np.zeros(len(raw), dtype=np.int64), 1)
    mean, std = _listed(found.mean[0]), _listed(found.deviation[0])
    feature_hash = features.feature_hash()
    identity = {"feature_hash": feature_hash, "region": region, "mean": mean, "std": std}
    return FeatureStatistics(
        sha256=digest(canonical_json(identity)),
        feature_hash=feature_hash,
        region=region,
        mean=mean,
        std=std,
        pools=len(raw),
        computed_at=now,
        source=f"{len(raw)} pools of {region}",
    )


def _listed(values: Floats) -> list[float | None]:
    return [float(value) + 0.0 if np.isfinite(value) else None for value in values]


def _measure_pools(region: str, pools: Sequence[PoolRow], now: datetime, product: Product) -> dict[str, Floats]:
    """What differs from pool to pool, and what is the same of all, row by row of `pools`."""
    freshness = quotes.freshness(region, now=now)
    unknown = np.full(len(pools), np.nan)
    return {
        "at": np.full(len(pools), now.timestamp()),
        "launch_at": np.full(len(pools), now.timestamp()),
        **_prices(region, pools, now, product),
        "last_missing_at": unknown,  # no interruption is recorded yet: "none known" is said by its own feature
        **{name: np.zeros(len(pools)) for name in ("interruptions_7d", "watched_hours_7d", "neighbours_hit")},
        "prices_as_of": np.full(len(pools), _epoch(freshness.prices_through)),
        # a rating is as old as the last time we asked and were answered, not as the day on which the band changed
        "advisor_as_of": np.full(len(pools), _epoch(freshness.advisor_at)),
    }


def _prices(region: str, pools: Sequence[PoolRow], now: datetime, product: Product) -> dict[str, Floats]:
    ids, history = quotes.histories(region, product=product, at=now)
    summary = prices.summarize(history, at=now.timestamp())
    wanted = np.array([pool.id for pool in pools], dtype=np.int64)
    place = np.searchsorted(ids, wanted)  # ascending, as histories has them
    is_priced = np.isin(wanted, ids)
    taken = np.where(is_priced, place, -1)
    return {
        field.name: _spread(getattr(summary, field.name), taken, 0.0 if field.name in _ZERO_WITHOUT_ROWS else np.nan)
        for field in fields(PriceSummary)
    }


_ZERO_WITHOUT_ROWS = {"seconds_covered", "n_changes"}


def _spread(values: Floats, taken: Index, otherwise: float) -> Floats:
    spread = np.full(len(taken), otherwise)
    spread[taken >= 0] = values[taken[taken >= 0]]
    return spread


def _measure_types(region: str, types: Sequence[str], now: datetime) -> dict[str, Floats]:
    """What all pools of a type share, row by row of `types`."""
    ratings, quoted = quotes.ratings(region), quotes.on_demand(region, at=now)
    listed = [quoted.get(name) for name in types]
    rated = [ratings.get(name) for name in types]
    return {
        "on_demand_micro": _column(quote.usd_micro if quote else None for quote in listed),
        "on_demand_as_of": _column(quote.fetched_at.timestamp() if quote else None for quote in listed),
        "band": _column(rating.band if rating else None for rating in rated),
        **_hardware(types, quotes.specs()),
    }


def _hardware(types: Sequence[str], found: Mapping[str, InstanceSpec]) -> dict[str, Floats]:
    specs = [found.get(name) for name in types]
    return {
        "vcpus": _column(spec.vcpus if spec else None for spec in specs),
        "memory_gib": _column(spec.memory_gib if spec else None for spec in specs),
        "launch_year": features.launch_year([family_of(name) for name in types]),
        "is_burstable": _column(spec.is_burstable if spec else None for spec in specs),
        "has_gpu": _column(spec.gpu_count > 0 if spec else None for spec in specs),
        "is_metal": _column(spec.is_bare_metal if spec else None for spec in specs),
    }


def _inputs(columns: Mapping[str, Floats], types: Sequence[str], of_type: Index) -> PoolInputs:
    """The same columns grouped by family and type, for the aggregates over the region."""
    _, of_family = _groups(family_of(name) for name in types)
    return PoolInputs(
        prices=PriceSummary(**{name: columns[name] for name in pool_facts.PRICE_COLUMNS}),
        on_demand_micro=columns["on_demand_micro"],
        interruption_rate=hazard.monthly_rate(columns["band"]),
        vcpus=columns["vcpus"],
        memory_gib=columns["memory_gib"],
        launch_year=columns["launch_year"],
        is_burstable=columns["is_burstable"],
        has_gpu=columns["has_gpu"],
        last_missing_at=columns["last_missing_at"],
        interruptions_7d=columns["interruptions_7d"],
        watched_hours_7d=columns["watched_hours_7d"],
        neighbours_hit=columns["neighbours_hit"],
        region=np.zeros(len(of_type), dtype=np.int64),
        family=of_family[of_type],
        instance_type=of_type,
    )


def _groups(keys: Iterable[str]) -> tuple[list[str], Index]:
    """The different keys in the order of their first mention, and which of them each is."""
    number: dict[str, int] = {}
    places = [number.setdefault(key, len(number)) for key in keys]
    return list(number), np.array(places, dtype=np.int64)


def _column(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _epoch(at: datetime | None) -> float:
    return np.nan if at is None else at.timestamp()
