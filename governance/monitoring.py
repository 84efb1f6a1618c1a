"""How is the system doing: its components, their runs, and what stands beside them?

Everybody sees counts and durations. A run's subject is seen by its own organization and by staff; a region's by those
who have an account there; what a job of the installation said of its end by staff alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from celery import current_app
from django.db import connection
from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from kombu.exceptions import OperationalError as QueueDown

from accounts.answering import cache_answers, database_answers
from accounts.authentication import Caller
from accounts.models import AwsAccount
from accounts.ownership import owned
from governance.domain.components import (
    COMPONENTS,
    HOURS_SHOWN,
    SUBJECTS,
    Component,
    Hour,
    Status,
    Subject,
    status_of,
    subject_kind,
    uptime,
)
from governance.models import ComponentRun
from instances.models import Instance

PATIENCE = 0.5  # s for each part that is asked
MOST_TABLES = 12
WINDOW = timedelta(hours=HOURS_SHOWN)


@dataclass(frozen=True, slots=True)
class Figures:
    """One component over the last 24 hours; `last_…` of whenever it was. Unknown is None."""

    component: Component
    status: Status
    last_started_at: datetime | None
    last_ended_at: datetime | None
    last_is_success: bool | None
    runs: int
    succeeded: int
    failed: int
    p50_seconds: float | None
    p95_seconds: float | None
    hours: tuple[Hour, ...]  # oldest first, one each

    @property
    def name(self) -> str:
        return self.component.slug

    @property
    def success_rate(self) -> float | None:
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else None

    @property
    def uptime(self) -> float | None:
        return uptime(self.hours)


@dataclass(frozen=True, slots=True)
class Line:
    """A run as its reader may see it."""

    run: ComponentRun
    subject: str
    detail: str

    @property
    def duration_seconds(self) -> float | None:
        return (self.run.ended_at - self.run.started_at).total_seconds() if self.run.ended_at else None


@dataclass(frozen=True, slots=True)
class Sight:
    """Which jobs of the feed somebody may know of, and what of each."""

    organization: uuid.UUID | None = None
    regions: frozenset[str] = frozenset()
    sees_all: bool = False

    def takes(self, run: Mapping[str, Any]) -> bool:
        kind, region = subject_kind(run["task"]), run["subject"]
        if self.sees_all or self._is_own(run):
            return True
        is_shared = kind in (Subject.NOBODY, Subject.ZONES) and run["organization"] is None
        return is_shared and (region == "" or region in self.regions)

    def of(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """Without what is the installation's own, and with the name of what it ran on."""
        tells_all, name = self.sees_all or self._is_own(run), run["name"]
        kind, subject = subject_kind(run["task"]), run["subject"]
        if name:
            subject = f"{subject.split()[0]} of {name}" if kind is Subject.ZONES else name
        columns = ("id", "component", "task", "started_at", "ended_at", "is_success")
        said = {column: run[column] for column in columns}
        return {**said, "subject": subject, "detail": run["detail"] if tells_all else ""}

    def _is_own(self, run: Mapping[str, Any]) -> bool:
        return self.organization is not None and run["organization"] == str(self.organization)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the components stand on. `queues` and `workers` None: the queue does not answer."""

    has_database: bool
    has_cache: bool
    queues: tuple[tuple[str, int], ...] | None
    workers: int | None


@dataclass(frozen=True, slots=True)
class TableSize:
    name: str
    partitions: int
    size_bytes: int


_FIGURES = """
    SELECT c.name, last.started_at, ended.ended_at, ended.is_success, day.*
    FROM unnest(%(names)s::text[], %(spans)s::float[]) AS c(name, span)
    LEFT JOIN LATERAL (SELECT started_at FROM governance_componentrun
        WHERE component = c.name ORDER BY started_at DESC LIMIT 1) last ON true
    LEFT JOIN LATERAL (SELECT ended_at, is_success FROM governance_componentrun
        WHERE component = c.name AND ended_at IS NOT NULL ORDER BY started_at DESC LIMIT 1) ended ON true
    CROSS JOIN LATERAL (SELECT count(*), count(*) FILTER (WHERE is_success), count(*) FILTER (WHERE NOT is_success),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)),
        percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)),
        count(*) FILTER (WHERE is_success AND started_at > %(now)s - c.span * interval '1 second'),
        count(*) FILTER (WHERE NOT is_success AND started_at > %(now)s - c.span * interval '1 second')
        FROM governance_componentrun WHERE component = c.name AND started_at > %(since)s) day
"""
_HOURS = """
    SELECT component, floor(extract(epoch FROM %(now)s - started_at) / 3600)::int AS hours_ago,
        count(*) FILTER (WHERE is_success), count(*) FILTER (WHERE NOT is_success)
    FROM governance_componentrun WHERE component = ANY(%(names)s) AND started_at > %(since)s AND started_at <= %(now)s
    GROUP BY 1, 2
"""
_SIZES = """
    SELECT coalesce(parent.relname, t.relname), count(parent.oid), sum(pg_total_relation_size(t.oid))::bigint
    FROM pg_class t LEFT JOIN pg_inherits i ON i.inhrelid = t.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
    WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace
    GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT %s
"""


def components(*, now: datetime) -> list[Figures]:
    """Every component of this software, in two queries."""
    values: dict[str, Any] = {
        "names": [each.name for each in COMPONENTS],
        "spans": [each.late_after.total_seconds() for each in COMPONENTS],
        "now": now,
        "since": now - WINDOW,
    }
    counted: dict[tuple[str, int], Hour] = {}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, values)
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_HOURS, values)
        for name, ago, succeeded, failed in cursor.fetchall():
            counted[name, ago] = Hour(ago, succeeded, failed)
    found = []
    for each in COMPONENTS:
        started, ended, is_success, runs, succeeded, failed, p50, p95, new_ok, new_bad = rows[each.name]
        ago = reversed(range(HOURS_SHOWN))
        found.append(
            Figures(
                component=each,
                status=status_of(each, succeeded=new_ok, failed=new_bad, last_started_at=started, now=now),
                last_started_at=started,
                last_ended_at=ended,
                last_is_success=is_success,
                runs=runs,
                succeeded=succeeded,
                failed=failed,
                p50_seconds=p50,
                p95_seconds=p95,
                hours=tuple(counted.get((each.name, n), Hour(n, 0, 0)) for n in ago),
            )
        )
    return found


def sees_all(caller: Caller) -> bool:
    """The installation's own: its staff, and its keys."""
    return caller.is_platform or (caller.user is not None and caller.user.is_staff)


def visible(caller: Caller) -> QuerySet[ComponentRun]:
    """The runs that the caller may know of one by one: their own, and the market's in their regions."""
    rows = ComponentRun.objects.order_by("-started_at", "-pk")
    if sees_all(caller):
        return rows
    own = list(owned(AwsAccount, caller).values_list("pk", "regions"))
    regions = sorted({region for _, theirs in own for region in theirs})
    instances = owned(Instance, caller).annotate(named=Concat(Value("instance "), Cast("pk", CharField())))
    return rows.filter(
        Q(task__in=_tasks(Subject.NOBODY, Subject.ZONES), subject__in=["", *regions])
        | Q(task__in=_tasks(Subject.ZONES), subject__in=[f"{r} {pk}" for pk, theirs in own for r in theirs])
        | Q(task__in=_tasks(Subject.ACCOUNT), subject__in=[str(pk) for pk, _ in own])
        | Q(task__in=_tasks(Subject.INSTANCE), subject__in=instances.values("named"))
    )


def lines(runs: Iterable[ComponentRun], caller: Caller) -> list[Line]:
    """Runs out of `visible`, with subjects named; two queries however many."""
    rows = list(runs)
    accounts = _names(AwsAccount, caller, (r for r in rows if subject_kind(r.task) in (Subject.ACCOUNT, Subject.ZONES)))
    instances = _names(Instance, caller, (r for r in rows if subject_kind(r.task) is Subject.INSTANCE))
    return [_line(row, accounts, instances, tells_all=sees_all(caller)) for row in rows]


def sight_of(caller: Caller) -> Sight:
    """What of the jobs' feed this caller may know of: the same that `visible` and `lines` show of the table."""
    if sees_all(caller):
        return Sight(sees_all=True)
    regions = {region for theirs in owned(AwsAccount, caller).values_list("regions", flat=True) for region in theirs}
    return Sight(caller.organization.pk if caller.organization else None, frozenset(regions))


def from_feed(body: Mapping[str, Any]) -> Line:
    """A run as the feed tells it, as a line of the log."""
    times = {name: body[name] and datetime.fromisoformat(body[name]) for name in ("started_at", "ended_at")}
    columns = {name: body[name] for name in ("id", "component", "task", "is_success", "detail")}
    return Line(ComponentRun(**columns, **times), body["subject"], body["detail"])


def beside() -> Beside:
    """Each part is asked itself, with little patience."""
    queues, workers = _queue()
    return Beside(database_answers(), cache_answers(patience=PATIENCE), queues, workers)


def sizes() -> list[TableSize]:
    """The largest tables, partitions counted with their parent. For staff: it tells how much others have."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZES, [MOST_TABLES])
        return [TableSize(*row) for row in cursor.fetchall()]


def _tasks(*kinds: Subject) -> list[str]:
    return [task for task, kind in SUBJECTS.items() if kind in kinds]


def _id_in(run: ComponentRun) -> int | None:
    word = run.subject.rpartition(" ")[2]
    return int(word) if word.isdigit() else None


def _names(model: type[AwsAccount] | type[Instance], caller: Caller, runs: Iterable[ComponentRun]) -> dict[int, str]:
    ids = {pk for pk in map(_id_in, runs) if pk is not None}
    rows: QuerySet[Any] = model._default_manager.all() if sees_all(caller) else owned(model, caller)
    return {row.pk: row.name or str(row) for row in rows.filter(pk__in=ids)} if ids else {}


def _line(run: ComponentRun, accounts: dict[int, str], instances: dict[int, str], *, tells_all: bool) -> Line:
    kind, pk = subject_kind(run.task), _id_in(run)
    named = {Subject.ACCOUNT: accounts, Subject.ZONES: accounts, Subject.INSTANCE: instances}.get(kind, {})
    name = named.get(pk) if pk is not None else None
    subject = run.subject
    if name:
        subject = f"{run.subject.split()[0]} of {name}" if kind is Subject.ZONES else name
    return Line(run, subject, run.detail if tells_all or name else "")


def _queue() -> tuple[tuple[tuple[str, int], ...] | None, int | None]:
    """How many jobs wait in each queue, and how many workers answer."""
    try:
        with current_app.connection_for_read() as queue:  # of its own: a pool would remember a queue that is back
            queue.ensure_connection(max_retries=1, timeout=PATIENCE)
            client = queue.default_channel.client
            waiting = tuple((each.name, int(client.llen(each.name))) for each in current_app.conf.task_queues)
            answers = current_app.control.inspect(timeout=PATIENCE, connection=queue).ping() or {}
    except (QueueDown, redis.RedisError, OSError):
        return None, None
    return waiting, len(answers)
