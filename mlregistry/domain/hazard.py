"""What does the Spot Advisor's band say about the next hours, and how sure can that be?

AWS publishes how many of a type's instances it reclaimed in the trailing month, as one of five bands. Read as a
constant hazard: an instance that runs for a month of 730 h is interrupted with probability `rate`, so within a horizon
with 1 − (1 − rate)^(horizon / month). The band's edges give the interval and its middle the figure. The last band is
open ("> 20 %"): its interval reaches certainty, which says honestly that the Advisor alone knows little there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BANDS_VERSION = "advisor-bands-1"
# monthly rates, the labels of AWS's spot-advisor-data.json: <5 %, 5-10 %, 10-15 %, 15-20 %, >20 %
BAND_EDGES = np.array([0.0, 0.05, 0.10, 0.15, 0.20, 1.0])
MONTH = timedelta(hours=730)  # AWS billing


class Evidence(StrEnum):
    """What a probability rests on, the strongest first."""

    TRACE = "trace"  # a model that has seen interruptions of this family
    ADVISOR = "advisor"  # the Advisor's band, turned into a hazard
    NONE = "none"  # nothing; there is no number


@dataclass(frozen=True, slots=True)
class Hazard:
    """Probability of an interruption within a horizon, with its interval; float64[n], NaN = the band is unknown."""

    probability: Floats
    low: Floats
    high: Floats


def monthly_rate(bands: Floats) -> Floats:
    """The middle of each band (0 to 4) as a share interrupted per month; NaN stays NaN. ValueError for another band."""
    return _by_band(bands, (BAND_EDGES[:-1] + BAND_EDGES[1:]) / 2)


def advisor_hazard(bands: Floats, horizon: timedelta) -> Hazard:
    """Hazard within `horizon` for bands 0 to 4 (NaN = unrated). ValueError for another band or no time."""
    return Hazard(
        within(monthly_rate(bands), horizon),
        within(_by_band(bands, BAND_EDGES[:-1]), horizon),
        within(_by_band(bands, BAND_EDGES[1:]), horizon),
    )


def within(rate_per_month: Floats, horizon: timedelta) -> Floats:
    """Probability within `horizon` at a monthly rate in [0, 1], the hazard being constant."""
    if horizon <= timedelta(0):
        raise ValueError(f"no horizon: {horizon}")
    with np.errstate(divide="ignore"):  # a rate of 1 is an infinite hazard, and certain in any time
        return -np.expm1(np.log1p(-rate_per_month) * (horizon / MONTH))


def _by_band(bands: Floats, values: Floats) -> Floats:
    known = ~np.isnan(bands)
    is_none = known & ~((bands >= 0) & (bands < len(values)) & (np.floor(bands) == bands))
    if is_none.any():
        raise ValueError(f"no Advisor band: {bands[is_none][0]:g}")
    place = np.where(known, bands, len(values)).astype(np.int64)
    return np.append(values, np.nan)[place]
