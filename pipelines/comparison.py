"""What did two models decide on the same instances?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from mlregistry.models import ModelVersion
from pipelines.domain.agreement import Agreement, agreement
from pipelines.domain.decision import Choice
from pipelines.models import ExperimentLog


@dataclass(frozen=True, slots=True)
class Side:
    """One model's decisions on the shared instances. A mean or a sum of nothing is None."""

    model: ModelVersion
    decisions: int  # all it made, shared or not
    switches: int
    mean_interruption_probability: float | None
    savings_usd_per_month: Decimal | None  # of its SWITCH decisions


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
    differences: tuple[Difference, ...]


def compare(experiments: QuerySet[ExperimentLog], a: ModelVersion, b: ModelVersion) -> Comparison:
    """The latest decision of each model on every instance that both have judged."""
    by_model = {model.pk: _latest(experiments, model) for model in (a, b)}
    shared = sorted(by_model[a.pk].keys() & by_model[b.pk].keys())
    pairs = [(by_model[a.pk][key], by_model[b.pk][key]) for key in shared]
    differences = tuple(Difference(x, y) for x, y in pairs if x.decision != y.decision)
    return Comparison(
        a=_side(a, experiments, [x for x, _ in pairs]),
        b=_side(b, experiments, [y for _, y in pairs]),
        agreement=agreement((x.decision, y.decision) for x, y in pairs),
        differences=differences,
    )


def _latest(experiments: QuerySet[ExperimentLog], model: ModelVersion) -> dict[int, ExperimentLog]:
    rows = experiments.filter(model=model, instance__isnull=False).select_related("instance")
    rows = rows.defer("receipt", "instance__tags", "instance__facts")
    latest = rows.order_by("instance_id", "-decided_at").distinct("instance_id")
    return {row.instance_id: row for row in latest if row.instance_id is not None}


def _side(model: ModelVersion, experiments: QuerySet[ExperimentLog], rows: Iterable[ExperimentLog]) -> Side:
    judged = list(rows)
    switches = [row for row in judged if row.decision == Choice.SWITCH]
    known = [row.interruption_probability for row in judged if row.interruption_probability is not None]
    savings = [s for row in switches if (s := row.expected_savings_usd_per_month) is not None]
    return Side(
        model=model,
        decisions=experiments.filter(model=model).count(),
        switches=len(switches),
        mean_interruption_probability=sum(known) / len(known) if known else None,
        savings_usd_per_month=sum(savings, Decimal(0)) if savings else None,
    )
