"""Mirror what runs in the accounts now, with what each calls its zones."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import AwsAccount
from instances import inventory
from instances.inventory import InventoryResult
from instances.market import ingest


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", help="the 12 digits of one account; else every active, validated one")

    def handle(self, *args: Any, account: str | None = None, **options: Any) -> None:
        rows = AwsAccount.objects.filter(is_active=True, is_valid=True)
        rows = rows.filter(account_id=account) if account else rows
        if account and not rows:
            raise CommandError(f"{account} is no active account that let us in.")
        now = timezone.now()
        failed = 0
        for row in rows:
            for region in row.regions:
                ingest.fetch_zones(row, region, now)
            result = inventory.sync(row, now=now)
            self._tell(row, result)
            failed += not result.is_whole
        if failed:
            raise CommandError(f"{failed} of {len(rows)} accounts were not mirrored whole.")

    def _tell(self, account: AwsAccount, result: InventoryResult) -> None:
        if result.is_running_elsewhere:
            self.stdout.write(f"{account}: another process mirrors it now")
        for region in result.regions:
            told = f"{region.instances} instances, {region.groups} groups, {region.vanished} vanished"
            unknown = f"; not permitted: {', '.join(region.denied)}" if region.denied else ""
            self.stdout.write(f"{account} {region.region}: {region.error or told}{unknown}")
