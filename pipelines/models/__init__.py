from pipelines.models.runs import EngineDecision, ExperimentLog, PipelineRun, RunState, RunStep, SavingsDaily

__all__ = ["EngineDecision", "ExperimentLog", "PipelineRun", "RunState", "RunStep", "SavingsDaily"]
