"""What was expected of a pool, by which model, from data how old?"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Organization
from instances.models import Pool
from mlregistry.domain.facts import as_row
from mlregistry.domain.packing import Numbers, unpacked
from mlregistry.models.registry import ModelVersion


class PoolScore(models.Model):
    """The current expectation of a pool: one row, upserted after each ingest. None = unknown, with the reason."""

    pool = models.OneToOneField(Pool, primary_key=True, on_delete=models.CASCADE, related_name="score")
    model = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL)  # None: the baseline without a model
    scored_at = models.DateTimeField()
    interruption_probability = models.FloatField(null=True)
    probability_low = models.FloatField(null=True)
    probability_high = models.FloatField(null=True)
    horizon_seconds = models.IntegerField(null=True)
    evidence = models.CharField(max_length=8)  # trace | advisor | none
    safety_score = models.FloatField(null=True)
    spot_usd_micro = models.IntegerField(null=True)
    on_demand_usd_micro = models.BigIntegerField(null=True)
    prices_as_of = models.DateTimeField(null=True)  # end of the last whole fetch of the region
    price_changed_at = models.DateTimeField(null=True)
    advisor_as_of = models.DateTimeField(null=True)
    on_demand_as_of = models.DateTimeField(null=True)
    unknown = ArrayField(models.CharField(max_length=120), default=list)  # which data is missing
    statistics = models.CharField(max_length=64)  # the digest of those that its features are scaled by
    layout = models.IntegerField()  # that of `numbers`
    numbers = models.BinaryField()  # mlregistry.domain.packing: what the score was made from and of

    # No index but the key: a row is rewritten every few minutes, and stays in its page while no indexed value changes.

    @property
    def inputs(self) -> dict[str, Any]:
        """With the statistics, all that the score needs (mlregistry.domain.facts). Reads the pool. OtherLayout."""
        return as_row(self.pool, self.statistics, self._unpacked.facts)

    @property
    def features(self) -> Sequence[float | None]:
        """In the order of FEATURES; None = unknown. Raises OtherLayout."""
        return self._unpacked.features

    @property
    def components(self) -> dict[str, Any]:
        """Of the safety score: advisor, stability, structural, learned; each value, weight, share. OtherLayout."""
        return self._unpacked.components

    @cached_property
    def _unpacked(self) -> Numbers:
        return unpacked(self.numbers, self.layout)


class RegionScoring(models.Model):
    """The last whole scoring of a region and product: one row tells a request whether what it holds is current."""

    region = models.CharField(max_length=24)
    product = models.CharField(max_length=32)
    model = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL)
    scored_at = models.DateTimeField()
    pools = models.IntegerField()
    unknown = models.IntegerField()  # without a probability or a safety score
    layout = models.IntegerField()  # of the scores' numbers
    took_seconds = models.FloatField()  # to read and compute, before writing
    horizon_seconds = models.IntegerField()
    prices_as_of = models.DateTimeField(null=True)  # the oldest of the region's pools
    advisor_as_of = models.DateTimeField(null=True)
    on_demand_as_of = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["region", "product"], name="region_scoring_once")]


class Outcome(StrEnum):
    """What became of a launch within the horizon."""

    INTERRUPTED = "interrupted"
    SURVIVED = "survived"
    CENSORED = "censored"  # it ended otherwise before the horizon did: neither right nor wrong


class Prediction(models.Model):
    """A prediction that a decision or an API call used; its outcome comes later."""

    organization = models.ForeignKey(Organization, null=True, blank=True, on_delete=models.CASCADE)
    pool = models.ForeignKey(Pool, null=True, on_delete=models.SET_NULL)
    model = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL)
    prediction_type = models.CharField(max_length=24)
    inputs = models.JSONField()
    output = models.JSONField()
    probability = models.FloatField(null=True)
    confidence = models.FloatField(null=True)
    evidence = models.CharField(max_length=8)
    latency_ms = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)
    horizon_seconds = models.IntegerField(null=True)
    is_shadow = models.BooleanField(default=False)  # asked beside the model that was decided by; nothing followed it
    outcome = models.CharField(
        max_length=12, null=True, blank=True, choices={o.value: o.value for o in Outcome}
    )  # None: not known, or not yet

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organization", "-id"], name="prediction_by_organization"),
            models.Index(fields=["model", "-created_at"], name="prediction_by_model"),
            models.Index(fields=["organization", "model", "-created_at"], name="prediction_by_user"),
            models.Index(fields=["model", "-id"], condition=Q(outcome__isnull=False), name="prediction_with_outcome"),
        ]
