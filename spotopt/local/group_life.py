"""What does an Auto Scaling group do by itself? It launches, replaces, balances its zones, and takes members out.

Auto Scaling guide: "Amazon EC2 Auto Scaling instance lifecycle", "Health checks", "Rebalancing activities".
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from spotopt.local.group_launches import request_for
from spotopt.local.group_members import LEAVING, Member
from spotopt.local.launching import launch
from spotopt.local.world import World

from moto.autoscaling.models import ASG_NAME_TAG, Activity, FakeAutoScalingGroup, LifecycleHook  # isort: skip
from moto.core.exceptions import ServiceException  # isort: skip

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
RETRY = 60  # seconds until a launch that found no capacity is tried again


class StrictGroup(FakeAutoScalingGroup):
    """Looks at itself a few seconds after each change, until it is as it should be."""

    autoscaling_backend: Any  # ours, once it is installed
    min_size: Any
    max_size: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.activities: list[Activity] = []
        self.refresh: dict[str, Any] | None = None
        self.relieved: str | None = None  # the zone that gives a member up once its replacement serves
        super().__init__(*args, **kwargs)

    # moto acts at once in these two; a real group acts when it looks.
    def set_desired_capacity(self, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity
        self.look_soon()

    def replace_autoscaling_group_instances(self, count_needed: int, propagated_tags: dict[str, str]) -> None:
        self.look_soon()

    def look_soon(self, after: float | None = None) -> None:
        World.agenda.add(World.pace.group if after is None else after, self.look)

    @property
    def members(self) -> list[Member]:
        return [one for one in self.instance_states if isinstance(one, Member)]

    def member(self, instance_id: str) -> Member | None:
        return next((one for one in self.members if one.instance_id == instance_id), None)

    @property
    def counted(self) -> list[Member]:
        """What the desired capacity is compared with: not what leaves, nor Standby."""
        return [one for one in self.members if one.lifecycle_state not in (*LEAVING, "Standby", "EnteringStandby")]

    def runs(self, process: str) -> bool:
        return process not in self._suspended_processes

    def hooks(self, transition: str) -> list[LifecycleHook]:
        known = self.autoscaling_backend.describe_lifecycle_hooks(self.name)
        return [one for one in known if one.lifecycle_transition == transition]

    def note(self, description: str, cause: str, status: str = "Successful", message: str = "") -> None:
        now = World.clock.now()
        activity: Any = Activity(description, cause, self, start_time=now, end_time=now, status_code=status)
        activity.status_message, activity.progress = message, 100
        self.activities.append(activity)

    def look(self) -> None:
        """Put right what differs from the group's own settings."""
        if self.autoscaling_backend.autoscaling_groups.get(self.name) is not self:
            return
        self._check_health()
        missing = (self.desired_capacity or 0) - len(self.counted)
        if missing > 0 and self.runs("Launch"):
            self._launch(missing)
        elif missing < 0 and self.runs("Terminate"):
            self._shrink(-missing)

    def _check_health(self) -> None:
        """Not running, or unhealthy past its grace: replaced (guide, "Health checks")."""
        if not self.runs("HealthCheck"):
            return
        for member in self.members:
            if member.lifecycle_state != "InService":
                continue
            if member.instance.state != "running" or (self._is_past_grace(member) and self._is_unhealthy(member)):
                member.health_status = "Unhealthy"
        if not self.runs("ReplaceUnhealthy"):
            return
        for member in [one for one in self.members if one.health_status == "Unhealthy"]:
            if member.lifecycle_state == "InService" and self.runs("Terminate"):
                cause = "an instance was taken out of service in response to a health check."
                self.note(f"Terminating EC2 instance: {member.instance_id}", cause)
                self.take_out(member)

    def _is_past_grace(self, member: Member) -> bool:
        grace = timedelta(seconds=float(self.health_check_grace_period or 0))
        return World.clock.now() >= member.in_service_at + grace

    def _is_unhealthy(self, member: Member) -> bool:
        if member.instance.is_impaired:
            return True
        if self.health_check_type != "ELB":
            return False
        return any(state in ("unhealthy", "OutOfService") for state in self.autoscaling_backend.health_of(self, member))

    def _launch(self, count: int) -> None:
        for _ in range(count):
            if not self.launch_one():
                self.look_soon(RETRY)
                return

    def launch_one(self, zone: str | None = None) -> bool:
        """In the zone with the fewest members unless one is named; False where no pool had capacity."""
        zones = Counter(dict.fromkeys(self.availability_zones, 0))
        zones.update(one.availability_zone for one in self.counted)
        failure: ServiceException | None = None
        for wanted in [zone] if zone else sorted(self.availability_zones, key=lambda one: (zones[one], one)):
            for request in request_for(self, wanted):
                try:
                    instance = launch(self.ec2_backend, request).instances[0]
                except ServiceException as error:
                    failure = error
                    continue
                cause = "an instance was started in response to a difference between desired and actual capacity."
                self.note(f"Launching a new EC2 instance: {instance.id}", cause)
                self.take_in(Member(instance, self, template=self.current_template()))
                return True
        message = f"{failure.code}: {failure.message}" if failure else "no subnet in the zone"
        self.note("Launching a new EC2 instance", "a difference between desired and actual capacity", "Failed", message)
        return False

    def current_template(self) -> dict[str, str] | None:
        if self.ec2_launch_template is None:
            return None
        version = self.ec2_launch_template.get_version(self.launch_template_version)
        return {
            "LaunchTemplateId": self.ec2_launch_template.id,
            "LaunchTemplateName": self.ec2_launch_template.name,
            "Version": str(version.number),
        }

    def adopt(self, instance: Any) -> None:
        """As if it had been launched here long ago; for members that are there when the story begins."""
        member = Member(instance, self, template=self.current_template())
        member.lifecycle_state = "InService"
        self.instance_states.append(member)
        self.desired_capacity = len(self.instance_states)
        self.ec2_backend.create_tags([instance.id], {ASG_NAME_TAG: self.name})

    def take_in(self, member: Member) -> None:
        self.instance_states.append(member)
        self.look_at(member)

    def look_at(self, member: Member) -> None:
        """Pending until it runs, then the launch hooks, then in service; an attached one knows no hooks."""
        if member.lifecycle_state != "Pending" or member not in self.instance_states:
            return
        if member.instance.state in ("shutting-down", "terminated"):
            self.forget(member)
            self.look_soon()
        elif member.instance.state == "running":
            hooks = [] if member.was_attached else self.hooks(LAUNCHING)
            if hooks:
                self.wait(member, "Pending:Wait", hooks)
            else:
                World.agenda.add(World.pace.group, lambda: self.serve(member))

    def wait(self, member: Member, state: str, hooks: list[LifecycleHook]) -> None:
        """Until somebody completes the action, or the heartbeat runs out and the default result holds."""
        member.lifecycle_state = state
        result = "ABANDON" if any(hook.default_result == "ABANDON" for hook in hooks) else "CONTINUE"
        timeout = max(float(hook.heartbeat_timeout) for hook in hooks)
        World.agenda.add(timeout, lambda: self.proceed(member, state, result))

    def proceed(self, member: Member, state: str, result: str) -> None:
        """Guide, "How lifecycle hooks work": a launch that is abandoned is terminated, an end goes on either way."""
        if member.lifecycle_state != state:
            return
        if state == "Pending:Wait" and result == "CONTINUE":
            member.lifecycle_state = "Pending:Proceed"
            self.serve(member)
        elif state == "Pending:Wait":
            self.take_out(member)
        else:
            self.end(member)

    def serve(self, member: Member) -> None:
        if member.lifecycle_state not in ("Pending", "Pending:Proceed") or member not in self.instance_states:
            return
        if member.instance.state != "running":
            self.take_out(member)
            return
        member.lifecycle_state, member.in_service_at = "InService", World.clock.now()
        if self.runs("AddToLoadBalancer"):
            self.autoscaling_backend.register(self, member)
        grace = float(self.health_check_grace_period or 0)
        self.look_soon(grace + World.pace.registration + World.pace.group)
        World.agenda.add(World.pace.balance, self.balance)
        self.after_serving(member)

    def after_serving(self, member: Member) -> None:
        """A zone that was relieved gives one back; a refresh goes on to the next."""
        relieved, self.relieved = self.relieved, None
        if relieved is not None and (surplus := self._oldest_in(relieved)) is not None:
            self.note(f"Terminating EC2 instance: {surplus.instance_id}", "instances were rebalanced between zones.")
            self.take_out(surplus)
        if self.refresh is not None:
            self.go_on_refreshing()

    def balance(self) -> None:
        """A new member in the emptiest zone first, which may exceed the maximum; then the fullest gives one up."""
        counts = Counter(dict.fromkeys(self.availability_zones, 0))
        counts.update(one.availability_zone for one in self.counted)
        fullest, emptiest = max(counts, key=lambda zone: counts[zone]), min(counts, key=lambda zone: counts[zone])
        if not self.runs("AZRebalance") or not self.runs("Launch") or counts[fullest] - counts[emptiest] < 2:
            return
        if self.launch_one(emptiest):
            self.relieved = fullest if self.runs("Terminate") else None

    def _oldest_in(self, zone: str) -> Member | None:
        here = [one for one in self.counted if one.availability_zone == zone and not one.protected_from_scale_in]
        return min(here, key=lambda one: one.instance.launch_time, default=None)

    def _shrink(self, count: int) -> None:
        """The default termination policy: the fullest zone, the oldest there; never a protected one."""
        for _ in range(count):
            zones = Counter(one.availability_zone for one in self.counted if not one.protected_from_scale_in)
            if not zones:
                return
            chosen = self._oldest_in(zones.most_common(1)[0][0])
            if chosen is not None:
                self.note(
                    f"Terminating EC2 instance: {chosen.instance_id}", "a user request or alarm shrank the group."
                )
                self.take_out(chosen)

    def take_out(self, member: Member) -> None:
        """Out of the balancers, the connections drained, the termination hooks run, then the machine ends."""
        if member.lifecycle_state.startswith("Terminating"):
            return
        member.lifecycle_state = "Terminating"
        drains_for = self.autoscaling_backend.deregister(self, member)
        World.agenda.add(drains_for, lambda: self._after_draining(member))
        self.look_soon()

    def _after_draining(self, member: Member) -> None:
        hooks = self.hooks(TERMINATING)
        if hooks and member.instance.state == "running":
            self.wait(member, "Terminating:Wait", hooks)
        else:
            self.end(member)

    def end(self, member: Member) -> None:
        member.lifecycle_state = "Terminating:Proceed"
        member.instance.terminate()
        World.agenda.add(World.pace.shut_down, lambda: self.forget(member))

    def forget(self, member: Member) -> None:
        if member in self.instance_states:
            self.instance_states.remove(member)
        if self.refresh is not None:
            self.go_on_refreshing()

    def release(self, member: Member) -> None:
        """A detached member becomes a machine of nobody's (guide, "Detach instances")."""
        if member.lifecycle_state == "Detaching":
            self.forget(member)
            member.instance.autoscaling_group = None
            self.ec2_backend.delete_tag_keys([member.instance_id], [ASG_NAME_TAG])

    def go_on_refreshing(self) -> None:
        """One old member after the other, each replaced before the next (guide, "Instance refresh")."""
        refresh = self.refresh
        if refresh is None or refresh["Status"] not in ("Pending", "InProgress"):
            return
        refresh["Status"] = "InProgress"
        if any(one.lifecycle_state != "InService" for one in self.members):
            return
        old = [one for one in self.counted if one.in_service_at <= refresh["StartTime"]]
        if old:
            self.take_out(old[0])
        elif len(self.counted) >= (self.desired_capacity or 0):
            refresh |= {"Status": "Successful", "EndTime": World.clock.now(), "PercentageComplete": 100}
