from instances.models.fleet import AutoScalingGroup, Instance, InstanceType, PipelineMode
from instances.models.market import (
    AdvisorFile,
    FetchOutcome,
    FetchSource,
    MarketFetch,
    OnDemandPrice,
    Pool,
    SpotAdvisorRating,
    SpotPrice,
    ZoneName,
)

__all__ = [
    "AdvisorFile",
    "AutoScalingGroup",
    "FetchOutcome",
    "FetchSource",
    "Instance",
    "InstanceType",
    "MarketFetch",
    "OnDemandPrice",
    "PipelineMode",
    "Pool",
    "SpotAdvisorRating",
    "SpotPrice",
    "ZoneName",
]
