"""Into which pools may nobody launch, and who closed or opened them?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction

from accounts import audit
from accounts.authentication import Caller
from governance.domain.policy import Policy
from governance.domain.quarantine import Cause, end, length
from governance.models import Quarantine
from instances.domain.pool import INSTANCE_TYPE, ZONE_ID
from instances.models import Pool

Place = tuple[str, str]  # instance type, zone id


def is_pool_poisoned(instance_type: str, zone_id: str, now: datetime) -> bool:
    """Whether the pool is quarantined at `now`, whatever the product: products share capacity."""
    return (instance_type, zone_id) in poisoned([(instance_type, zone_id)], now)


def poisoned(pools: Iterable[Place], now: datetime) -> dict[Place, Quarantine]:
    """Those of the pools that are quarantined at `now`, in one query."""
    wanted = set(pools)
    rows = Quarantine.objects.active(at=now).covering(wanted)
    found = {(row.instance_type, row.zone_id): row for row in rows}
    return {place: found[place] for place in wanted & found.keys()}


def hold_pool(instance_type: str, zone_id: str) -> bool:
    """Keep the pool from being quarantined until the transaction ends; False when no such pool is known.

    Launches share the lock (FOR SHARE), and `quarantine` takes it alone: whichever comes second waits and then sees.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM instances_pool WHERE instance_type = %s AND zone_id = %s ORDER BY id FOR SHARE",
            [instance_type, zone_id],
        )
        return cursor.fetchone() is not None


def check_place(instance_type: str, zone_id: str) -> None:
    """Raises ValueError for what is no instance type or zone id."""
    if not INSTANCE_TYPE.match(instance_type) or not ZONE_ID.match(zone_id):
        raise ValueError(f"{instance_type!r} in {zone_id!r} is no pool such as m5.large in use1-az1")


def quarantine(
    instance_type: str,
    zone_id: str,
    *,
    cause: Cause,
    event_at: datetime,
    policy: Policy,
    by: Caller | str,
    reason: str,
) -> Quarantine:
    """Close a pool for the length its cause asks for; one that is closed already is extended, never shortened.

    Raises ValueError for what is no instance type or zone id.
    """
    check_place(instance_type, zone_id)
    lasting = length(cause, policy)
    opened = {"began_at": event_at, "expires_at": event_at + lasting, "reason": reason}
    with transaction.atomic():
        _close_to_launches(instance_type, zone_id)
        # made first, then locked: of two events at once the second waits here and extends what the first wrote
        Quarantine.objects.get_or_create(
            instance_type=instance_type,
            zone_id=zone_id,
            defaults=opened,
        )
        row = Quarantine.objects.select_for_update().get(instance_type=instance_type, zone_id=zone_id)
        before = row.expires_at
        row.expires_at = end(event_at, lasting, existing=before)
        row.began_at = min(row.began_at, event_at)
        row.reason = reason
        row.save(update_fields=["expires_at", "began_at", "reason"])
        audit.record(
            by, "pool.quarantined", row, before={"until": before}, after={"until": row.expires_at}, reason=reason
        )
    return row


def _close_to_launches(instance_type: str, zone_id: str) -> None:
    """Wait for the launches that are being reserved, and let none begin until this is committed."""
    pools = Pool.objects.filter(instance_type=instance_type, zone_id=zone_id)
    list(pools.select_for_update().order_by("pk").values_list("pk", flat=True))


def release(row: Quarantine, *, by: Caller | str, now: datetime, reason: str) -> None:
    """Open a pool before its time; nothing happens to one that is open."""
    with transaction.atomic():
        held = Quarantine.objects.select_for_update().filter(pk=row.pk).active(at=now).first()
        if held is None:
            return
        audit.record(by, "pool.released", held, before={"until": held.expires_at}, after=None, reason=reason)
        held.delete()
