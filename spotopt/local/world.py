"""What do all accounts of the cloud share?"""

from __future__ import annotations

from spotopt.local.clock import Clock
from spotopt.local.faults import Switches
from spotopt.local.market import Market


class World:
    """What every account shares; set once, before the first call."""

    clock: Clock
    market: Market
    switches: Switches
