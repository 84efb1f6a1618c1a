"""What do engines see of the market?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from instances.domain.pool import Product

EVIDENCE = ("none", "advisor", "trace")  # weakest first; a pool's code is its index


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Every pool of one region and product: hardware, price, score. Rows of all columns belong together.

    NaN in prices, `on_demand_at`, `safety`, `probability` = unknown. `evidence` indexes EVIDENCE.
    `version` changes whenever any row does.
    """

    region: str
    product: Product
    version: str
    instance_types: NDArray[np.str_]  # [n]
    zone_ids: NDArray[np.str_]  # [n]
    vcpus: NDArray[np.float64]  # [n]
    memory_gib: NDArray[np.float64]
    gpu_count: NDArray[np.float64]
    is_x86: NDArray[np.bool_]
    is_arm: NDArray[np.bool_]
    is_bare_metal: NDArray[np.bool_]
    usd_per_hour: NDArray[np.float64]
    on_demand_usd_per_hour: NDArray[np.float64]
    on_demand_at: NDArray[np.float64]  # epoch seconds: until when that price is known
    safety: NDArray[np.float64]
    probability: NDArray[np.float64]
    confidence: NDArray[np.float64]  # 1 − width of the probability's interval
    evidence: NDArray[np.int8]
    scored_at: datetime | None
    prices_as_of: datetime | None
    advisor_as_of: datetime | None
    on_demand_as_of: datetime | None
    horizon_seconds: int | None

    def __len__(self) -> int:
        return len(self.instance_types)
