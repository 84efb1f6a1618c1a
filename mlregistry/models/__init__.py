from mlregistry.models.predictions import Outcome, PoolScore, Prediction, RegionScoring
from mlregistry.models.registry import (
    Assignment,
    AssignmentKind,
    FeatureStatistics,
    ModelFile,
    ModelStatus,
    ModelType,
    ModelVersion,
)

__all__ = [
    "Assignment",
    "AssignmentKind",
    "FeatureStatistics",
    "ModelFile",
    "ModelStatus",
    "ModelType",
    "ModelVersion",
    "Outcome",
    "PoolScore",
    "Prediction",
    "RegionScoring",
]
