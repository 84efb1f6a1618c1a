"""What did two models decide on the same instances, and what would each have saved there?

The tables answer with sums, whatever the number of instances; only the decisions that differ are read one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max, QuerySet

from mlregistry.models import ModelVersion
from pipelines.domain.agreement import Agreement, Mean, agreement, mean_of
from pipelines.models import ExperimentLog

MOST_DIFFERENCES = 50
NEVER: tuple[int, datetime | None] = (0, None)  # how many decisions, and when the last was

# The latest decision of each model on an instance. Staying saves nothing, and is known to: only a switch whose
# savings are unknown is left out.
_QUESTION = """
    WITH a AS ({a}), b AS ({b}), both_judged AS (
        SELECT a.id AS a_id, b.id AS b_id, a.decision AS a_decision, b.decision AS b_decision,
            a.interruption_probability AS a_probability, b.interruption_probability AS b_probability,
            CASE a.decision WHEN 'SWITCH' THEN a.expected_savings_usd_per_month ELSE 0 END::float8 AS a_saves,
            CASE b.decision WHEN 'SWITCH' THEN b.expected_savings_usd_per_month ELSE 0 END::float8 AS b_saves
        FROM a JOIN b USING (instance_id)
    )
    SELECT count(*), count(*) FILTER (WHERE a_decision = b_decision),
        count(*) FILTER (WHERE a_decision = 'SWITCH'), count(*) FILTER (WHERE b_decision = 'SWITCH'),
        count(a_probability), avg(a_probability), stddev_samp(a_probability),
        count(b_probability), avg(b_probability), stddev_samp(b_probability),
        count(a_saves), avg(a_saves), stddev_samp(a_saves),
        count(b_saves), avg(b_saves), stddev_samp(b_saves),
        count(b_saves - a_saves), avg(b_saves - a_saves), stddev_samp(b_saves - a_saves),
        ARRAY(SELECT ARRAY[a_id, b_id] FROM both_judged WHERE a_decision <> b_decision
            ORDER BY abs(coalesce(a_saves, 0) - coalesce(b_saves, 0)) DESC, a_id LIMIT {most})
    FROM both_judged
"""
_COLUMNS = ("id", "instance_id", "decision", "interruption_probability", "expected_savings_usd_per_month")


@dataclass(frozen=True, slots=True)
class Side:
    """One model. But for `decisions` and `last_at`, which are of all it made, figures are of the shared instances."""

    model: ModelVersion
    decisions: int
    last_at: datetime | None  # None: it never decided anything here
    switches: int
    probability: Mean
    saves: Mean  # dollars a month, of all the shared instances together


@dataclass(frozen=True, slots=True)
class Difference:
    """One instance, two decisions."""

    a: ExperimentLog
    b: ExperimentLog


@dataclass(frozen=True, slots=True)
class Comparison:
    a: Side
    b: Side
    agreement: Agreement
    gain: Mean  # what b saves more than a in all: of two decisions on the same instance, so it is surer than each alone
    differences: tuple[Difference, ...]  # at most MOST_DIFFERENCES, those that cost most first

    @property
    def differing(self) -> int:
        return self.agreement.judged - self.agreement.agreed


def compare(experiments: QuerySet[ExperimentLog], a: ModelVersion, b: ModelVersion) -> Comparison:
    """The latest decision of each model on every instance that both have judged; three queries."""
    judged, agreed, a_switches, b_switches, *rest, pairs = _asked(experiments, a, b)
    means = [mean_of(*rest[place : place + 3]) for place in range(0, len(rest), 3)]
    saved = [mean.times(mean.n) for mean in means[2:]]
    made = experiments.filter(model__in=[a, b]).order_by().values("model_id")
    told = {
        row["model_id"]: (row["n"], row["last_at"]) for row in made.annotate(n=Count("pk"), last_at=Max("decided_at"))
    }
    return Comparison(
        a=Side(a, *told.get(a.pk, NEVER), a_switches, means[0], saved[0]),
        b=Side(b, *told.get(b.pk, NEVER), b_switches, means[1], saved[1]),
        agreement=agreement(agreed, judged),
        gain=saved[2],
        differences=_differences(experiments, pairs),
    )


def _differences(experiments: QuerySet[ExperimentLog], pairs: Sequence[tuple[UUID, UUID]]) -> tuple[Difference, ...]:
    unread = ("receipt", "instance__tags", "instance__facts")
    rows = experiments.select_related("instance").defer(*unread).in_bulk([pk for pair in pairs for pk in pair])
    return tuple(Difference(rows[first], rows[second]) for first, second in pairs)


def _asked(experiments: QuerySet[ExperimentLog], a: ModelVersion, b: ModelVersion) -> tuple[Any, ...]:
    (a_sql, a_values), (b_sql, b_values) = (_latest(experiments, model) for model in (a, b))
    with connection.cursor() as cursor:
        cursor.execute(_QUESTION.format(a=a_sql, b=b_sql, most=MOST_DIFFERENCES), [*a_values, *b_values])
        (row,) = cursor.fetchall()
        return tuple(row)


def _latest(experiments: QuerySet[ExperimentLog], model: ModelVersion) -> tuple[str, tuple[Any, ...]]:
    """As SQL: of the rows that `experiments` holds, and of no others."""
    rows = experiments.filter(model=model, instance__isnull=False).values(*_COLUMNS)
    return rows.order_by("instance_id", "-decided_at").distinct("instance_id").query.sql_with_params()
