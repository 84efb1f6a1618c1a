"""Who did what, on what, and why? Rows are only ever inserted."""

from __future__ import annotations

from django.db import models

from accounts.models.people import ApiKey, Organization, User


class AuditEntry(models.Model):
    """One deed of a person, a key or a job. The application's database role may insert and read, nothing else."""

    organization = models.ForeignKey(Organization, null=True, blank=True, on_delete=models.DO_NOTHING)
    at = models.DateTimeField(auto_now_add=True)
    person = models.ForeignKey(User, null=True, blank=True, on_delete=models.DO_NOTHING)
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.DO_NOTHING)
    actor = models.CharField(max_length=160)  # as it was called then: a name outlives its row
    deed = models.CharField(max_length=80)  # "account.validated", "instance.evaluated"
    subject = models.CharField(max_length=160)  # "aws-account/12", "instance/i-0abc"
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organization", "-id"], name="audit_by_organization"),
            models.Index(fields=["organization", "subject", "-id"], name="audit_by_subject"),  # a row's history
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor}: {self.deed} {self.subject}"


class AuditSeal(models.Model):
    """A link of an organization's chain: the HMAC of an entry over the seal before it. Only ever added, as entries are.

    The platform's own entries make a chain too: organization empty.
    """

    organization = models.ForeignKey(Organization, null=True, on_delete=models.DO_NOTHING)
    sequence = models.BigIntegerField()  # 1, 2, 3 … without a gap
    entry = models.OneToOneField(AuditEntry, on_delete=models.DO_NOTHING, related_name="sealed")
    seal = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "sequence"], name="one_seal_per_place", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"seal {self.sequence} of {self.organization or 'the platform'}"
