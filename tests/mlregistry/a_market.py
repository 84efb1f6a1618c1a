"""A region of a dozen pools with everything a score needs, for tests that then take something away."""

from datetime import datetime, timedelta
from typing import Any

from mlregistry import registry
from mlregistry.models import ModelStatus, ModelVersion
from tests import factories
from tests.factories import NOW
from tests.mlregistry import a_model

TYPES: dict[str, tuple[int, int, str, str, int, dict[str, Any]]] = {
    # name: (vCPU, GiB, On-Demand, Spot, Advisor band, fields)
    "m5.large": (2, 8, "0.096", "0.035", 0, {}),
    "m5.xlarge": (4, 16, "0.192", "0.080", 1, {}),
    "c5.2xlarge": (8, 16, "0.340", "0.130", 2, {}),
    "t3.medium": (2, 4, "0.0416", "0.0125", 3, {"is_burstable": True}),
    "p3.2xlarge": (8, 61, "3.06", "0.92", 4, {"gpu_count": 1, "gpu_name": "V100"}),
}
ZONES = ("use1-az1", "use1-az2", "use1-az3")


def a_market(*, now: datetime = NOW, region: str = "us-east-1", days: float = 9) -> None:
    """Five types in three zones of us-east-1, priced for nine days, rated, catalogued and fetched just now."""
    for number, (name, (vcpus, gib, listed, spot, band, fields)) in enumerate(TYPES.items()):
        factories.a_type(name, vcpus=vcpus, memory_mib=gib * 1024, **fields)
        factories.an_on_demand_price(name, listed, region=region)
        factories.a_rating(name, band, region=region)
        for offset, zone_id in enumerate(ZONES):
            pool = factories.a_pool(name, zone_id, region=region)
            base = float(spot) * (1 + 0.03 * offset)
            steps = [
                (days * (part / 6 - (number + offset) / 100), base * (1 + ((number + part * (offset + 1)) % 4) / 100))
                for part in range(6, 0, -1)
            ]
            factories.prices_for(pool, [(ago, f"{usd:.6f}") for ago, usd in steps], now=now)
    factories.a_fresh_market(region, now=now)


def a_registered_model(
    *, status: ModelStatus = ModelStatus.GRADUATED, active: bool = True, **changes: Any
) -> ModelVersion:
    """The model of tests/mlregistry/a_model.py, by default graduated and active."""
    metadata = a_model.metadata(**{"trained_until": "2023-05-14"} | changes)
    version = registry.store(a_model.model_bytes(), metadata, by="a test", status=status)
    if active:
        registry.activate(version, by="a test", now=NOW - timedelta(hours=1))
    return version
