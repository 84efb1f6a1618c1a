"""An inventory now, because somebody asks: from the press, through its regions, to its end."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from accounts import audit, reach
from accounts.authentication import Caller
from accounts.models import AwsAccount
from instances import inventory
from instances.inventory import RegionResult
from instances.market import ingest
from instances.models import InventorySync, SyncState

logger = logging.getLogger(__name__)

OPEN = (SyncState.QUEUED, SyncState.RUNNING)
LOST = "Nobody worked on it to its end: no worker took it, or the one that did is gone. Ask again."


class NotReady(Exception):
    """The account cannot be read as it is; `state` says what stands in the way."""

    def __init__(self, why: str, state: str) -> None:
        super().__init__(why)
        self.state = state


def request(account: AwsAccount, *, by: Caller, now: datetime) -> InventorySync:
    """A queued inventory for `carry_out`, or the one that is open already. Raises NotReady.

    One that nobody can be at any more is ended first.
    """
    with transaction.atomic():
        row = AwsAccount.objects.select_for_update().get(pk=account.pk)  # two presses take their turn
        if not row.is_active:
            raise NotReady("The account is out of use.", "inactive")
        if not row.is_valid:
            raise NotReady("The account's role is not valid: validate it first.", "not_valid")
        opened = InventorySync.objects.filter(account=row, state__in=OPEN).first()
        if opened and not opened.is_lost(at=now):
            return opened
        if opened:
            _end(opened, SyncState.FAILED, LOST)
        sync = InventorySync.objects.create(account=row, requested_by=by.user, requested_at=now)
        audit.record(by, "inventory.requested", row, organization=row.organization, after={"sync": sync.pk})
    return sync


def carry_out(sync: InventorySync, *, now: datetime) -> bool:
    """Mirror the account, region by region, and write down how far it is and how it ended.

    False when another process mirrors the account now: it stays open, try again. What has ended is left as it is.
    A lost database connection goes through, for the job to be repeated; any other error ends the row and goes through.
    """
    if not InventorySync.objects.filter(pk=sync.pk, state__in=OPEN).update(state=SyncState.RUNNING, started_at=now):
        return True
    sync.refresh_from_db()
    sync.regions = []
    account = sync.account
    try:
        for region in account.regions:
            ingest.fetch_zones(account, region, now)
        result = inventory.sync(account, now=now, told=lambda region: _note(sync, region))
    except (OperationalError, InterfaceError):
        raise
    except Exception as wrong:  # whatever broke, the row says so: a page waits for it
        logger.exception("inventory failed", extra={"account": account.pk})
        _end(sync, SyncState.FAILED, f"{type(wrong).__name__}: {wrong}")
        raise
    if result.is_running_elsewhere:
        return False
    _end(sync, SyncState.DONE if result.is_whole else SyncState.FAILED, result.errors)
    return True


def _note(sync: InventorySync, region: RegionResult) -> None:
    sync.regions = [*sync.regions, asdict(region)]
    sync.save(update_fields=["regions"])


def _end(sync: InventorySync, state: SyncState, error: str) -> None:
    sync.state, sync.error, sync.ended_at = state.value, error, timezone.now()
    with transaction.atomic():
        has_ended = InventorySync.objects.filter(pk=sync.pk, state__in=OPEN).update(
            state=sync.state, error=sync.error, ended_at=sync.ended_at
        )
        if has_ended and sync.requested_by:
            is_good = state is SyncState.DONE
            text = f"The inventory of {sync.account.name} {'is done' if is_good else 'failed'}."
            address = f"/accounts/{sync.account_id}/"
            reach.toast(sync.requested_by, sync.account.organization_id, text, address=address, is_good=is_good)
