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
        "Operation": "organization",
        "Step": "operation__organization",
        "Breaker": "account__organization",  # the one of every account is nobody's
        "SavingsDaily": "organization",
    }
