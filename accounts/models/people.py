"""Who may look: organizations, people, their roles, and the keys of programs."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.domain import Role, Scope


class Organization(models.Model):
    """The tenant. `id` is the API's `customer_id`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person. Our own model from the first migration, so that it can grow."""

    email = models.EmailField("e-mail address", unique=True)


class Membership(models.Model):
    """A person's role in an organization."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices={r.value: r.name.title() for r in Role}, default=Role.VIEWER.value)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["organization__name"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="one_role_per_person_and_organization"),
            models.CheckConstraint(condition=Q(role__in=[r.value for r in Role]), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}: {self.role}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, *, at: datetime) -> ApiKeyQuerySet:
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=at))


class ApiKey(models.Model):
    """A program's credential: bound to one organization, or to the platform itself (organization empty).

    Only the SHA-256 of the secret is kept; 256 random bits need no slow hash.
    """

    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=16, choices={s.value: s.name.title() for s in Scope}))
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_platform(self) -> bool:
        return self.organization_id is None
