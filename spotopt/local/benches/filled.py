"""How does the invented market get into the tables, with everything that a score rests on?"""

from __future__ import annotations

from datetime import datetime, timedelta

from instances.domain.pool import Product
from instances.market.copying import write_changes
from instances.models import (
    AdvisorFile,
    FetchOutcome,
    FetchSource,
    InstanceType,
    MarketFetch,
    OnDemandPrice,
    Pool,
    SpotAdvisorRating,
)
from mlregistry import registry
from spotopt.local.benches import invented
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.invented import NOW, SIZES, TYPES, ZONES

REGIONS = tuple(f"{area}-{number}" for area in ("us-east", "us-west", "eu-west", "ap-south") for number in range(1, 5))
TABLES = (
    "instances_spotprice",
    "instances_pool",
    "instances_instancetype",
    "instances_ondemandprice",
    "instances_advisorfile",
    "instances_marketfetch",
)


def fill(on: Ground, n_pools: int, *, now: datetime, days: float = 9) -> list[str]:
    """Replace the market by one of `n_pools` Linux pools, fetched whole at `now`, with the shipped model active.

    Returns its regions.
    """
    registry.activate(registry.register_shipped(by="bench"), by="bench", now=now)
    on.forget(*TABLES)
    regions = list(REGIONS[: -(-n_pools // (len(TYPES) * ZONES))])
    InstanceType.objects.bulk_create(_type(name, now) for name in TYPES)
    Pool.objects.bulk_create((_pool(number) for number in range(n_pools)), batch_size=5_000)
    pool, at, usd_micro = invented.changes(round(n_pools * days * invented.ROWS_A_DAY), days=days, n_pools=n_pools)
    write_changes(pool, at + (now.timestamp() - NOW), usd_micro)
    _list_prices(regions, now)
    _fetches(regions, now)
    with on.owner() as connection:  # as autovacuum would have by the time of the next refresh
        connection.execute("ANALYZE")
    return regions


def zone_id(region: str, number: int) -> str:
    """`usea1-az2` of us-east-1: of the form of real ones, and none of them."""
    area, side, rank = region.split("-")
    return f"{area}{side[:2]}{rank}-az{number + 1}"


def _pool(number: int) -> Pool:
    """Types and zones in turn, region after region; ids are those of the invented changes."""
    kind, zone = divmod(number, ZONES)
    region = REGIONS[kind // len(TYPES)]
    return Pool(
        id=number + 1,
        instance_type=TYPES[kind % len(TYPES)],
        zone_id=zone_id(region, zone),
        product=Product.LINUX.value,
        region=region,
    )


def _type(name: str, now: datetime) -> InstanceType:
    vcpus = SIZES[name.partition(".")[2]]
    return InstanceType(
        name=name,
        vcpus=vcpus,
        memory_mib=4096 * vcpus,
        architectures=["x86_64"],
        virtualization=["hvm"],
        is_current_generation=True,
        is_spot_supported=True,
        fetched_at=now,
    )


def _list_prices(regions: list[str], now: datetime) -> None:
    file = AdvisorFile.objects.create(sha256="0" * 64, raw=b"{}", fetched_at=now, entries=len(TYPES))
    SpotAdvisorRating.objects.bulk_create(
        SpotAdvisorRating(
            instance_type=name, region=region, band=place % 3, savings_percent=60, file=file, observed_at=now
        )
        for region in regions
        for place, name in enumerate(TYPES)
    )
    since = now - timedelta(days=100)
    OnDemandPrice.objects.bulk_create(
        OnDemandPrice(
            instance_type=name, region=region, usd_micro=10_000_000 + place, effective_at=since, fetched_at=now
        )
        for region in regions
        for place, name in enumerate(TYPES)
    )


def _fetches(regions: list[str], now: datetime) -> None:
    whole = [(FetchSource.ADVISOR, ""), (FetchSource.CATALOGUE, "")]
    whole += [(source, region) for region in regions for source in (FetchSource.SPOT, FetchSource.ON_DEMAND)]
    MarketFetch.objects.bulk_create(
        MarketFetch(
            source=source.value,
            region=region,
            outcome=FetchOutcome.FILLED.value,
            through=now,
            started_at=now,
            ended_at=now,
            rows=1,
        )
        for source, region in whole
    )
