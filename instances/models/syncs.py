"""Which inventories did people ask for, and how far is each?"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from accounts.models import AwsAccount, User

# longer than a job may wait for a worker (14 minutes) or work (10): after it nobody is at it any more
LOST_AFTER = timedelta(minutes=15)


class SyncState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class InventorySync(models.Model):
    """An inventory that somebody asked for, from the press to its end. Those by timetable leave no such row."""

    account = models.ForeignKey(AwsAccount, on_delete=models.CASCADE, related_name="syncs")
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)  # None: a key
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=8, choices=SyncState.choices, default=SyncState.QUEUED.value)
    regions = models.JSONField(default=list)  # each RegionResult so far, as instances.syncing wrote it
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            # two people pressing at once join one
            models.UniqueConstraint(
                fields=["account"], condition=Q(state__in=["queued", "running"]), name="one_open_sync_per_account"
            ),
        ]

    def __str__(self) -> str:
        return f"inventory of {self.account_id} at {self.requested_at:%Y-%m-%d %H:%M}: {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in (SyncState.QUEUED, SyncState.RUNNING)

    def is_lost(self, *, at: datetime) -> bool:
        """Open, and nobody can be at it any more: its worker died, or there was none."""
        return self.is_open and at - (self.started_at or self.requested_at) >= LOST_AFTER
