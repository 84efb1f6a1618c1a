"""What is in the cloud at this moment, as plain values? Invariants are judged from this, not from what a caller saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from spotopt.local.images import CreatedImage
from spotopt.local.machines import SpotRequest
from spotopt.local.world import World

from moto.autoscaling.models import autoscaling_backends  # isort: skip
from moto.cloudwatch.models import cloudwatch_backends  # isort: skip
from moto.ec2.models import ec2_backends  # isort: skip
from moto.elb.models import elb_backends  # isort: skip
from moto.elbv2.models import elbv2_backends  # isort: skip


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    id: str
    account_id: str
    region: str
    zone: str
    instance_type: str
    state: str
    is_spot: bool
    is_up: bool  # its own pages answer
    group: str  # "" for one that no Auto Scaling group has
    image_id: str
    private_ip: str
    public_ip: str
    spot_status: str  # code of its Spot request
    is_protected: bool
    reboots: int
    tags: Mapping[str, str]

    @property
    def workload(self) -> str:
        """Machines of one name stand in for each other."""
        return self.tags.get("Name", self.id)


@dataclass(frozen=True, slots=True)
class GroupFacts:
    name: str
    account_id: str
    region: str
    minimum: int
    desired: int
    maximum: int
    suspended: tuple[str, ...]
    members: Mapping[str, str]  # instance → lifecycle state
    in_service: int  # InService, and the instance itself runs


@dataclass(frozen=True, slots=True)
class Census:
    at: datetime
    instances: Mapping[str, InstanceFacts]
    groups: Mapping[str, GroupFacts]
    images: Mapping[str, str]  # own images → state
    snapshots: Mapping[str, str]  # own snapshots → state
    volumes: Mapping[str, str]  # volume → instance, "" when unattached
    addresses: Mapping[str, str]  # public address → instance, "" when free
    registrations: Mapping[
        tuple[str, str], str
    ]  # (target group or Classic balancer, instance, with a port of its own) → health
    alarms: Mapping[str, str]  # alarm → instance that it names, "" for none
    open_spot_requests: frozenset[str]  # requests that AWS may still fill or holds active

    def serving(self) -> Counter[str]:
        """Workload → machines whose pages answer."""
        return Counter(one.workload for one in self.instances.values() if one.is_up)

    def tagged(self, key: str) -> dict[str, InstanceFacts]:
        """Instances that carry the tag and have not ended."""
        return {
            one.id: one
            for one in self.instances.values()
            if key in one.tags and one.state not in ("terminated", "shutting-down")
        }

    def parts(self) -> dict[str, Any]:
        """`kind/id` → facts, so that two moments can be compared."""
        found: dict[str, Any] = {f"instance/{one.id}": one for one in self.instances.values()}
        found |= {f"group/{name}": one for name, one in self.groups.items()}
        found |= {f"address/{key}": one for key, one in self.addresses.items()}
        kinds = ("images", "snapshots", "volumes", "registrations", "alarms")
        for kind in kinds:
            found |= {
                f"{kind.removesuffix('s')}/{'/'.join(_keyed(key))}": one for key, one in getattr(self, kind).items()
            }
        return found

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "at": self.at.isoformat(),
            "instances": [asdict(one) for one in self.instances.values()],
            "groups": [asdict(one) for one in self.groups.values()],
            "images": dict(self.images),
            "snapshots": dict(self.snapshots),
            "volumes": dict(self.volumes),
            "addresses": dict(self.addresses),
            "alarms": dict(self.alarms),
            "registrations": [[*key, health] for key, health in self.registrations.items()],
            "open_spot_requests": sorted(self.open_spot_requests),
        }


def _keyed(key: str | tuple[str, ...]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else key


def every(backends: Any) -> Iterator[Any]:
    """Each account's backend in each region, of those that exist."""
    for _, _, backend in backends.iter_backends():
        yield backend


def take() -> Census:
    groups = {one.name: one for one in _groups()}
    member_of = {member: one.name for one in groups.values() for member in one.members}
    backends = [backend for backend in every(ec2_backends) if backend.reservations or backend.addresses]
    return Census(
        at=World.clock.now(),
        instances={
            one.id: _instance(one, member_of.get(one.id, "")) for backend in backends for one in backend.all_instances()
        },
        groups=groups,
        images=dict(one for backend in backends for one in _own_images(backend)),
        snapshots=dict(one for backend in backends for one in _own_snapshots(backend)),
        volumes={
            one.id: one.attachment.instance.id if one.attachment else ""
            for backend in backends
            for one in backend.volumes.values()
        },
        addresses={
            one.public_ip: one.instance.id if one.instance else "" for backend in backends for one in backend.addresses
        },
        registrations=dict(_registrations()),
        alarms={
            alarm.name: _dimension(alarm) for backend in every(cloudwatch_backends) for alarm in backend.alarms.values()
        },
        open_spot_requests=frozenset(
            request_id
            for backend in backends
            for request_id, request in backend.spot_instance_requests.items()
            if request.state in ("open", "active")
        ),
    )


def _dimension(alarm: Any) -> str:
    return next((str(one.value) for one in alarm.dimensions if one.name == "InstanceId"), "")


def _own_images(backend: Any) -> Iterator[tuple[str, str]]:
    for image in backend.amis.values():
        if isinstance(image, CreatedImage):
            yield image.id, image.state


def _own_snapshots(backend: Any) -> Iterator[tuple[str, str]]:
    """Not those that public images came with."""
    for one in backend.snapshots.values():
        image = backend.amis.get(one.from_ami) if one.from_ami else None
        if one.owner_id == backend.account_id and (image is None or isinstance(image, CreatedImage)):
            yield one.id, one.status


def _instance(one: Any, group: str) -> InstanceFacts:
    backend = one.ec2_backend
    request = backend.spot_instance_requests.get(one.spot_instance_request_id)
    return InstanceFacts(
        id=one.id,
        account_id=backend.account_id,
        region=backend.region_name,
        zone=str(one.availability_zone),
        instance_type=one.instance_type,
        state=one.state,
        is_spot=one.lifecycle == "spot",
        is_up=one.is_up,
        group=group,
        image_id=one.image_id,
        private_ip=one.private_ip or "",
        public_ip=one.public_ip or "",
        spot_status=request.status["Code"] if isinstance(request, SpotRequest) else "",
        is_protected=bool(one.disable_api_termination),
        reboots=one.reboots,
        tags=dict(backend.tags.get(one.id, {})),
    )


def _groups() -> Iterator[GroupFacts]:
    for backend in every(autoscaling_backends):
        for group in backend.autoscaling_groups.values():
            members = {one.instance.id: str(one.lifecycle_state) for one in group.instance_states}
            running = [
                one for one in group.instance_states if one.lifecycle_state == "InService" and one.instance.is_running()
            ]
            yield GroupFacts(
                name=group.name,
                account_id=backend.account_id,
                region=backend.region_name,
                minimum=group.min_size,
                desired=group.desired_capacity,
                maximum=group.max_size,
                suspended=tuple(sorted(one["ProcessName"] for one in group.suspended_processes)),
                members=members,
                in_service=len(running),
            )


def _registrations() -> Iterator[tuple[tuple[str, str], str]]:
    for backend in every(elbv2_backends):
        for target_group in backend.target_groups.values():
            for health in backend.describe_target_health(target_group.arn, []):
                own = str(health.port) == str(target_group.port)
                name = health.instance_id if own else f"{health.instance_id}:{health.port}"
                yield (target_group.name, name), health.status
    for classic in every(elb_backends):
        for balancer in classic.load_balancers.values():
            for one in classic.describe_instance_health(balancer.name, []):
                yield (balancer.name, one["InstanceId"]), one["State"]
