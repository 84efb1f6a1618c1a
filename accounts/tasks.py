"""Which work on the audit log and on old keys of requests is done by workers?"""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts import feed, idempotency, sealing


@shared_task(ignore_result=True, expires=30)
def seal_audit() -> None:
    sealing.seal()


@shared_task(ignore_result=True, expires=50 * 60)
def seal_late_audit() -> None:
    """What committed so late that the frequent turn no longer looks for it."""
    sealing.seal(whole=True)


@shared_task(ignore_result=True, expires=50 * 60)
def forget_idempotency_keys() -> None:
    idempotency.forget(now=timezone.now())


@shared_task(ignore_result=True, expires=50 * 60)
def trim_feed() -> None:
    """What nobody may catch up with any more."""
    feed.trim(now=timezone.now())
