"""The calls on groups that moto lacks: activities, instance refreshes, lifecycle actions."""

from __future__ import annotations

from typing import Any

from spotopt.local.world import World

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError  # isort: skip
from moto.autoscaling.responses import AutoScalingResponse  # isort: skip
from moto.core.responses import ActionResult, EmptyResult  # isort: skip
from moto.moto_api._internal import mock_random  # isort: skip

MOST_RECORDS = 100  # a page of DescribeAutoScalingGroups and DescribeScalingActivities
GOING_ON = ("Pending", "InProgress")


class StrictGroupAnswers(AutoScalingResponse):
    @property
    def groups(self) -> Any:
        return self.autoscaling_backend

    def describe_auto_scaling_groups(self) -> ActionResult:
        if int(self._get_param("MaxRecords") or 0) > MOST_RECORDS:
            raise ValidationError(f"MaxRecords must be at most {MOST_RECORDS}")
        return super().describe_auto_scaling_groups()

    def describe_scaling_activities(self) -> ActionResult:
        """Newest first (DescribeScalingActivities reference)."""
        name, wanted = self._get_param("AutoScalingGroupName"), self._get_param("ActivityIds", [])
        groups = [self.groups.group(name)] if name else list(self.groups.autoscaling_groups.values())
        found = [one for group in groups for one in group.activities if not wanted or one.activity_id in wanted]
        found.sort(key=lambda one: one.start_time, reverse=True)
        start, size = int(self._get_param("NextToken") or 0), int(self._get_param("MaxRecords") or MOST_RECORDS)
        following = str(start + size) if start + size < len(found) else None
        return ActionResult({"Activities": found[start : start + size], "NextToken": following})

    def start_instance_refresh(self) -> ActionResult:
        group = self.groups.group(self._get_param("AutoScalingGroupName"))
        if group.refresh is not None and group.refresh["Status"] in GOING_ON:
            raise AutoscalingClientError(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            )
        refresh_id = str(mock_random.uuid4())
        group.refresh = {
            "InstanceRefreshId": refresh_id,
            "AutoScalingGroupName": group.name,
            "Status": "Pending",
            "StartTime": World.clock.now(),
            "PercentageComplete": 0,
        }
        World.agenda.add(World.pace.group, group.go_on_refreshing)
        return ActionResult({"InstanceRefreshId": refresh_id})

    def describe_instance_refreshes(self) -> ActionResult:
        group = self.groups.group(self._get_param("AutoScalingGroupName"))
        return ActionResult({"InstanceRefreshes": [group.refresh] if group.refresh is not None else []})

    def cancel_instance_refresh(self) -> ActionResult:
        group = self.groups.group(self._get_param("AutoScalingGroupName"))
        if group.refresh is None or group.refresh["Status"] not in GOING_ON:
            raise AutoscalingClientError(
                "ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found"
            )
        group.refresh |= {"Status": "Cancelled", "EndTime": World.clock.now()}
        return ActionResult({"InstanceRefreshId": group.refresh["InstanceRefreshId"]})

    def terminate_instance_in_auto_scaling_group(self) -> ActionResult:
        """One by its id, or several of a named group; then the answer holds Activities."""
        several, decrement = (
            self._get_param("InstanceIds", []),
            self._get_bool_param("ShouldDecrementDesiredCapacity", False),
        )
        if not several:
            return ActionResult({"Activity": self.groups.terminate_instance(self._get_param("InstanceId"), decrement)})
        group = self.groups.group(self._get_param("AutoScalingGroupName"))
        if strangers := [one for one in several if group.member(one) is None]:
            raise ValidationError(f"The instance {strangers[0]} is not part of Auto Scaling group {group.name}.")
        return ActionResult({"Activities": [self.groups.terminate_instance(one, decrement) for one in several]})

    def complete_lifecycle_action(self) -> ActionResult:
        """CONTINUE or ABANDON for a member that waits (CompleteLifecycleAction reference)."""
        group = self.groups.group(self._get_param("AutoScalingGroupName"))
        member = group.member(self._get_param("InstanceId"))
        if member is None or not member.lifecycle_state.endswith(":Wait"):
            raise ValidationError("No active Lifecycle Action found with instance ID " + self._get_param("InstanceId"))
        group.proceed(member, member.lifecycle_state, self._get_param("LifecycleActionResult"))
        return EmptyResult()
