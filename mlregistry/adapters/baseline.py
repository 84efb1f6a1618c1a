"""What is expected of a pool on day zero, before any model is active? What the Advisor's band says, and no more."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from mlregistry.adapters.base import Outlook, outlook
from mlregistry.domain.features import N_FEATURES

NAME = "advisor-baseline"
VERSION = "2"
HORIZON = timedelta(hours=6)  # that of the shipped model, so that a policy's limit means the same on both


def day_zero(bands: NDArray[np.float64], horizon: timedelta = HORIZON) -> Outlook:
    """Outlook by Advisor band (0 to 4, NaN = unrated → no evidence, no number)."""
    nothing = np.empty((len(bands), N_FEATURES))
    return outlook(None, nothing, [""] * len(bands), bands, horizon)
