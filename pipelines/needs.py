"""What needs somebody: what is not finished, what failed, what is old; each with the page on which it is put right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts import sealing
from accounts.authentication import Caller
from accounts.domain import Role
from accounts.models import ApiKey, AwsAccount, Invitation
from accounts.ownership import owned
from instances.market import quotes
from instances.models import FetchSource, InventorySync, SyncState
from instances.models.syncs import LOST_AFTER
from pipelines.models import PipelineRun, RunState
from pipelines.overview import OLDEST_INVENTORY, OLDEST_LIST, OLDEST_SPOT

FAILED_WITHIN = timedelta(days=1)
SEALED_WITHIN = timedelta(minutes=5)  # beat seals every few seconds
KEY_ENDS_WITHIN = timedelta(days=14)
OLDEST_RATING = timedelta(hours=26)
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Need:
    """`count` of something; `since` the oldest of them, where that says more."""

    kind: str
    count: int
    says: str
    does: str  # what to do, as a link's words
    href: str
    is_urgent: bool
    since: datetime | None = None


def needs(caller: Caller, *, now: datetime) -> list[Need]:
    """What the caller can do something about, the urgent first; at most seven questions."""
    accounts = list(owned(AwsAccount, caller).filter(is_active=True).only("name", "regions", "is_valid", "synced_at"))
    found = [
        *_accounts(accounts, now),
        *_syncs(caller, now),
        *_runs(caller, now),
        *_market(accounts, now),
        *_audit(caller, now),
        *_people(caller, now),
    ]
    return sorted(found, key=lambda need: not need.is_urgent)


def _accounts(accounts: list[AwsAccount], now: datetime) -> list[Need]:
    listed = reverse("accounts:accounts")
    invalid = [each.name for each in accounts if not each.is_valid]
    valid = [each for each in accounts if each.is_valid]
    unread = [each.name for each in valid if each.synced_at is None]
    old = [each for each in valid if each.synced_at is not None and now - each.synced_at > OLDEST_INVENTORY]
    found = []
    if invalid:
        says = f"{_named(invalid)}: the role is not validated, so nothing is read"
        found.append(
            Need("accounts_not_valid", len(invalid), says, "Finish the set-up", f"{listed}?state=unfinished", True)
        )
    if unread:
        says = f"{_named(unread)}: no whole inventory was ever read"
        found.append(Need("accounts_unread", len(unread), says, "Read it", listed, True))
    if old:
        says = f"{_named([each.name for each in old])}: the inventory is old; it is read every 15 minutes"
        oldest = min(each.synced_at for each in old if each.synced_at)
        href = f"{listed}?sort=inventory"
        found.append(Need("inventory_old", len(old), says, "See which", href, False, oldest))
    return found


def _syncs(caller: Caller, now: datetime) -> list[Need]:
    """Those that ended badly, or that nobody is at any more, and that no whole inventory came after."""
    at = Coalesce("ended_at", "started_at", "requested_at")
    is_lost = Q(state__in=[SyncState.QUEUED, SyncState.RUNNING], at__lt=now - LOST_AFTER)
    rows = owned(InventorySync, caller).annotate(at=at).filter(account__is_active=True)
    rows = rows.filter(Q(state=SyncState.FAILED) | is_lost)
    rows = rows.filter(Q(account__synced_at=None) | Q(account__synced_at__lt=F("at")))
    told = rows.aggregate(n=Count("account", distinct=True), last=Max("at"), account=Max("account"))
    if not told["n"]:
        return []
    one = reverse("instances:inventory", args=[told["account"]])
    href = one if told["n"] == 1 else reverse("accounts:accounts")
    says = f"{_count(told['n'], 'inventory')} that somebody asked for ended badly"
    return [Need("syncs_failed", told["n"], says, "See why", href, True, told["last"])]


def _runs(caller: Caller, now: datetime) -> list[Need]:
    """Instances whose evaluation failed in the last day, and that none went well for since."""
    later = PipelineRun.objects.filter(
        instance=OuterRef("instance"), created_at__gt=OuterRef("created_at"), state=RunState.DONE.value
    )
    failed = owned(PipelineRun, caller).filter(state=RunState.FAILED.value, created_at__gt=now - FAILED_WITHIN)
    rows = failed.filter(~Exists(later), instance__vanished_at=None, instance__isnull=False).order_by()
    told = rows.aggregate(n=Count("instance", distinct=True), last=Max("created_at"), instance=Max("instance"))
    if not told["n"]:
        return []
    one = reverse("pipelines:instance", args=[told["instance"]])
    href = one if told["n"] == 1 else f"{reverse('governance:system')}?component=linear-pipeline&ended=badly#log"
    says = f"The last evaluation of {_count(told['n'], 'instance')} failed"
    return [Need("runs_failed", told["n"], says, "See why", href, True, told["last"])]


def _market(accounts: list[AwsAccount], now: datetime) -> list[Need]:
    """What is old of the market in the regions that the organization uses."""
    regions = sorted({region for account in accounts for region in account.regions})
    if not regions:
        return []
    limits = {FetchSource.SPOT: OLDEST_SPOT, FetchSource.ON_DEMAND: OLDEST_LIST}
    through = quotes.through([*limits, FetchSource.ADVISOR], regions)
    wanted = [(source, region, limit) for source, limit in limits.items() for region in regions]
    wanted.append((FetchSource.ADVISOR, "", OLDEST_RATING))
    ages = {(source, region): through.get((source.value, region)) for source, region, _ in wanted}
    old = [
        (source, region) for source, region, limit in wanted if (at := ages[source, region]) is None or now - at > limit
    ]
    if not old:
        return []
    names = {FetchSource.SPOT: "Spot prices of", FetchSource.ON_DEMAND: "On-Demand prices of"}
    told = [f"{names[source]} {region}" if region else "the Spot Advisor" for source, region in old]
    known = [at for place in old if (at := ages[place]) is not None]
    says = f"Old or never fetched: {_named(told)}; decisions that rest on it say “stay”"
    href = f"{reverse('governance:system')}?component=price-scraper#log"
    return [Need("market_old", len(old), says, "See the jobs", href, True, min(known, default=None))]


def _audit(caller: Caller, now: datetime) -> list[Need]:
    if caller.organization is None:
        return []
    count, oldest = sealing.overdue(caller.organization.pk, before=now - SEALED_WITHIN)
    if not count:
        return []
    says = f"{_count(count, 'audit entry')} without a seal; the sealer runs every few seconds, so it does not run"
    return [Need("audit_unsealed", count, says, "Check the log", reverse("governance:audit"), True, oldest)]


def _people(caller: Caller, now: datetime) -> list[Need]:
    """For those who may: invitations that nobody has accepted yet, and keys that soon open nothing."""
    found = []
    if caller.role is Role.OWNER:
        waiting = (
            owned(Invitation.objects.open(at=now), caller).order_by().aggregate(n=Count("pk"), end=Min("expires_at"))
        )
        if waiting["n"]:
            says = f"{_count(waiting['n'], 'invitation')} not accepted yet, the first ends {waiting['end']:%Y-%m-%d}"
            href = f"{reverse('accounts:people')}#open"
            found.append(Need("invitations_open", waiting["n"], says, "See them", href, False))
    if caller.role is not None and caller.role.includes(Role.ADMIN):
        ending = owned(ApiKey, caller).filter(revoked_at=None, expires_at__gt=now, expires_at__lt=now + KEY_ENDS_WITHIN)
        told = ending.order_by().aggregate(n=Count("pk"), end=Min("expires_at"))
        if told["n"]:
            says = f"{_count(told['n'], 'API key')} about to expire, the first {told['end']:%Y-%m-%d}"
            href = f"{reverse('accounts:keys')}?state=works&sort=expires"
            found.append(Need("keys_ending", told["n"], says, "Make another", href, False))
    return found


def _named(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("ry") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
