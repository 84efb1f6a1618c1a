from django.apps import AppConfig

from accounts.domain import PLATFORM, SHARED


class GovernanceConfig(AppConfig):
    name = "governance"
    verbose_name = "Governance"

    ownership = {
        "OptimizationPolicy": "organization",
        "Quarantine": SHARED,  # a pool is closed to everybody; the row names nobody
        "ComponentRun": PLATFORM,
    }
