"""Whose cloud is it, and how do we get in?"""

from __future__ import annotations

import secrets

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.domain import Environment
from accounts.models.people import Organization


def new_external_id() -> str:
    """Made here, never chosen by a person: a guessable one would let another tenant in (safety.md 5, S2)."""
    return "spotopt-" + secrets.token_urlsafe(24)


class AwsAccount(models.Model):
    """An AWS account an organization has given us a role in."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="aws_accounts")
    account_id = models.CharField(
        max_length=12, validators=[RegexValidator(r"^\d{12}$", "An account id has 12 digits.")]
    )
    name = models.CharField(max_length=120)
    environment = models.CharField(
        max_length=4, choices={e.value: e.value for e in Environment}, default=Environment.LAB.value
    )
    read_role_arn = models.CharField(
        max_length=200,
        blank=True,
        validators=[RegexValidator(r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,120}$", "This is no role ARN.")],
    )
    act_role_arn = models.CharField(max_length=200, blank=True)
    external_id = models.CharField(max_length=64, unique=True, default=new_external_id, editable=False)
    regions = ArrayField(models.CharField(max_length=24), default=list)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    validated_at = models.DateTimeField(null=True, blank=True, editable=False)
    validation = models.JSONField(default=dict, blank=True, editable=False)  # as accounts.onboarding wrote it
    is_valid = models.BooleanField(default=False, editable=False)
    synced_at = models.DateTimeField(null=True, blank=True, editable=False)  # the last whole inventory

    class Meta:
        ordering = ["name"]
        verbose_name = "AWS account"
        constraints = [
            models.UniqueConstraint(fields=["organization", "account_id"], name="account_once_per_organization"),
            models.CheckConstraint(condition=Q(account_id__regex=r"^\d{12}$"), name="account_id_has_12_digits"),
            models.CheckConstraint(
                condition=Q(environment__in=[e.value for e in Environment]), name="account_environment_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.account_id}, {self.environment})"
