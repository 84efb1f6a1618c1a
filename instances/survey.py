"""What does an account say of one region: its instances, and all that decides whether they may move?

Reads only, and no database: regions are surveyed side by side. The instances and groups must come whole, or the survey
fails; what else a role may not ask is left unknown and named in `denied`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from accounts.aws.client import AwsSession
from accounts.aws.errors import Denied, Gone, Throttled
from accounts.aws.read import autoscaling, ec2
from accounts.aws.read.autoscaling import Group, Member
from accounts.aws.read.instances import InstanceFacts
from accounts.aws.read.shapes import Image, NetworkAcl, ReservedInstances, RouteTable, Subnet, Volume
from instances.domain.pool import family_of
from instances.domain.sighting import cluster_of

T = TypeVar("T")
PROTECTION_LASTS = timedelta(hours=6)  # then it is asked again; before acting it is looked at anyway
MOST_ASKED = 40  # instances in one survey: two calls for each, and the limiter grants two a second


@dataclass(frozen=True, slots=True)
class Protection:
    """What switched off termination or stopping; None = AWS did not say."""

    is_termination_protected: bool | None
    is_stop_protected: bool | None
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Survey:
    """All of it at one instant. None for a whole column = the role may not ask."""

    region: str
    instances: tuple[InstanceFacts, ...]
    groups: tuple[Group, ...]
    images: Mapping[str, Image] | None = None
    volumes: Mapping[str, Volume] | None = None
    subnets: tuple[Subnet, ...] | None = None
    route_tables: tuple[RouteTable, ...] | None = None
    network_acls: tuple[NetworkAcl, ...] | None = None
    placement_strategies: Mapping[str, str] | None = None
    reservations: tuple[ReservedInstances, ...] | None = None
    protections: Mapping[str, Protection] = field(default_factory=dict)
    denied: tuple[str, ...] = ()

    @property
    def members(self) -> dict[str, tuple[Group, Member]]:
        """Each grouped instance's group and standing in it."""
        return {member.instance_id: (group, member) for group in self.groups for member in group.members}


def survey(session: AwsSession, *, known: Mapping[str, Protection], now: datetime) -> Survey:
    """Survey the session's region; `known` protections that are fresh enough are not asked again.

    Raises the AwsError of what could not be read whole, but for Denied where something can be left unknown.
    """
    instances = tuple(ec2.instances(session))
    groups = tuple(autoscaling.groups(session))
    living = [each for each in instances if each.state != "terminated"]
    vpcs = {each.vpc_id for each in living if each.vpc_id}
    denied: list[str] = []

    def asked(what: str, read: Callable[[], Iterable[T]], needed: Iterable[object] = (True,)) -> tuple[T, ...] | None:
        """All that `read` gives; nothing when nothing is `needed`, None when the role may not."""
        try:
            return tuple(read()) if any(needed) else ()
        except Denied:
            denied.append(what)
            return None

    image_ids = {each.image_id for each in living if each.image_id}
    volume_ids = {device.volume_id for each in living for device in each.block_devices}
    placed = [each for each in living if each.placement_group]
    strategies = asked("placement groups", lambda: ec2.placement_groups(session).items(), placed)
    return Survey(
        region=session.region,
        instances=instances,
        groups=groups,
        images=_by_id(asked("images", lambda: ec2.images(session, image_ids), image_ids)),
        volumes=_by_id(asked("volumes", lambda: ec2.volumes(session, volume_ids), volume_ids)),
        subnets=asked("subnets", lambda: ec2.subnets(session, vpcs), vpcs),
        route_tables=asked("route tables", lambda: ec2.route_tables(session, vpcs), vpcs),
        network_acls=asked("network ACLs", lambda: ec2.network_acls(session, vpcs), vpcs),
        placement_strategies=None if strategies is None else dict(strategies),
        reservations=asked("reserved instances", lambda: ec2.reserved_instances(session), living),
        protections=_protections(session, _may_move(living, groups), known, denied, now=now),
        denied=tuple(denied),
    )


def _by_id(rows: tuple[Any, ...] | None) -> dict[str, Any] | None:
    return None if rows is None else {row.id: row for row in rows}


def _may_move(living: Sequence[InstanceFacts], groups: Sequence[Group]) -> list[str]:
    """The instances for which protection decides: the others are refused, or left alone, for another reason."""
    grouped = {member.instance_id for group in groups for member in group.members}
    return [
        each.id
        for each in living
        if each.state == "running"
        and not each.is_spot
        and not each.is_operator_managed
        and each.id not in grouped
        and not cluster_of(each.tags)
    ]


def _protections(
    session: AwsSession,
    instance_ids: Sequence[str],
    known: Mapping[str, Protection],
    denied: list[str],
    *,
    now: datetime,
) -> dict[str, Protection]:
    """What is known of each instance; a few are asked anew, those never asked first, then the longest ago."""
    found = {instance_id: known[instance_id] for instance_id in instance_ids if instance_id in known}
    due = [each for each in instance_ids if each not in found or now - found[each].asked_at > PROTECTION_LASTS]
    due.sort(key=lambda each: (each in found, found[each].asked_at if each in found else now))
    for instance_id in due[:MOST_ASKED]:
        try:
            found[instance_id] = Protection(
                ec2.termination_protection(session, instance_id), ec2.stop_protection(session, instance_id), now
            )
        except Gone:
            continue
        except Throttled:
            break  # the rest is asked by the next survey
        except Denied:
            denied.append("protection")
            break
    return found


# --- Facts of one instance ----------------------------------------------------------------------------------------
def facts_of(instance: InstanceFacts, seen: Survey) -> dict[str, Any]:
    """What an `Instance` row keeps as `facts`: every field of InstanceFacts, and beside them, None = not known:

    `image`: its Image. `volumes`: its Volumes. `subnets`: those of its VPC, each with `route_table_id` and
    `network_acl_id`. `is_route_target`. `placement_strategy`. `is_termination_protected`, `is_stop_protected`, and
    `protection_asked_at`. `is_scale_in_protected`: False outside groups. `lifecycle_state`: in its group.
    `reservations`: active ones of its family, as text. `denied`: what the role may not ask. Times are ISO 8601.
    """
    protection = seen.protections.get(instance.id)
    _, member = seen.members.get(instance.id, (None, None))
    return plain(asdict(instance)) | {
        "image": _image(instance.image_id, seen.images),
        "volumes": _volumes(instance, seen),
        "subnets": _subnets(instance.vpc_id, seen),
        "is_route_target": _is_route_target(instance, seen.route_tables),
        "placement_strategy": (seen.placement_strategies or {}).get(instance.placement_group or ""),
        "is_termination_protected": protection.is_termination_protected if protection else None,
        "is_stop_protected": protection.is_stop_protected if protection else None,
        "protection_asked_at": protection.asked_at.isoformat() if protection else None,
        "is_scale_in_protected": member.is_protected_from_scale_in if member else False,
        "lifecycle_state": member.lifecycle_state if member else None,
        "reservations": _reservations(instance, seen.reservations),
        "denied": list(seen.denied),
    }


def plain(value: Any) -> Any:
    """The same as JSON has it: ISO times, lists for tuples and sets."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(plain(each) for each in value)
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _image(image_id: str | None, images: Mapping[str, Image] | None) -> dict[str, Any] | None:
    image = (images or {}).get(image_id or "")
    return plain(asdict(image)) if image else None


def _volumes(instance: InstanceFacts, seen: Survey) -> list[dict[str, Any]] | None:
    if seen.volumes is None:
        return None
    attached = (seen.volumes.get(device.volume_id) for device in instance.block_devices)
    return [plain(asdict(volume)) for volume in attached if volume is not None]


def _subnets(vpc_id: str | None, seen: Survey) -> list[dict[str, Any]] | None:
    if seen.subnets is None or vpc_id is None:
        return None
    return [
        asdict(subnet)
        | {
            "route_table_id": _route_table(subnet, seen.route_tables),
            "network_acl_id": next((acl.id for acl in seen.network_acls or () if subnet.id in acl.subnet_ids), None),
        }
        for subnet in seen.subnets
        if subnet.vpc_id == vpc_id
    ]


def _route_table(subnet: Subnet, tables: Sequence[RouteTable] | None) -> str | None:
    """The table that names the subnet, else the main one of its VPC."""
    ours = [table for table in tables or () if table.vpc_id == subnet.vpc_id]
    named = [table for table in ours if subnet.id in table.subnet_ids]
    return next((table.id for table in (*named, *ours) if table in named or table.is_main), None)


def _is_route_target(instance: InstanceFacts, tables: Sequence[RouteTable] | None) -> bool | None:
    if tables is None:
        return None
    interfaces = {interface.id for interface in instance.interfaces}
    return any(instance.id in table.target_instance_ids or interfaces & table.target_interface_ids for table in tables)


def _reservations(instance: InstanceFacts, active: Sequence[ReservedInstances] | None) -> list[str] | None:
    """Those of the same family: within it a regional reservation covers any size."""
    if active is None:
        return None
    return [
        f"{each.id}: {each.count} × {each.instance_type}"
        for each in active
        if family_of(each.instance_type) == family_of(instance.instance_type) and each.zone in {None, instance.zone}
    ]
