from pipelines.models.runs import EngineDecision, ExperimentLog, PipelineRun, RunState, RunStep, ShadowDecision

__all__ = ["EngineDecision", "ExperimentLog", "PipelineRun", "RunState", "RunStep", "ShadowDecision"]
