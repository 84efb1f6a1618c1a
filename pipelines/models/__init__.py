from pipelines.models.journal import Breaker, Operation, Step
from pipelines.models.runs import (
    EngineDecision,
    ExperimentLog,
    PipelineRun,
    RunState,
    RunStep,
    SavingsDaily,
    ShadowDecision,
)

__all__ = [
    "Breaker",
    "EngineDecision",
    "ExperimentLog",
    "Operation",
    "PipelineRun",
    "RunState",
    "RunStep",
    "SavingsDaily",
    "ShadowDecision",
    "Step",
]
