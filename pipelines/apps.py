from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "pipelines"
    verbose_name = "Pipelines"

    ownership = {
        "PipelineRun": "organization",
        "RunStep": "run__organization",
        "ExperimentLog": "organization",
        "ShadowDecision": "organization",
        "EngineDecision": "organization",
        "SavingsDaily": "organization",
    }
