"""Which jobs ran, how long, and how did they end?"""

from __future__ import annotations

from django.db import models


class ComponentRun(models.Model):
    """One run of a job by Celery or by hand."""

    component = models.CharField(max_length=40)  # "price scraper"
    task = models.CharField(max_length=120)
    subject = models.CharField(max_length=160, blank=True)  # a region, an account
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    is_success = models.BooleanField(null=True)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at"]
        indexes = [
            # the figures of a day are read from the index alone
            models.Index(
                fields=["component", "-started_at"], include=["ended_at", "is_success"], name="component_runs"
            ),
            models.Index(fields=["-started_at", "-id"], name="runs_newest_first"),
        ]
