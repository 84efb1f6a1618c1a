"""What do the gates need to know? Rows and the inventory's facts → values; never a cloud call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Q

from governance import risk_manager
from governance.domain.policy import Policy
from instances.domain.pool import Product
from instances.domain.spec import InstanceSpec
from instances.market import quotes
from instances.market.quotes import OnDemandQuote
from instances.models import Instance, InstanceType, Pool
from mlregistry.domain.packing import LAYOUT
from mlregistry.loading import LoadedModel
from mlregistry.second_opinion import opinions
from pipelines.domain.candidates import Screened, screen, type_shortfalls
from pipelines.domain.proposal import Candidate, Facts, Fleet
from pipelines.domain.target import Disk, Subnet, Target

OPERATING_SYSTEM = {Product.LINUX: "Linux", Product.RHEL: "RHEL", Product.SUSE: "SUSE", Product.WINDOWS: "Windows"}

_SCORED = (
    "id",
    "instance_type",
    "zone_id",
    "score__spot_usd_micro",
    "score__interruption_probability",
    "score__evidence",
    "score__safety_score",
    "score__prices_as_of",
    "score__advisor_as_of",
    "score__scored_at",
    "score__unknown",
    "score__model_id",
    "score__layout",
)


@dataclass(frozen=True, slots=True)
class Screening:
    """The candidates of a target, with the pool id of each, out of `considered` pools."""

    screened: Screened
    pool_ids: Mapping[str, int]
    considered: int


def specs_of(instance: Instance) -> dict[str, InstanceSpec]:
    """The hardware of the instance's own type and of every type its region has pools of; one query."""
    offered = Pool.objects.filter(region=instance.region, product=instance.product).values("instance_type")
    wanted = InstanceType.objects.filter(Q(name=instance.instance_type) | Q(name__in=offered))
    return {row.name: row.spec for row in wanted}


def target_of(instance: Instance, specs: Mapping[str, InstanceSpec]) -> Target:
    """The instance as inventory stored it. A fact that is not stored is not known."""
    facts: Mapping[str, Any] = instance.facts
    interfaces = facts.get("interfaces")
    return Target(
        instance_id=instance.instance_id,
        instance_type=instance.instance_type,
        region=instance.region,
        zone_id=instance.zone_id,
        product=instance.product,
        architecture=facts.get("architecture") or "",
        state="gone" if instance.vanished_at else instance.state,
        is_spot=instance.is_spot,
        seen_at=instance.seen_at,
        tags=dict(instance.tags),
        group_name=instance.group.name if instance.group else "",
        cluster_name=instance.cluster_name,
        operator=_operator(facts),
        root_device_type=facts.get("root_device_type"),
        root_device=facts.get("root_device_name"),
        disks=_disks(facts),
        has_local_disk_in_use=_local_disk(specs.get(instance.instance_type)),
        vpc_id=facts.get("vpc_id") or "",
        subnet_id=facts.get("subnet_id") or "",
        subnets=_subnets(facts),
        n_interfaces=None if interfaces is None else len(interfaces),
        n_private_ips=None if interfaces is None else sum(len(each.get("private_ips", ())) for each in interfaces),
        has_efa=None if interfaces is None else any((each.get("type") or "").startswith("efa") for each in interfaces),
        is_source_dest_check=facts.get("is_source_dest_check"),
        is_route_target=facts.get("is_route_target"),
        is_termination_protected=facts.get("is_termination_protected"),
        is_stop_protected=facts.get("is_stop_protected"),
        is_scale_in_protected=facts.get("is_scale_in_protected"),
        is_hibernation_configured=facts.get("is_hibernation_configured"),
        tenancy=facts.get("tenancy"),
        host_id=facts.get("host_id") or "",
        placement_group=facts.get("placement_group") or "",
        placement_strategy=facts.get("placement_strategy"),
        outpost_arn=facts.get("outpost_arn") or "",
        is_capacity_reservation_targeted=facts.get("is_capacity_reservation_targeted"),
        capacity_block_id=facts.get("capacity_block_id") or "",
        is_enclave=facts.get("is_enclave"),
        license_arns=tuple(facts.get("license_arns") or ()),
        product_codes=tuple(facts.get("product_codes") or ()),
        platform_details=facts.get("platform_details"),
        usage_operation=facts.get("usage_operation"),
        reservations=None if facts.get("reservations") is None else tuple(facts["reservations"]),
        stateless_said_by=instance.stateless_said_by,
        stateless_said_at=instance.stateless_said_at,
        health_check=f":{instance.health_port}{instance.health_path}" if instance.health_port else "",
        last_switched_at=instance.last_switched_at,
    )


def _operator(facts: Mapping[str, Any]) -> str:
    """The AWS service that manages or launched it; empty = none. A managed one may not name its manager."""
    if facts.get("is_operator_managed"):
        return str(facts.get("operator") or "an AWS service")
    return str(facts.get("requester_id") or "")


def _disks(facts: Mapping[str, Any]) -> tuple[Disk, ...]:
    shared = {volume["id"]: volume.get("is_multi_attach") for volume in facts.get("volumes") or ()}
    return tuple(
        Disk(each["volume_id"], each["device"], each.get("delete_on_termination"), shared.get(each["volume_id"]))
        for each in facts.get("block_devices") or ()
    )


def _local_disk(spec: InstanceSpec | None) -> bool | None:
    """DescribeInstances does not list instance store, so a type that has it counts as using it."""
    return None if spec is None else spec.local_disk_gb > 0


def _subnets(facts: Mapping[str, Any]) -> tuple[Subnet, ...]:
    """Those whose zone is known by its id."""
    return tuple(
        Subnet(
            subnet_id=each["id"],
            zone_id=each["zone_id"],
            free_addresses=each.get("free_addresses"),
            route_table_id=each.get("route_table_id"),
            network_acl_id=each.get("network_acl_id"),
            is_public_ip_mapped=each.get("is_public_ip_mapped"),
        )
        for each in facts.get("subnets") or ()
        if each.get("zone_id") and not each.get("outpost_arn")
    )


def facts_of(instance: Instance, target: Target, policy: Policy, *, now: datetime) -> Facts:
    """What holds for every candidate; two queries."""
    quote = on_demand_of(target, now=now)
    return Facts(
        now=now,
        target=target,
        policy=policy,
        fleet=fleet_of(instance),
        is_shadow_instance=instance.is_shadow_mode,
        on_demand_usd_micro=quote.usd_micro if quote else None,
        on_demand_as_of=quote.fetched_at if quote else None,
        ignore_tags=tuple(settings.IGNORE_TAGS),
    )


def on_demand_of(target: Target, *, now: datetime) -> OnDemandQuote | None:
    """What the target costs On-Demand; None where the platform or the price is not known."""
    if target.product not in set(Product):
        return None
    system = OPERATING_SYSTEM[Product(target.product)]
    return quotes.on_demand(target.region, operating_system=system, at=now).get(target.instance_type)


def fleet_of(instance: Instance) -> Fleet:
    """What runs in the instance's account and region, in one query."""
    members = Instance.objects.filter(
        account_id=instance.account_id, region=instance.region, state="running", vanished_at=None
    )
    counted = members.values("zone_id", "instance_type", "is_spot").order_by().annotate(n=Count("pk"))
    by_zone: dict[str, int] = {}
    by_pool: dict[str, int] = {}
    n_on_demand = 0
    for row in counted:
        by_zone[row["zone_id"]] = by_zone.get(row["zone_id"], 0) + row["n"]
        if row["is_spot"]:
            pool = f"{row['instance_type']} in {row['zone_id']}"
            by_pool[pool] = by_pool.get(pool, 0) + row["n"]
        else:
            n_on_demand += row["n"]
    return Fleet(
        name=f"account {instance.account.account_id} in {instance.region}",
        size=sum(by_zone.values()),
        n_on_demand=n_on_demand,
        members_by_zone=dict(sorted(by_zone.items())),
        spot_members_by_pool=dict(sorted(by_pool.items())),
    )


def screening_of(
    target: Target, specs: Mapping[str, InstanceSpec], *, model: LoadedModel, now: datetime, is_asked_now: bool = False
) -> Screening:
    """Every pool of the target's region and product, screened; three queries, and scores of fitting types alone.

    Only scores of `model` count, so that all candidates are judged alike. The stored ones are the active model's;
    with `is_asked_now` the model is asked about the rest, which takes two queries more.
    """
    offered = Pool.objects.filter(region=target.region, product=target.product)
    counted = dict(offered.values_list("instance_type").annotate(n=Count("pk")).order_by("instance_type"))
    reasons = type_shortfalls(target, specs, counted)
    wanted = [instance_type for instance_type, reason in reasons.items() if not reason]
    fitting = list(offered.filter(instance_type__in=wanted).values(*_SCORED))
    if is_asked_now:
        _ask_now(fitting, model)
    closed = risk_manager.poisoned({(row["instance_type"], row["zone_id"]) for row in fitting}, now)
    pools, missing = [], {}
    for row in fitting:
        quarantined = closed.get((row["instance_type"], row["zone_id"]))
        pool = Candidate(
            instance_type=row["instance_type"],
            zone_id=row["zone_id"],
            product=target.product,
            subnet_id="",
            spot_usd_micro=row["score__spot_usd_micro"],
            interruption_probability=row["score__interruption_probability"],
            evidence=row["score__evidence"] or "none",
            safety_score=row["score__safety_score"],
            prices_as_of=row["score__prices_as_of"],
            advisor_as_of=row["score__advisor_as_of"],
            scored_at=row["score__scored_at"],
            quarantined_until=quarantined.expires_at if quarantined else None,
            quarantine_reason=quarantined.reason if quarantined else "",
        )
        pools.append(pool)
        missing[pool.pool] = _missing(row, model.id)
    screened = screen(target, pools, reasons_by_type=reasons, missing=missing)
    ids = {f"{row['instance_type']} in {row['zone_id']}": row["id"] for row in fitting}
    return Screening(screened, ids, sum(counted.values()))


def _ask_now(rows: Sequence[dict[str, Any]], model: LoadedModel) -> None:
    """Put the model's own figures in place of those that another one stored."""
    others = [row for row in rows if row["score__scored_at"] is not None and row["score__model_id"] != model.id]
    found = opinions(model, [row["id"] for row in others])
    for row in others:
        if (opinion := found.get(row["id"])) is not None:
            row |= {
                "score__interruption_probability": opinion.interruption_probability,
                "score__evidence": opinion.evidence,
                "score__safety_score": opinion.safety_score,
                "score__unknown": opinion.unknown,
                "score__model_id": model.id,
            }


def _missing(row: Mapping[str, Any], model_id: int | None) -> Sequence[str]:
    if row["score__scored_at"] is None:
        return ["not scored yet"]
    if row["score__model_id"] != model_id:
        return ["scored by another model than the active one"]
    if row["score__layout"] != LAYOUT:
        return ["scored by another release of ours"]
    return list(row["score__unknown"])


def sources_of(facts: Facts, candidates: Iterable[Candidate]) -> list[dict[str, Any]]:
    """Where the figures come from and how old each is; of several pools the oldest."""
    pools = list(candidates)
    region = facts.target.region
    dated: list[tuple[str, str, list[datetime | None]]] = [
        ("the instance", "inventory (DescribeInstances)", [facts.target.seen_at]),
        ("On-Demand price", f"Price List, {region}", [facts.on_demand_as_of]),
        ("Spot prices", f"DescribeSpotPriceHistory, {region}", [each.prices_as_of for each in pools]),
        ("Spot Advisor rating", "the Spot Advisor's public file", [each.advisor_as_of for each in pools]),
        ("scores", "mlregistry", [each.scored_at for each in pools]),
    ]
    return [_dated(what, source, times, facts.now) for what, source, times in dated]


def _dated(what: str, source: str, times: Sequence[datetime | None], now: datetime) -> dict[str, Any]:
    known = [at for at in times if at is not None]
    oldest = min(known) if known and len(known) == len(times) else None
    hours = None if oldest is None else (now - oldest).total_seconds() / 3600
    return {"what": what, "source": source, "as_of": None if oldest is None else oldest.isoformat(), "age_hours": hours}
