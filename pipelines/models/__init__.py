from pipelines.models.runs import EngineDecision, ExperimentLog, PipelineRun, RunState, RunStep

__all__ = ["EngineDecision", "ExperimentLog", "PipelineRun", "RunState", "RunStep"]
