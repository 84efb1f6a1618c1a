"""Two workers on one step, in every order in which their five points can fall, on the real database.

The points: lease, intention, look, act, record. Whenever the other worker goes on, the clock has moved past the
lease, so that each may be overtaken at any point and wakes up later not knowing it. The call takes no token: what
doubles here doubles in the cloud.
"""

from __future__ import annotations

import itertools
import queue
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connections

from pipelines.actuator import clock, journal, runner
from pipelines.models import Operation, Step
from tests.pipelines.actuator.journals import CountingHands, World, a_plan, an_acting_account, an_operation, making

POINTS = 5
OVER = journal.LEASE + timedelta(seconds=1)
SCHEDULES = [
    "".join("A" if index in places else "B" for index in range(2 * POINTS))
    for places in itertools.combinations(range(2 * POINTS), POINTS)
]


@dataclass
class Worker:
    """A thread with a connection of its own, which stops before each point of a turn until it is let on."""

    name: str
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    turns: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)
    has_ended: bool = True

    def begin(self, turn) -> None:
        """Up to the turn's first point."""
        self.has_ended = False
        self.turns.put(turn)
        self.stopped.acquire()

    def point(self) -> None:
        self.stopped.release()
        self.go.acquire()

    def step(self) -> None:
        if not self.has_ended:
            self.go.release()
            self.stopped.acquire()

    def live(self) -> None:
        here.worker = self
        while (turn := self.turns.get()) is not None:
            try:
                turn()
            finally:
                self.has_ended = True
                self.stopped.release()
        connections.close_all()


here = threading.local()


def stopping(function):
    """The function, which stops before it begins in whatever worker calls it."""

    def stopped(*args, **kwargs):
        here.worker.point()
        return function(*args, **kwargs)

    return stopped


@pytest.fixture
def points(monkeypatch):
    for name in ("lease", "start_step", "end_step"):
        monkeypatch.setattr(journal, name, stopping(getattr(journal, name)))
    monkeypatch.setattr(CountingHands, "make", stopping(CountingHands.make))
    monkeypatch.setattr(clock, "_offset", timedelta())


@pytest.fixture
def workers(points):
    made = {name: Worker(name) for name in "AB"}
    threads = [threading.Thread(target=worker.live) for worker in made.values()]
    for thread in threads:
        thread.start()
    yield made
    for worker in made.values():
        worker.turns.put(None)
    for thread in threads:
        thread.join()


def _hands(world: World, _: Operation, before_call: Any) -> Any:
    return CountingHands(world, before_call)


def play(schedule: str, operation: Operation, world: World, workers: dict[str, Worker]) -> None:
    kinds = {"make": making(world, observe=stopping(making(world).observe))}
    for name, worker in workers.items():
        hands = partial(_hands, world)
        worker.begin(partial(runner.turn, operation.pk, holder=name, make_hands=hands, kinds=kinds))
    last = ""
    for name in schedule + "AB" * 2 * POINTS:  # whoever is not at the end yet is let on in turns
        if not workers[name].has_ended:
            if name != last:
                clock._offset += OVER
            last = name
            workers[name].step()
    assert all(worker.has_ended for worker in workers.values())


def all_schedules(workers):
    """(schedule, what was made) for each of the 252."""
    account = an_acting_account()
    for number, schedule in enumerate(SCHEDULES):
        world = World()
        operation = an_operation(account, a_plan(target=f"instance/i-{number}"), most_in_flight=999)
        play(schedule, operation, world, workers)
        yield schedule, world.made


@pytest.mark.django_db(transaction=True)
def test_two_workers_in_any_order_make_it_once(workers):
    assert len(SCHEDULES) == 252
    assert [schedule for schedule, made in all_schedules(workers) if len(made) != 1] == []
    assert set(Step.objects.values_list("state", flat=True)) <= {"started", "done"}


@pytest.mark.django_db(transaction=True)
def test_the_same_orders_double_it_when_the_fence_is_not_read_before_the_call(workers, monkeypatch):
    monkeypatch.setattr(journal, "renew", lambda held: None)
    assert any(len(made) > 1 for _, made in all_schedules(workers))
