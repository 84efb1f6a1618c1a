"""How does a run tell what it does while it goes, and what stands when it breaks?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from pydantic_core import to_jsonable_python

from accounts.models import User
from instances.models import Instance
from pipelines import announcing
from pipelines.domain.receipt import normal
from pipelines.models import PipelineRun, RunState, RunStep

ABANDONED = timedelta(minutes=10)  # longer than a task may take (CELERY_TASK_TIME_LIMIT): nobody works on it any more
OPEN = (RunState.QUEUED.value, RunState.RUNNING.value)


class Overtaken(RuntimeError):
    """Another worker has taken the run over; what this one finds no longer counts."""


@dataclass
class StepNotes:
    """What a step says of itself."""

    outputs: dict[str, Any] = field(default_factory=dict)
    count_in: int | None = None
    count_out: int | None = None


def open_run(instance: Instance, *, pipeline: str, trigger: str, by: User | None) -> PipelineRun:
    """A queued run of the instance; where one is open already, that one."""
    while True:
        joined = PipelineRun.objects.filter(instance=instance, state__in=OPEN).first()
        if joined is not None:
            return joined
        try:
            with transaction.atomic():
                return PipelineRun.objects.create(
                    organization_id=instance.account.organization_id,
                    account=instance.account,
                    instance=instance,
                    pipeline=pipeline,
                    trigger=trigger,
                    requested_by=by,
                )
        except IntegrityError:
            continue  # somebody pressed at the same moment: join theirs


def leave_lost_session(wrong: Exception) -> None:
    """After PostgreSQL went away, let the next query open a session of its own, so that the failure can be told."""
    if isinstance(wrong, OperationalError | InterfaceError):
        connection.close()


class Recorder:
    """The one worker that a run belongs to. Every write checks that it still does."""

    def __init__(self, run: PipelineRun, began: datetime) -> None:
        self.run = run
        self.began = began
        self._clock = time.perf_counter()
        self._position = 0

    @classmethod
    def claim(cls, run: PipelineRun, *, now: datetime) -> Recorder | None:
        """Take a queued run, or one whose worker has been silent for too long; None when it is somebody else's.

        What an abandoned attempt wrote is let go: the run begins again.
        """
        free = Q(state=RunState.QUEUED.value) | Q(state=RunState.RUNNING.value, started_at__lt=now - ABANDONED)
        with transaction.atomic():
            taken = PipelineRun.objects.filter(free, pk=run.pk).update(
                state=RunState.RUNNING.value, started_at=now, error=""
            )
            if not taken:
                return None
            RunStep.objects.filter(run=run).delete()
        run.state, run.started_at = RunState.RUNNING.value, now
        return cls(run, now)

    @contextmanager
    def step(self, name: str, **inputs: Any) -> Iterator[StepNotes]:
        """Write the step when its block ends, failed with the error when it raises."""
        began, notes, error = time.perf_counter(), StepNotes(), ""
        try:
            yield notes
        except Exception as wrong:
            error = f"{type(wrong).__name__}: {wrong}"
            leave_lost_session(wrong)
            raise
        finally:
            self._write(name, "failed" if error else "done", inputs, notes, began, error)

    def skip(self, name: str, note: str) -> None:
        self._write(name, "skipped", {}, StepNotes({"note": note}), time.perf_counter(), "")

    def _write(self, name: str, state: str, inputs: dict[str, Any], notes: StepNotes, began: float, error: str) -> None:
        with self.held():
            step = RunStep.objects.create(
                run=self.run,
                position=self._position,
                name=name,
                state=state,
                inputs=normal(to_jsonable_python(inputs)),
                outputs=normal(to_jsonable_python(notes.outputs)),
                count_in=notes.count_in,
                count_out=notes.count_out,
                started_at=self.began + timedelta(seconds=began - self._clock),
                duration_ms=(time.perf_counter() - began) * 1000,
                error=error,
            )
            announcing.progressed(self.run, {"position": step.position, "name": name, "state": state})
        self._position += 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """A transaction in which the run stays ours. Raises Overtaken when it no longer is."""
        with transaction.atomic():
            own = PipelineRun.objects.filter(
                pk=self.run.pk, state=RunState.RUNNING.value, started_at=self.began
            ).select_for_update()
            if not own.values("pk"):
                raise Overtaken(f"run {self.run.pk} was taken over by another worker")
            yield

    def end(self, state: RunState, error: str = "") -> None:
        ended_at = self.began + timedelta(seconds=time.perf_counter() - self._clock)
        with self.held():
            PipelineRun.objects.filter(pk=self.run.pk).update(state=state.value, ended_at=ended_at, error=error)
            self.run.state, self.run.ended_at, self.run.error = state.value, ended_at, error
            announcing.progressed(self.run)
