"""Which engines are there?"""

from __future__ import annotations

from pipelines.engines.contract import Engine
from pipelines.engines.spot_optimizer import ENGINE as SPOT_OPTIMIZER

ENGINES: tuple[Engine, ...] = (SPOT_OPTIMIZER,)

BY_PATH = {engine.path: engine for engine in ENGINES}
BY_TYPE = {engine.decision_type: engine for engine in ENGINES}
