"""What happened, as open pages and programs hear of it: kept for a while, so that whoever was away can catch up."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models.people import Organization


class FeedItem(models.Model):
    """One thing that happened. Its `number` counts within its organization, 1, 2, 3 …, and is given after the commit.

    `organization` empty: the platform's own. Why the id is no order to read in: docs/decisions/0022-the-feed.md.
    """

    organization = models.ForeignKey(
        Organization, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    number = models.BigIntegerField(null=True)  # None: nobody has looked since it was written
    kind = models.CharField(max_length=16)  # accounts.feed.Kind
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    body = models.JSONField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "number"],
                condition=Q(number__isnull=False),
                nulls_distinct=False,
                name="feed_number_once",
            ),
        ]
        indexes = [models.Index(fields=["organization", "id"], condition=Q(number=None), name="feed_unnumbered")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number or '(not numbered yet)'} of {self.organization_id or 'the platform'}"


class FeedHead(models.Model):
    """The last number that was given in an organization; whoever gives the next holds this row."""

    organization = models.ForeignKey(
        Organization, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    last = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["organization"], nulls_distinct=False, name="one_feed_head"),
        ]

    def __str__(self) -> str:
        return f"{self.last} of {self.organization_id or 'the platform'}"
