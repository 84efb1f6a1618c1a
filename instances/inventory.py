"""What runs in an account? Its mirror in our tables, region by region; what vanished is marked, never removed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from accounts.aws.errors import AwsError
from accounts.aws.read.autoscaling import Group
from accounts.aws.read.instances import InstanceFacts
from accounts.aws.session import session_for
from accounts.models import AwsAccount
from instances.domain.sighting import cluster_of, product_of
from instances.locks import advisory_lock
from instances.market import zones
from instances.models import AutoScalingGroup, Instance, PipelineMode
from instances.survey import Protection, Survey, facts_of, plain, survey

logger = logging.getLogger(__name__)
BATCH = 1_000  # rows of one INSERT; facts are a few kilobytes each

# What a sync says of an instance. All other columns are what people said, and stay.
SEEN = (
    *("name", "region", "zone_name", "zone_id", "instance_type", "product", "state", "is_spot", "launched_at"),
    *("group", "cluster_name", "tags", "facts", "seen_at", "vanished_at"),
)
SEEN_OF_GROUP = ("desired", "minimum", "maximum", "facts", "seen_at", "vanished_at")


@dataclass(frozen=True, slots=True)
class RegionResult:
    """How a region's sync ended. `error` empty = whole; else nothing of the region was changed."""

    region: str
    instances: int = 0
    groups: int = 0
    vanished: int = 0
    denied: tuple[str, ...] = ()  # what the role may not ask, so that gates see it as unknown
    error: str = ""


@dataclass(frozen=True, slots=True)
class InventoryResult:
    """What a sync did. `is_running_elsewhere`: another process does it now, and nothing was done here."""

    regions: tuple[RegionResult, ...] = ()
    is_running_elsewhere: bool = False

    @property
    def is_whole(self) -> bool:
        return not self.is_running_elsewhere and not any(region.error for region in self.regions)

    @property
    def instances(self) -> int:
        return sum(region.instances for region in self.regions)

    @property
    def errors(self) -> str:
        return "; ".join(f"{region.region}: {region.error}" for region in self.regions if region.error)


Read = Callable[[AwsAccount, str, Mapping[str, Protection], datetime], Survey]
Told = Callable[[RegionResult], None]


def _survey(account: AwsAccount, region: str, known: Mapping[str, Protection], now: datetime) -> Survey:
    return survey(session_for(account, region, run="inventory"), known=known, now=now)


def sync(
    account: AwsAccount, *, now: datetime, read: Read = _survey, told: Told = lambda result: None
) -> InventoryResult:
    """Mirror the account's regions, read side by side. One region that fails does not lose the others.

    `told` hears how each region ended, as soon as it has.

    Repeatable. Instances that a whole survey did not show are marked as vanished; a survey that broke off marks
    nothing. What people said of an instance is kept.
    """
    with advisory_lock(f"inventory:{account.pk}") as is_ours:
        if not is_ours:
            return InventoryResult(is_running_elsewhere=True)
        known = {region: _known_protections(account, region) for region in account.regions}
        with ThreadPoolExecutor(settings.MARKET_FETCH_PARALLELISM, "inventory") as pool:
            surveys = [pool.submit(read, account, region, known[region], now) for region in account.regions]
        results = []
        for region, future in zip(account.regions, surveys, strict=True):
            try:
                results.append(_store(account, future.result(), now))
            except AwsError as error:
                logger.warning("inventory failed", extra={"account": account.pk, "region": region, "error": str(error)})
                results.append(RegionResult(region, error=f"{type(error).__name__}: {error}"))
            told(results[-1])
        result = InventoryResult(tuple(results))
        if result.is_whole:
            AwsAccount.objects.filter(pk=account.pk).update(synced_at=now)
            account.synced_at = now
    return result


def _known_protections(account: AwsAccount, region: str) -> dict[str, Protection]:
    rows = Instance.objects.filter(account=account, region=region, facts__protection_asked_at__isnull=False)
    return {
        instance_id: Protection(is_termination_protected, is_stop_protected, datetime.fromisoformat(asked_at))
        for instance_id, is_termination_protected, is_stop_protected, asked_at in rows.values_list(
            "instance_id",
            "facts__is_termination_protected",
            "facts__is_stop_protected",
            "facts__protection_asked_at",
        )
        if asked_at is not None
    }


def _store(account: AwsAccount, seen: Survey, now: datetime) -> RegionResult:
    living = [each for each in seen.instances if each.state != "terminated" and each.launched_at is not None]
    ended = [each.id for each in seen.instances if each.state == "terminated"]
    zone_ids = _zone_ids(account, seen)
    with transaction.atomic():
        groups = _store_groups(account, seen, now)
        members = seen.members
        rows = []
        for each in living:
            group = members[each.id][0] if each.id in members else None
            rows.append(_row(account, each, seen, groups.get(group.name) if group else None, zone_ids, now))
        Instance.objects.bulk_create(
            rows,
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["account", "instance_id"],
            update_fields=SEEN,
        )
        ours = Instance.objects.filter(account=account, region=seen.region)
        ours.filter(instance_id__in=ended).update(state="terminated", seen_at=now)
        vanished = ours.present().exclude(instance_id__in=[each.id for each in living]).update(vanished_at=now)
    return RegionResult(seen.region, len(rows), len(groups), vanished, seen.denied)


def _zone_ids(account: AwsAccount, seen: Survey) -> dict[str, str]:
    """The account's zone map, helped out by what its subnets say of themselves."""
    told = {subnet.zone: subnet.zone_id for subnet in seen.subnets or () if subnet.zone and subnet.zone_id}
    return told | zones.zone_ids(account, seen.region)


def _row(
    account: AwsAccount,
    instance: InstanceFacts,
    seen: Survey,
    group: AutoScalingGroup | None,
    zone_ids: Mapping[str, str],
    now: datetime,
) -> Instance:
    assert instance.launched_at is not None  # the caller leaves such out
    zone, cluster = instance.zone or "", cluster_of(instance.tags)
    return Instance(
        account=account,
        instance_id=instance.id,
        name=instance.tags.get("Name", "")[:255],
        region=seen.region,
        zone_name=zone,
        zone_id=instance.zone_id or zone_ids.get(zone, ""),
        instance_type=instance.instance_type,
        product=product_of(instance.platform_details, instance.usage_operation) or "",
        state=instance.state,
        is_spot=instance.is_spot,
        launched_at=instance.launched_at,
        group=group,
        cluster_name=cluster[:120],
        tags=dict(instance.tags),
        facts=facts_of(instance, seen),
        seen_at=now,
        vanished_at=None,
        pipeline_mode=_mode(group, cluster).value,  # only for a row that is new: it is not among SEEN
    )


def _mode(group: AutoScalingGroup | None, cluster: str) -> PipelineMode:
    """How an instance is replaced until people say otherwise. A node in a group must be drained: the cluster wins."""
    if cluster:
        return PipelineMode.KUBERNETES
    return PipelineMode.CLUSTER if group else PipelineMode.LINEAR


def _store_groups(account: AwsAccount, seen: Survey, now: datetime) -> dict[str, AutoScalingGroup]:
    rows = [_group_row(account, group, seen.region, now) for group in seen.groups]
    AutoScalingGroup.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["account", "region", "name"],
        update_fields=SEEN_OF_GROUP,
    )
    gone = AutoScalingGroup.objects.filter(account=account, region=seen.region, vanished_at=None)
    gone.exclude(name__in=[group.name for group in seen.groups]).update(vanished_at=now)
    return {row.name: row for row in rows}


def _group_row(account: AwsAccount, group: Group, region: str, now: datetime) -> AutoScalingGroup:
    return AutoScalingGroup(
        account=account,
        region=region,
        name=group.name,
        desired=group.desired,
        minimum=group.min_size,
        maximum=group.max_size,
        facts=plain(asdict(group)),
        seen_at=now,
        vanished_at=None,
    )
