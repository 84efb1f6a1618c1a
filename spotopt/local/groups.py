"""What does Auto Scaling refuse? AttachInstances, DetachInstances, TerminateInstanceInAutoScalingGroup,
UpdateAutoScalingGroup references; the words of the errors are the service's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from spotopt.local.group_answers import StrictGroupAnswers
from spotopt.local.group_life import StrictGroup
from spotopt.local.group_members import Member
from spotopt.local.instance_life import StrictInstance
from spotopt.local.targets import StrictTargetGroup
from spotopt.local.world import World

import moto.autoscaling.models  # isort: skip
import moto.autoscaling.urls  # isort: skip
from moto.autoscaling.exceptions import ValidationError  # isort: skip
from moto.autoscaling.models import ASG_NAME_TAG, Activity, AutoScalingBackend, autoscaling_backends  # isort: skip

MOST = 20  # instances of one AttachInstances or DetachInstances
PROCESSES = frozenset(
    (
        "Launch",
        "Terminate",
        "AddToLoadBalancer",
        "AlarmNotification",
        "AZRebalance",
        "HealthCheck",
        "InstanceRefresh",
        "ReplaceUnhealthy",
        "ScheduledActions",
    )
)


class StrictGroups(AutoScalingBackend):
    @property
    def _url_module(self) -> Any:
        return moto.autoscaling.urls

    def group(self, name: str) -> StrictGroup:
        found = self.autoscaling_groups.get(name)
        if not isinstance(found, StrictGroup):
            raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
        return found

    def create_auto_scaling_group(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """The grace period is 0 when none is given (guide, "Set the health check grace period"); moto takes 300."""
        if name in self.autoscaling_groups:
            raise ValidationError(f"AutoScalingGroup by this name already exists - A group with the name {name} exists")
        grace = kwargs.get("health_check_period")
        check_sizes(int(kwargs["min_size"] or 0), kwargs.get("desired_capacity"), int(kwargs["max_size"] or 0))
        made = super().create_auto_scaling_group(name, *args, **kwargs)
        made.health_check_grace_period = int(grace or 0)
        return made

    def attach_instances(self, group_name: str, instance_ids: list[str]) -> None:
        """Guide, "Attach instances to your Auto Scaling group". All or none. No launch hook runs."""
        group = self.group(group_name)
        if not 1 <= len(instance_ids) <= MOST:
            raise ValidationError(f"The number of instances must be between 1 and {MOST}")
        instances = [self._attachable(group, one) for one in instance_ids]
        wanted = int(group.desired_capacity or 0) + len(instances)
        if wanted > int(group.max_size or 0):
            raise sizes_are_in_the_way(group, "attach", len(instances))
        group.desired_capacity = wanted
        for instance in instances:
            self.ec2_backend.create_tags([instance.id], {ASG_NAME_TAG: group.name})
            group.note(f"Attaching an existing EC2 instance: {instance.id}", "in response to a user request.")
            group.take_in(Member(instance, group, was_attached=True))

    def _attachable(self, group: StrictGroup, instance_id: str) -> StrictInstance:
        instance = self.ec2_backend.get_instance_by_id(instance_id)
        if not isinstance(instance, StrictInstance) or self.ec2_backend.is_unseen(instance):  # type: ignore[attr-defined]
            raise ValidationError(f"Invalid Instance ID(s): [{instance_id}]")
        for other in self.autoscaling_groups.values():
            if isinstance(other, StrictGroup) and other.member(instance_id) is not None:
                raise ValidationError(f"The Instance: {instance_id} is already part of AutoScalingGroup:{other.name}")
        if instance.state != "running":
            raise ValidationError(
                f"Instance {instance_id} is not in correct state: it is {instance.state}, not running"
            )
        if instance.image_id not in self.ec2_backend.amis:
            raise ValidationError(f"The AMI {instance.image_id} of instance {instance_id} does not exist")
        if instance.availability_zone not in group.availability_zones:
            raise ValidationError(
                f"Instance {instance_id} is in availability zone {instance.availability_zone}, which is none of the "
                f"AutoScalingGroup's: {', '.join(group.availability_zones)}"
            )
        if any(instance.vpc_id != target_group.vpc_id for target_group in self.target_groups_of(group)):
            raise ValidationError(f"Instance {instance_id} is not in the VPC of the group's load balancer")
        return instance

    def detach_instances(self, group_name: str, instance_ids: list[str], should_decrement: bool) -> list[Any]:
        """Guide, "Detach instances from your Auto Scaling group". No termination hook runs; the machine goes on."""
        group = self.group(group_name)
        members = [self._detachable(group, one) for one in instance_ids]
        after = int(group.desired_capacity or 0) - len(members)
        if should_decrement and after < int(group.min_size or 0):
            raise sizes_are_in_the_way(group, "detach", len(members))
        if should_decrement:
            group.desired_capacity = after
        for member in members:
            member.lifecycle_state = "Detaching"
            self.deregister(group, member)
            group.note(f"Detaching EC2 instance: {member.instance_id}", "in response to a user request.")
            World.agenda.add(World.pace.group, partial(group.release, member))
        group.look_soon()
        World.agenda.add(World.pace.balance, group.balance)
        return group.activities[-len(members) :]

    def _detachable(self, group: StrictGroup, instance_id: str) -> Member:
        member = group.member(instance_id)
        if member is None:
            raise ValidationError(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
        if member.lifecycle_state not in ("InService", "Standby"):
            raise ValidationError(f"The instance {instance_id} is not in InService or Standby.")
        return member

    def terminate_instance(self, instance_id: str, should_decrement: bool) -> Any:
        """Goes past scale-in protection (guide, "Instance scale-in protection"); hooks run, connections drain."""
        for group in [one for one in self.autoscaling_groups.values() if isinstance(one, StrictGroup)]:
            member = group.member(instance_id)
            if member is not None:
                return self._terminate(group, member, should_decrement)
        raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")

    def _terminate(self, group: StrictGroup, member: Member, should_decrement: bool) -> Activity:
        before = int(group.desired_capacity or 0)
        if should_decrement and before - 1 < int(group.min_size or 0):
            raise ValidationError(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement "
                "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or "
                "lower group's min size."
            )
        if should_decrement and not member.lifecycle_state.startswith("Terminating"):
            group.desired_capacity = before - 1
        group.note(f"Terminating EC2 instance: {member.instance_id}", "in response to a user request.", "InProgress")
        group.take_out(member)
        World.agenda.add(World.pace.balance, group.balance)
        return group.activities[-1]

    def update_auto_scaling_group(self, name: str, **kwargs: Any) -> Any:  # type: ignore[override]
        """Bounds are checked, and desired follows them; what is not named stays, which moto forgets for policies."""
        group = self.group(name)
        smallest = group.min_size if kwargs.get("min_size") is None else kwargs["min_size"]
        largest = group.max_size if kwargs.get("max_size") is None else kwargs["max_size"]
        asked = kwargs.get("desired_capacity")
        desired = min(max(int(group.desired_capacity or 0), smallest), largest) if asked is None else asked
        check_sizes(smallest, desired, largest)
        if kwargs.get("mixed_instances_policy") is None and not (
            kwargs.get("launch_template") or kwargs.get("launch_config_name")
        ):
            kwargs["mixed_instances_policy"] = group.mixed_instances_policy
        provided = getattr(group, "provided_launch_template_version", None)
        updated = super().update_auto_scaling_group(name, **(kwargs | {"desired_capacity": desired}))
        if not kwargs.get("launch_template"):
            updated.provided_launch_template_version = provided
        return updated

    def set_desired_capacity(self, group_name: str, desired_capacity: int | None) -> None:
        group, wanted = self.group(group_name), int(desired_capacity or 0)
        if wanted > int(group.max_size or 0):
            raise ValidationError(
                f"New SetDesiredCapacity value {wanted} is above max value {group.max_size} for the AutoScalingGroup."
            )
        if wanted < int(group.min_size or 0):
            raise ValidationError(
                f"New SetDesiredCapacity value {wanted} is below min value {group.min_size} for the AutoScalingGroup."
            )
        group.set_desired_capacity(wanted)

    def suspend_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        self.group(group_name)
        check_processes(scaling_processes)
        super().suspend_processes(group_name, scaling_processes)

    def resume_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        check_processes(scaling_processes)
        group = self.group(group_name)
        super().resume_processes(group_name, scaling_processes)
        group.look_soon()

    def target_groups_of(self, group: StrictGroup) -> list[StrictTargetGroup]:
        known = self.elbv2_backend.target_groups
        return [one for arn in group.target_group_arns if isinstance(one := known.get(arn), StrictTargetGroup)]

    def register(self, group: StrictGroup, member: Member) -> None:
        for target_group in self.target_groups_of(group):
            target_group.register([{"Id": member.instance_id, "Port": target_group.port}])
        for name in group.load_balancer_names:
            self.elb_backend.register_instances(name, [member.instance_id], from_autoscaling=True)

    def deregister(self, group: StrictGroup, member: Member) -> float:
        """Seconds until the connections are drained; 0 where nothing was registered."""
        delays = [0.0]
        for target_group in self.target_groups_of(group):
            if target_group.holds(member.instance_id):
                target_group.deregister([{"Id": member.instance_id}])
                delays.append(target_group.delay)
        for name in group.load_balancer_names:
            self.elb_backend.deregister_instances(name, [member.instance_id], from_autoscaling=True)
        return max(delays)

    def health_of(self, group: StrictGroup, member: Member) -> list[str]:
        wanted = [{"Id": member.instance_id}]
        states = [one.health_for(wanted[0], self.ec2_backend).status for one in self.target_groups_of(group)]
        for name in group.load_balancer_names:
            found = self.elb_backend.describe_instance_health(name, [])
            states += [one["State"] for one in found if one["InstanceId"] == member.instance_id]
        return states

    # moto registers and deregisters whole groups from many places; here each member does it when it comes and goes.
    def update_attached_elbs(self, group_name: str) -> None:
        self._register_all(group_name)

    def update_attached_target_groups(self, group_name: str) -> None:
        self._register_all(group_name)

    def _register_all(self, group_name: str) -> None:
        group = self.autoscaling_groups.get(group_name)
        if not isinstance(group, StrictGroup):
            return
        for member in group.members:
            if member.lifecycle_state == "InService" and member.instance.state == "running":
                self.register(group, member)

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        """Nothing: a group sees it for itself."""


def check_sizes(smallest: int, desired: Any, largest: int) -> None:
    if smallest > largest:
        raise ValidationError(f"Max bound, {largest}, must be greater than or equal to min bound, {smallest}")
    if desired is not None and not smallest <= int(desired) <= largest:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{smallest} and max size:{largest}"
        )


def check_processes(names: Sequence[str]) -> None:
    if unknown := sorted(set(names) - PROCESSES):
        raise ValidationError(f"Unrecognized scaling process: {unknown[0]}")


def sizes_are_in_the_way(group: StrictGroup, deed: str, count: int) -> ValidationError:
    instances = "instance" if count == 1 else "instances"
    return ValidationError(
        f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and "
        f"desired-size={group.desired_capacity}. To {deed} {count} {instances}, please update the AutoScalingGroup "
        "sizes appropriately."
    )


def _watch(instance: StrictInstance) -> None:
    """A group sees what becomes of its members."""
    group = getattr(instance, "autoscaling_group", None)
    if not isinstance(group, StrictGroup):
        return
    member = group.member(instance.id)
    if member is not None:
        group.look_at(member)
        group.look_soon()


def install() -> None:
    """Put the strict classes in moto's place; before any account is touched."""
    moto.autoscaling.models.FakeAutoScalingGroup = StrictGroup  # type: ignore[misc]
    autoscaling_backends.backend = StrictGroups
    moto.autoscaling.urls.url_paths["{0}/$"] = StrictGroupAnswers.dispatch
    if _watch not in StrictInstance.listeners:
        StrictInstance.listeners.append(_watch)
