"""What is an organization's policy, and which pools may nobody launch into?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import models
from django.db.models import F, Q

from accounts.models import AwsAccount, Organization, User


class OptimizationPolicy(models.Model):
    """The limits an organization sets, for all of it or for one account; what is not named keeps its default.

    Instances carry their own overrides (`Instance.policy_overrides`).
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="policies")
    account = models.ForeignKey(AwsAccount, null=True, blank=True, on_delete=models.CASCADE, related_name="policies")
    overrides = models.JSONField(default=dict)  # checked by governance.domain.policy
    version = models.PositiveIntegerField(default=1)  # whoever changes it says which one was looked at
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        verbose_name_plural = "optimization policies"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "account"], name="one_policy_per_account", nulls_distinct=False
            ),
        ]


class QuarantineQuerySet(models.QuerySet["Quarantine"]):
    def active(self, *, at: datetime) -> QuarantineQuerySet:
        return self.filter(expires_at__gt=at)

    def covering(self, places: Collection[tuple[str, str]]) -> QuarantineQuerySet:
        """Those of the given (instance type, zone id) pairs: products share capacity."""
        types = {t for t, _ in places}
        zones = {z for _, z in places}
        return self.filter(instance_type__in=types, zone_id__in=zones)


class Quarantine(models.Model):
    """A pool that no pipeline may launch into until `expires_at`. Products share capacity, so none is named."""

    instance_type = models.CharField(max_length=32)
    zone_id = models.CharField(max_length=24)
    began_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        ordering = ["-expires_at"]
        constraints = [
            models.UniqueConstraint(fields=["instance_type", "zone_id"], name="quarantine_once"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("began_at")), name="quarantine_has_length"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_type} in {self.zone_id} until {self.expires_at:%Y-%m-%d %H:%M}"
