from mlregistry.models.predictions import PoolScore, Prediction, RegionScoring
from mlregistry.models.registry import FeatureStatistics, ModelFile, ModelStatus, ModelType, ModelVersion

__all__ = [
    "FeatureStatistics",
    "ModelFile",
    "ModelStatus",
    "ModelType",
    "ModelVersion",
    "PoolScore",
    "Prediction",
    "RegionScoring",
]
