"""When is a target healthy, and how does it leave? ELB guides, "Target health status", "Deregistration delay"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from spotopt.local.instance_life import StrictInstance
from spotopt.local.world import World

import moto.elb.urls  # isort: skip
import moto.elbv2.models  # isort: skip
import moto.elbv2.urls  # isort: skip
from moto.core.exceptions import ServiceException  # isort: skip
from moto.core.responses import ActionResult  # isort: skip
from moto.ec2.models import ec2_backends  # isort: skip
from moto.elb.exceptions import LoadBalancerNotFoundError  # isort: skip
from moto.elb.models import ELBBackend, LoadBalancer, elb_backends  # isort: skip
from moto.elb.responses import ELBResponse  # isort: skip
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup, elbv2_backends  # isort: skip

Health = tuple[str, str | None, str | None]  # state, reason, description


class InvalidTarget(ServiceException):
    code = "InvalidTarget"


class InvalidInstance(ServiceException):
    code = "InvalidInstance"


class StrictTargetGroup(FakeTargetGroup):
    """Targets are initial first, follow their instance, and drain for as long as the group says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.registered_at: dict[str, datetime] = {}
        self.draining: dict[str, dict[str, Any]] = {}

    def key(self, target: Mapping[str, Any]) -> str:
        """A machine may be registered on several ports (RegisterTargets reference)."""
        return f"{target['Id']}:{target.get('Port') or self.port}"

    def holds(self, instance_id: str) -> bool:
        return any(one["Id"] == instance_id for one in self.targets.values())

    def register(self, targets: list[dict[str, Any]]) -> None:
        """All or none. An instance must run, in the group's own VPC (RegisterTargets reference)."""
        for target in targets:
            self._refuse(target["Id"])
        for target in targets:
            self.enter(target, World.clock.now())

    def enter(self, target: Mapping[str, Any], since: datetime) -> None:
        key = self.key(target)
        if key not in self.targets:
            self.registered_at[key] = since
        self.targets[key] = {"Id": target["Id"], "Port": target.get("Port") or self.port}
        self.draining.pop(key, None)

    def _refuse(self, name: str) -> None:
        if self.target_type != "instance":
            return
        instance = self.ec2_backend.get_instance_by_id(name)
        if instance is None:
            raise InvalidTarget(f"The following targets are not valid instances: '{name}'")
        if instance.state != "running":
            raise InvalidTarget(f"The following targets are not in a running state and cannot be registered: '{name}'")
        if instance.vpc_id != self.vpc_id:
            raise InvalidTarget(f"The following targets are not in the target group VPC '{self.vpc_id}': '{name}'")

    def deregister(self, targets: list[dict[str, Any]]) -> None:
        """DeregisterTargets reference: "If the specified target does not exist, the action returns successfully"; one
        with a port of its own is meant only when the port is named.
        """
        for target in targets:
            known = self.targets.pop(self.key(target), None)
            if known is not None:
                self._drain(known)

    def _drain(self, target: dict[str, Any]) -> None:
        """Shown as draining until the delay is over, even where no connection is left."""
        if not self.load_balancer_arns:
            return
        mark, key = dict(target), self.key(target)
        self.draining[key] = mark
        World.agenda.add(self.delay, lambda: self._has_drained(key, mark))

    @property
    def delay(self) -> float:
        return float(str(self.attributes["deregistration_delay.timeout_seconds"]))

    def _has_drained(self, key: str, mark: dict[str, Any]) -> None:
        if self.draining.get(key) is mark:
            del self.draining[key]

    def forget(self, instance_id: str) -> None:
        """What has ended is registered nowhere."""
        for held in (self.targets, self.draining):
            for key in [key for key, one in held.items() if one["Id"] == instance_id]:
                del held[key]

    def health_for(self, target: dict[str, Any], ec2_backend: Any) -> FakeHealthStatus:
        state, reason, description = self._health(target["Id"], self.key(target), ec2_backend)
        port = target.get("Port") or self.port
        return FakeHealthStatus(target["Id"], port, str(port), state, reason, description)

    def _health(self, name: str, key: str, ec2_backend: Any) -> Health:
        if key in self.draining:
            return "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        if key not in self.targets:
            return "unused", "Target.NotRegistered", "Target is not registered to the target group"
        if not self.load_balancer_arns:
            return (
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            )
        instance = _instance(ec2_backend, name)
        if instance is None or instance.state not in ("pending", "running"):
            state = "unknown" if instance is None else instance.state
            return "unused", "Target.InvalidState", f"Target is in the {state} state"
        began_at = self.registered_at.get(key, instance.launch_time)
        if World.clock.now() < began_at + timedelta(seconds=World.pace.registration):
            return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
        if not instance.is_up:
            return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
        return "healthy", None, None


def _instance(ec2_backend: Any, name: str) -> StrictInstance | None:
    """By id, or by private address where the targets are addresses."""
    for one in ec2_backend.all_instances():
        if name in (one.id, one.private_ip) and isinstance(one, StrictInstance):
            return one
    return None


class StrictBalancers(ELBv2Backend):
    @property
    def _url_module(self) -> Any:
        return moto.elbv2.urls

    def describe_target_health(self, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        """Without targets all of the group, those that are leaving too."""
        group = self.target_groups.get(target_group_arn)
        if isinstance(group, StrictTargetGroup) and not targets:
            targets = [*group.targets.values(), *group.draining.values()]
        return super().describe_target_health(target_group_arn, targets) if targets or group is None else []


class StrictClassic(ELBBackend):
    """Classic balancers: an instance is in service once it answers (ELB Classic guide, "Check instance health")."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.registered_at: dict[tuple[str, str], datetime] = {}

    @property
    def _url_module(self) -> Any:
        return moto.elb.urls

    def register_instances(
        self, load_balancer_name: str, instance_ids: Iterable[str], from_autoscaling: bool = False
    ) -> LoadBalancer:
        ec2_backend = ec2_backends[self.account_id][self.region_name]
        balancer = self.known(load_balancer_name)
        fresh = [one for one in instance_ids if one not in balancer.instance_ids]
        for one in fresh:
            if ec2_backend.get_instance_by_id(one) is None:
                raise InvalidInstance(f"Could not find EC2 instance {one}.")
            self.registered_at[(load_balancer_name, one)] = World.clock.now()
        return super().register_instances(load_balancer_name, fresh, from_autoscaling)

    def deregister_instances(
        self, load_balancer_name: str, instance_ids: Iterable[str], from_autoscaling: bool = False
    ) -> LoadBalancer:
        self.known(load_balancer_name)
        return super().deregister_instances(load_balancer_name, instance_ids, from_autoscaling)

    def known(self, name: str) -> LoadBalancer:
        if name not in self.load_balancers:
            raise LoadBalancerNotFoundError(name)
        return self.load_balancers[name]

    def describe_instance_health(self, lb_name: str, instances: list[dict[str, str]]) -> list[dict[str, Any]]:
        balancer = self.known(lb_name)
        ec2_backend = ec2_backends[self.account_id][self.region_name]
        wanted = [one["InstanceId"] for one in instances] or balancer.instance_ids
        return [self._state(lb_name, one, one in balancer.instance_ids, ec2_backend) for one in wanted]

    def _state(self, lb_name: str, name: str, is_registered: bool, ec2_backend: Any) -> dict[str, Any]:
        if not is_registered:
            raise InvalidInstance(f"Could not find EC2 instance {name}.")
        instance = ec2_backend.get_instance_by_id(name)
        began_at = self.registered_at.get((lb_name, name), World.clock.now())
        if World.clock.now() < began_at + timedelta(seconds=World.pace.registration):
            words = {"ReasonCode": "ELB", "Description": "Instance registration is still in progress."}
            return {"InstanceId": name, "State": "OutOfService"} | words
        if instance is None or not instance.is_up:
            words = {"ReasonCode": "Instance", "Description": "Instance has failed at least the UnhealthyThreshold."}
            return {"InstanceId": name, "State": "OutOfService"} | words
        return {"InstanceId": name, "State": "InService", "ReasonCode": "N/A", "Description": "N/A"}


class StrictClassicAnswers(ELBResponse):
    def describe_instance_health(self) -> ActionResult:
        """With the reason, which moto leaves out."""
        found = self.elb_backend.describe_instance_health(
            self._get_param("LoadBalancerName"), self._get_param("Instances", [])
        )
        return ActionResult({"InstanceStates": found})


def _notice_end(instance: StrictInstance) -> None:
    """A terminated instance is taken out everywhere."""
    if instance.state != "terminated":
        return
    backend = instance.ec2_backend
    for group in elbv2_backends[backend.account_id][backend.region_name].target_groups.values():
        if isinstance(group, StrictTargetGroup):
            group.forget(instance.id)
    classic = elb_backends[backend.account_id][backend.region_name]
    for balancer in classic.load_balancers.values():
        if instance.id in balancer.instance_ids:
            classic.deregister_instances(balancer.name, [instance.id])
            classic.deregister_instances(balancer.name, [instance.id], from_autoscaling=True)


def install() -> None:
    """Put the strict classes in moto's place; before any account is touched."""
    moto.elbv2.models.FakeTargetGroup = StrictTargetGroup  # type: ignore[misc]
    elbv2_backends.backend = StrictBalancers
    elb_backends.backend = StrictClassic
    moto.elb.urls.ELBResponse = StrictClassicAnswers  # type: ignore[misc]
    if _notice_end not in StrictInstance.listeners:
        StrictInstance.listeners.append(_notice_end)
