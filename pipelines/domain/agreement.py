"""How often do two judges say the same, and how sure is that?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

Z = 1.959963984540054  # both sides of 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Agreement:
    """`share` of `judged` cases on which both said the same, with its 95 % interval; None where nothing was judged."""

    judged: int
    agreed: int
    share: float | None
    low: float | None
    high: float | None


def agreement(verdicts: Iterable[tuple[str, str]]) -> Agreement:
    """Of pairs of verdicts on the same case. The interval is Wilson's: it stays in [0, 1], also for few cases."""
    same = [a == b for a, b in verdicts]
    n, agreed = len(same), sum(same)
    if not n:
        return Agreement(0, 0, None, None, None)
    share = agreed / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    spread = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Agreement(n, agreed, share, max(0.0, middle - spread), min(1.0, middle + spread))
