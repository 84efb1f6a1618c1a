"""What does a group know of a member?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.autoscaling.models import InstanceState

LEAVING = ("Terminating", "Terminating:Wait", "Terminating:Proceed", "Detaching", "Terminated", "Detached")


class Member(InstanceState):
    """Remembers what it was launched from; one that was attached was launched from nothing of the group's."""

    instance: Any  # a StrictInstance
    availability_zone: str

    def __init__(
        self, instance: Any, group: Any, *, template: dict[str, str] | None = None, was_attached: bool = False
    ) -> None:
        instance.autoscaling_group = group
        super().__init__(
            instance,
            lifecycle_state="Pending",
            protected_from_scale_in=group.new_instances_protected_from_scale_in,
            autoscaling_group=group,
        )
        self.template = template
        self.was_attached = was_attached
        self.in_service_at: datetime = instance.launch_time

    @property
    def launch_template(self) -> dict[str, Any] | None:
        return self.template

    @property
    def launch_configuration_name(self) -> str | None:
        group = self.auto_scaling_group
        if self.was_attached or group is None or group.launch_config is None:
            return None
        return str(group.launch_config.name)
