"""Which requests were sent with a key of their own, and what was answered?"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from accounts.models.people import ApiKey, Organization, User


class IdempotencyKey(models.Model):
    """One POST and its first answer, for a day. Written before the deed: without an end, nobody knows how it ended.

    It belongs to an organization; to the key itself where that is the platform's, to the person who belongs nowhere.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, null=True, on_delete=models.CASCADE, related_name="+")
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of who asked, the address and the body
    began_at = models.DateTimeField()
    lease_until = models.DateTimeField()  # past it without an answer, whoever worked on it is gone
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    status = models.SmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(null=True)  # empty for an answer that is not kept: it holds a secret, or is too long

    class Meta:
        ordering = ["-began_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "api_key", "person", "key"], name="idempotency_key_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(organization__isnull=False, api_key=None, person=None)
                | Q(organization=None, api_key__isnull=False, person=None)
                | Q(organization=None, api_key=None, person__isnull=False),
                name="idempotency_key_has_one_owner",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, status=None) | Q(ended_at__isnull=False, status__isnull=False),
                name="idempotency_key_ends_with_a_status",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="idempotency_keys_by_end")]

    def __str__(self) -> str:
        return f"{self.key} of {self.organization or self.api_key or self.person}"
