from django.apps import AppConfig

from accounts.domain import PLATFORM, SHARED


class MlregistryConfig(AppConfig):
    name = "mlregistry"
    verbose_name = "Model registry"

    def ready(self) -> None:
        from mlregistry import checks  # noqa: F401 -- registers itself

    ownership = {
        "ModelFile": PLATFORM,
        "ModelVersion": SHARED,
        "Assignment": "organization",
        "FeatureStatistics": SHARED,
        "PoolScore": SHARED,
        "RegionScoring": SHARED,
        "Prediction": "organization",
    }
