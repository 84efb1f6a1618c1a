"""Which market and inventory jobs do workers run? Each may be repeated, and delivered twice; when: timetable.py."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from accounts import tracing
from accounts.models import AwsAccount
from instances import inventory, syncing
from instances.market import ingest, orders, publishing, retention
from instances.market.attempts import is_whole
from instances.models import FetchOrder, FetchOutcome, InventorySync, MarketFetch, SyncState

# PostgreSQL restarts: a job of ours may always be repeated, so it is (stack.md: 20 of 20 ended well so, 0 without).
REPEATED: dict[str, Any] = {
    "autoretry_for": (OperationalError, InterfaceError),
    "retry_backoff": 2,
    "retry_backoff_max": 60,
    "max_retries": 5,
    "ignore_result": True,
}
MINUTE = 60  # seconds; a job that waited until its next turn is not run


class EndedBadly(Exception):
    """A job did its work and the source, or the account, did not; the message says how it ended."""


@shared_task(expires=50 * MINUTE, **REPEATED)
def refresh_advisor() -> None:
    _must_be_whole(ingest.fetch_advisor(timezone.now()))
    for region in settings.MARKET_REGIONS:
        publishing.publish(region, now=timezone.now())


@shared_task(expires=9 * MINUTE, **REPEATED)
def refresh_all_spot() -> None:
    for region in settings.MARKET_REGIONS:
        refresh_spot.delay(region)


@shared_task(expires=9 * MINUTE, **REPEATED)
def refresh_spot(region: str) -> None:
    _must_be_whole(ingest.fetch_spot(region, timezone.now()))
    publishing.publish(region, now=timezone.now())


@shared_task(expires=12 * 60 * MINUTE, **REPEATED)
def refresh_all_on_demand() -> None:
    for region in settings.MARKET_REGIONS:
        refresh_on_demand.delay(region)


@shared_task(expires=12 * 60 * MINUTE, **REPEATED)
def refresh_on_demand(region: str) -> None:
    _must_be_whole(ingest.fetch_on_demand(region, timezone.now()))
    publishing.publish(region, now=timezone.now())


@shared_task(expires=50 * MINUTE, **REPEATED)
def carry_out_order(order_id: str) -> None:
    for fetch in orders.carry_out(FetchOrder.objects.get(pk=order_id)):
        if fetch.region:
            publishing.publish(fetch.region, now=timezone.now())
        _must_be_whole(fetch)


@shared_task(expires=12 * 60 * MINUTE, **REPEATED)
def keep_prices() -> None:
    retention.keep(timezone.now())


@shared_task(expires=12 * 60 * MINUTE, **REPEATED)
def refresh_catalogue() -> None:
    _must_be_whole(ingest.fetch_catalogue(timezone.now()))


@shared_task(expires=12 * 60 * MINUTE, **REPEATED)
def refresh_all_zones() -> None:
    for region in settings.MARKET_REGIONS:
        refresh_zones.delay(region)
    for account in _accounts():
        for region in account.regions:
            refresh_zones.delay(region, account.pk)


@shared_task(expires=12 * 60 * MINUTE, **REPEATED)
def refresh_zones(region: str, account_id: int | None = None) -> None:
    """The zone names of an account; without one, the installation's own."""
    account = _account(account_id) if account_id else None
    _must_be_whole(ingest.fetch_zones(account, region, timezone.now()))


@shared_task(expires=14 * MINUTE, **REPEATED)
def sync_all_accounts() -> None:
    for account in _accounts():
        sync_account.delay(account.pk)


@shared_task(expires=14 * MINUTE, **REPEATED)
def sync_account(account_id: int) -> None:
    result = inventory.sync(_account(account_id), now=timezone.now())
    if result.errors:
        raise EndedBadly(result.errors)


@shared_task(bind=True, expires=14 * MINUTE, **REPEATED)
def sync_as_asked(self: Task, sync_id: int) -> None:
    """An inventory that somebody waits for; while another process mirrors the account it takes its turn."""
    sync = InventorySync.objects.select_related("account").get(pk=sync_id)
    tracing.organization.set(str(sync.account.organization_id))
    if not syncing.carry_out(sync, now=timezone.now()):
        raise self.retry(countdown=MINUTE / 4, max_retries=40)
    if sync.state == SyncState.FAILED:
        raise EndedBadly(sync.error)


def _account(pk: int) -> AwsAccount:
    """From here on the job's log lines say for whom it works."""
    account = AwsAccount.objects.get(pk=pk)
    tracing.organization.set(str(account.organization_id))
    return account


def _accounts() -> list[AwsAccount]:
    """Those that let us in and want to be looked at."""
    return list(AwsAccount.objects.filter(is_active=True, is_valid=True))


def _must_be_whole(fetch: MarketFetch) -> None:
    """A fetch that another process is still at is no failure of ours."""
    if not is_whole(fetch) and fetch.outcome != FetchOutcome.RUNNING:
        raise EndedBadly(f"{fetch.source} {fetch.region} {fetch.outcome}: {fetch.detail}")
