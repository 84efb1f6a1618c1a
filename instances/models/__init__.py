from instances.models.fleet import AutoScalingGroup, Instance, InstanceType, PipelineMode
from instances.models.market import (
    AdvisorFile,
    FetchOrder,
    FetchOutcome,
    FetchSource,
    MarketFetch,
    OnDemandPrice,
    OrderState,
    Pool,
    SpotAdvisorRating,
    SpotPrice,
    SpotPriceDaily,
    ZoneName,
)
from instances.models.syncs import InventorySync, SyncState

__all__ = [
    "AdvisorFile",
    "AutoScalingGroup",
    "FetchOrder",
    "FetchOutcome",
    "FetchSource",
    "Instance",
    "InstanceType",
    "InventorySync",
    "MarketFetch",
    "OnDemandPrice",
    "OrderState",
    "PipelineMode",
    "Pool",
    "SpotAdvisorRating",
    "SpotPrice",
    "SpotPriceDaily",
    "SyncState",
    "ZoneName",
]
