"""What did two models decide on the same instances, what would each have saved there, and which one was right?

The tables answer with sums, whatever the number of instances; only the decisions that differ are read one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Avg, Case, Count, F, FloatField, Max, Q, QuerySet, StdDev, Value, When
from django.db.models.functions import Cast

from accounts.authentication import Caller
from accounts.ownership import owned
from mlregistry.domain.accuracy import Accuracy, Bin
from mlregistry.models import ModelVersion, Outcome
from mlregistry.track_record import judged_beside, predictions_of
from pipelines.domain.agreement import Agreement, Mean, agreement, mean_of
from pipelines.domain.decision import Choice
from pipelines.models import ExperimentLog, ShadowDecision

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
class Observed:
    """What became of all that a model predicted for this caller, wherever it was: an outcome belongs to one pool."""

    interrupted: Agreement  # of the predictions whose outcome says yes or no: how often it was yes
    predicted: float | None  # what was said of the same ones, on average
    censored: int  # ended otherwise before their horizon did: in no other figure
    calibration: tuple[Bin, ...]  # of the newest mlregistry.track_record.MOST_JUDGED


@dataclass(frozen=True, slots=True)
class Beside:
    """The very same decision, made by the one and asked of the other in shadow: instance, minute and prices agree."""

    agreement: Agreement
    gain: Mean  # what b saves more than a on one decision, on average


@dataclass(frozen=True, slots=True)
class Side:
    """One model. `decisions` and `last_at` are of all it made, the other figures of the shared instances."""

    model: ModelVersion
    decisions: int
    last_at: datetime | None  # None: it never decided anything here
    switches: int
    probability: Mean
    saves: Mean  # dollars a month, of all the shared instances together
    observed: Observed


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
    beside: Beside

    @property
    def differing(self) -> int:
        return self.agreement.judged - self.agreement.agreed

    @property
    def labelled(self) -> int:
        return self.a.observed.interrupted.judged + self.b.observed.interrupted.judged


def compare(caller: Caller, a: ModelVersion, b: ModelVersion) -> Comparison:
    """The latest decision of each model on every instance that both have judged, and the outcomes; six queries."""
    experiments = owned(ExperimentLog, caller)
    judged, agreed, a_switches, b_switches, *rest, pairs = _asked(experiments, a, b)
    means = [mean_of(*rest[place : place + 3]) for place in range(0, len(rest), 3)]
    saved = [mean.times(mean.n) for mean in means[2:]]
    made = experiments.filter(model__in=[a, b]).order_by().values("model_id")
    told = {
        row["model_id"]: (row["n"], row["last_at"]) for row in made.annotate(n=Count("pk"), last_at=Max("decided_at"))
    }
    seen_a, seen_b = _observed(caller, a, b)
    return Comparison(
        a=Side(a, *told.get(a.pk, NEVER), a_switches, means[0], saved[0], seen_a),
        b=Side(b, *told.get(b.pk, NEVER), b_switches, means[1], saved[1], seen_b),
        agreement=agreement(agreed, judged),
        gain=saved[2],
        differences=_differences(experiments, pairs),
        beside=_beside(owned(ShadowDecision, caller), a, b),
    )


def _beside(shadows: QuerySet[ShadowDecision], a: ModelVersion, b: ModelVersion) -> Beside:
    """Whichever of the two decided, and whichever was asked beside."""
    b_beside = Q(model=b, experiment__model=a)
    asked, made = _saves(), _saves("experiment__")
    gain = Case(When(b_beside, then=asked - made), default=made - asked)
    rows = shadows.filter(b_beside | Q(model=a, experiment__model=b)).order_by().annotate(more=gain)
    found = rows.aggregate(
        judged=Count("pk"),
        agreed=Count("pk", Q(decision=F("experiment__decision"))),
        n=Count("more"),
        mean=Avg("more"),
        deviation=StdDev("more", sample=True),
    )
    return Beside(agreement(found["agreed"], found["judged"]), mean_of(found["n"], found["mean"], found["deviation"]))


def _saves(of: str = "") -> Case:
    """Staying saves nothing; a switch whose savings are unknown saves nobody knows what."""
    saves = Cast(f"{of}expected_savings_usd_per_month", FloatField())
    return Case(When(**{f"{of}decision": Choice.SWITCH.value}, then=saves), default=Value(0.0))


def _observed(caller: Caller, a: ModelVersion, b: ModelVersion) -> list[Observed]:
    """Two queries, the second where an outcome is known."""
    rows = predictions_of(a, caller) | predictions_of(b, caller)
    known = Q(outcome__in=(Outcome.INTERRUPTED, Outcome.SURVIVED), probability__isnull=False)
    counted = (
        rows.filter(outcome__isnull=False)
        .order_by()
        .values("model_id")
        .annotate(
            labelled=Count("pk", known),
            interrupted=Count("pk", known & Q(outcome=Outcome.INTERRUPTED)),
            censored=Count("pk", Q(outcome=Outcome.CENSORED)),
            predicted=Avg("probability", filter=known),
        )
    )
    told = {row["model_id"]: row for row in counted}
    figures = judged_beside(a, b, caller) if told else (None, None)
    return [_seen(told.get(version.pk), right) for version, right in zip((a, b), figures, strict=True)]


def _seen(row: Mapping[str, Any] | None, right: Accuracy | None) -> Observed:
    if row is None or right is None:
        return Observed(agreement(0, 0), None, 0, ())
    share = agreement(row["interrupted"], row["labelled"])
    return Observed(share, row["predicted"], row["censored"], right.calibration)


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
