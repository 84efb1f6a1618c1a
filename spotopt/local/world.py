"""What do all accounts of the cloud share?"""

from __future__ import annotations

from dataclasses import dataclass

from spotopt.local.agenda import Agenda
from spotopt.local.clock import Clock
from spotopt.local.faults import Switches
from spotopt.local.market import Market


@dataclass(slots=True)
class Pace:
    """Seconds that things take here. AWS promises none of them; these are on the quick side of what it shows."""

    boot: float = 8  # pending → running
    checks: float = 40  # running → both status checks ok
    application: float = 15  # running → the machine's own pages answer
    shut_down: float = 5  # shutting-down → terminated, stopping → stopped
    image: float = 30  # pending → available
    snapshot: float = 20
    forgotten: float = 3600  # a terminated instance is still described (EC2 guide, "Terminate your instance")
    unseen: float = 0  # what was just created is not found yet (EC2 guide, "Eventual consistency")
    registration: float = 10  # target initial → first health check
    group: float = 5  # a group sees what is wrong and acts
    balance: float = 120  # until a group evens its zones out
    rebalance: float = 60  # from the rebalance recommendation to the interruption notice


class World:
    """What every account shares; set once, before the first call."""

    clock: Clock
    market: Market
    switches: Switches
    agenda: Agenda
    pace = Pace()
    is_replaying: bool = False  # the past is made again: nobody is to hear of it twice
