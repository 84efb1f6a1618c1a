"""Which place does an account's zone name mean?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from accounts.aws.read.shapes import Zone
from accounts.models import AwsAccount
from instances.models import ZoneName


def zone_id(account: AwsAccount | None, name: str) -> str | None:
    """`use1-az4` of the account's `us-east-1a` (None: the installation's own account); None when not known."""
    return ZoneName.objects.filter(account=account, name=name).values_list("zone_id", flat=True).first()


def zone_name(account: AwsAccount | None, zone_id: str) -> str | None:
    """What the account calls a zone; None when not known."""
    return ZoneName.objects.filter(account=account, zone_id=zone_id).values_list("name", flat=True).first()


def zone_ids(account: AwsAccount | None, region: str) -> dict[str, str]:
    """Zone id by the account's name for it, for a whole region."""
    return dict(ZoneName.objects.filter(account=account, region=region).values_list("name", "zone_id"))


def zone_names(account: AwsAccount | None, region: str) -> dict[str, str]:
    """The account's name by zone id, for a whole region."""
    return {zone_id: name for name, zone_id in zone_ids(account, region).items()}


def store(account: AwsAccount | None, region: str, zones: Iterable[Zone], *, now: datetime) -> int:
    """Replace the account's map of a region; how many names are new or mean another place than before."""
    with transaction.atomic():
        before = zone_ids(account, region)
        ZoneName.objects.filter(account=account, region=region).delete()
        rows = ZoneName.objects.bulk_create(
            ZoneName(account=account, region=region, name=zone.name, zone_id=zone.zone_id, fetched_at=now)
            for zone in zones
        )
    return sum(before.get(row.name) != row.zone_id for row in rows)
