from pipelines.models.runs import (
    EngineDecision,
    ExperimentLog,
    PipelineRun,
    RunState,
    RunStep,
    SavingsDaily,
    ShadowDecision,
)

__all__ = ["EngineDecision", "ExperimentLog", "PipelineRun", "RunState", "RunStep", "SavingsDaily", "ShadowDecision"]
