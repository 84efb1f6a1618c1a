from governance.models.health import ComponentRun
from governance.models.limits import OptimizationPolicy, Quarantine

__all__ = ["ComponentRun", "OptimizationPolicy", "Quarantine"]
