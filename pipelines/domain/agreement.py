"""How often do two judges say the same, what is each worth on average, and how sure is that?"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959963984540054  # both sides of 95 % of the normal distribution
# the same of Student's t, for 1, 2, 3 … degrees of freedom; few cases are less sure than the normal distribution says
T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """`share` of `judged` cases on which both said the same, with its 95 % interval; None where nothing was judged."""

    judged: int
    agreed: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of `n` cases with its 95 % interval; None: of nothing there is no mean, and of one case no interval."""

    n: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves out nothing at all: a difference that is more than chance."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def times(self, count: int) -> Mean:
        """The same of the sum over `count` cases."""
        scaled = (None if each is None else each * count for each in (self.value, self.low, self.high))
        return Mean(self.n, *scaled)


def agreement(agreed: int, judged: int) -> Agreement:
    """The interval is Wilson's: it stays in [0, 1], also for few cases. ValueError for more agreed than judged."""
    if not 0 <= agreed <= judged:
        raise ValueError(f"{agreed} of {judged} cases cannot be agreed on")
    if not judged:
        return Agreement(0, 0, None, None, None)
    n, share = judged, agreed / judged
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    spread = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Agreement(n, agreed, share, max(0.0, middle - spread), min(1.0, middle + spread))


def mean_of(n: int, mean: float | None, deviation: float | None) -> Mean:
    """From the mean of `n` independent cases and their standard deviation (that of a sample)."""
    if not n or mean is None:
        return Mean(0, None, None, None)
    if n < 2 or deviation is None:
        return Mean(n, mean, None, None)
    t = T[n - 2] if n - 2 < len(T) else Z
    spread = t * deviation / math.sqrt(n)
    return Mean(n, mean, mean - spread, mean + spread)
