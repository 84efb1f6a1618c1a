"""Which periodic work keeps scores current? The entry points of Celery, nothing else."""

from __future__ import annotations

from celery import shared_task
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from instances.locks import advisory_lock
from mlregistry import scoring


@shared_task(ignore_result=True, expires=55)
def score_fresh_regions() -> None:
    """Score each region of which something new was fetched since its scores, or whose model is another now."""
    for region in scoring.regions_due(now=timezone.now()):
        score_region.delay(region)


@shared_task(
    ignore_result=True,
    expires=10 * 60,
    autoretry_for=(OperationalError, InterfaceError),
    retry_backoff=2,
    max_retries=3,
)
def score_region(region: str) -> None:
    """One region, unless another worker is at it or has done it meanwhile."""
    with advisory_lock(f"score {region}") as is_ours:
        now = timezone.now()
        if is_ours and region in scoring.regions_due(now=now):
            scoring.score_region(region, now=now)
