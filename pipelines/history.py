"""What is kept of each day, so that savings can be drawn over a month?"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from accounts.models import Organization
from instances.models import Instance
from pipelines import overview
from pipelines.models import ExperimentLog, SavingsDaily


def keep(organization: Organization, *, now: datetime) -> SavingsDaily | None:
    """Write today's row of the organization, over an earlier one; None while nothing was decided there."""
    savings = overview.savings_of(ExperimentLog.objects.filter(organization=organization), now=now)
    if savings.usd_per_month is None:
        return None
    total = overview.fleet_of(Instance.objects.filter(account__organization=organization), now=now).total
    row, _ = SavingsDaily.objects.update_or_create(
        organization=organization,
        day=now.date(),
        defaults={
            "noted_at": now,
            "instances": total.instances,
            "unpriced": total.unpriced,
            "usd_per_month": total.usd_per_month or Decimal(0),
            "switches": savings.switches,
            "savings_usd_per_month": savings.usd_per_month,
        },
    )
    return row


def keep_all(*, now: datetime) -> int:
    """The row of each organization; how many were written."""
    return sum(keep(each, now=now) is not None for each in Organization.objects.order_by("pk").iterator())
