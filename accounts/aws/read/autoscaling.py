"""Which Auto Scaling groups has an account, and what forbids replacing a member of one?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.aws.client import AwsSession
from accounts.aws.errors import Denied, Gone, OutcomeUnknown, Unusable, translated_errors
from accounts.aws.read.paging import pages, tags_of

ACTIONS: tuple[str, ...] = (
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeInstanceRefreshes",
    "autoscaling:DescribeLifecycleHooks",
)
MOST_GROUPS_PER_PAGE = 100
# An instance refresh in one of these is over; in any other it still replaces instances.
REFRESH_OVER = frozenset({"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"})


@dataclass(frozen=True, slots=True)
class LaunchTemplate:
    id: str | None
    name: str | None
    version: str | None  # a number, "$Latest", "$Default"; None = $Default


@dataclass(frozen=True, slots=True)
class Member:
    instance_id: str
    instance_type: str | None
    zone: str | None
    zone_id: str | None
    lifecycle_state: str  # "InService", "Pending:Wait", "Standby", …
    health: str | None
    is_protected_from_scale_in: bool
    weighted_capacity: str | None
    launch_template: LaunchTemplate | None
    launch_configuration: str | None
    image_id: str | None


@dataclass(frozen=True, slots=True)
class Override:
    instance_type: str | None
    weighted_capacity: str | None
    launch_template: LaunchTemplate | None
    is_by_requirements: bool  # attribute-based choice of types


@dataclass(frozen=True, slots=True)
class MixedPolicy:
    launch_template: LaunchTemplate | None
    overrides: tuple[Override, ...]
    on_demand_base: int | None
    on_demand_percent_above_base: int | None
    spot_allocation_strategy: str | None
    spot_max_price: str | None


@dataclass(frozen=True, slots=True)
class LifecycleHook:
    name: str
    transition: str  # "autoscaling:EC2_INSTANCE_LAUNCHING" | "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_seconds: int | None
    default_result: str | None


@dataclass(frozen=True, slots=True)
class WarmPool:
    min_size: int | None
    size: int | None
    state: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """`hooks` and `is_refresh_active` are None when the role may not ask, which is not the same as none."""

    name: str
    arn: str
    desired: int
    min_size: int
    max_size: int
    created_at: datetime | None
    members: tuple[Member, ...]
    launch_template: LaunchTemplate | None
    launch_configuration: str | None
    mixed_policy: MixedPolicy | None
    suspended_processes: tuple[str, ...]
    hooks: tuple[LifecycleHook, ...] | None
    tags: Mapping[str, str]
    zones: tuple[str, ...]
    subnet_ids: tuple[str, ...]
    target_group_arns: tuple[str, ...]
    classic_balancers: tuple[str, ...]
    traffic_sources: tuple[str, ...]
    health_check_type: str | None
    health_grace_seconds: int
    warm_pool: WarmPool | None
    is_refresh_active: bool | None
    is_new_instance_protected: bool
    is_capacity_rebalance: bool
    max_instance_lifetime_seconds: int | None
    placement_group: str | None
    status: str | None  # set while the group is being deleted
    operator: str | None
    service_linked_role_arn: str | None

    @property
    def has_weighted_capacity(self) -> bool:
        overrides = self.mixed_policy.overrides if self.mixed_policy else ()
        return any(each.weighted_capacity for each in overrides) or any(each.weighted_capacity for each in self.members)


def groups(session: AwsSession) -> Iterator[Group]:
    """Every group of the account in the region, with two further calls for each."""
    for page in pages(session, "autoscaling", "DescribeAutoScalingGroups", MaxRecords=MOST_GROUPS_PER_PAGE):
        for answer in page["AutoScalingGroups"]:
            name = answer["AutoScalingGroupName"]
            yield _group(answer, lifecycle_hooks(session, name), is_refresh_active(session, name))


def lifecycle_hooks(session: AwsSession, group_name: str) -> tuple[LifecycleHook, ...] | None:
    """The group's hooks; None when the role may not ask."""
    try:
        with translated_errors("DescribeLifecycleHooks"):
            answer = session.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=group_name)
    except Denied:
        return None
    return tuple(
        LifecycleHook(
            each["LifecycleHookName"],
            each["LifecycleTransition"],
            each.get("HeartbeatTimeout"),
            each.get("DefaultResult"),
        )
        for each in answer["LifecycleHooks"]
    )


def is_refresh_active(session: AwsSession, group_name: str) -> bool | None:
    """Whether an instance refresh replaces members now; None when that cannot be asked."""
    try:
        with translated_errors("DescribeInstanceRefreshes"):
            answer = session.client("autoscaling").describe_instance_refreshes(
                AutoScalingGroupName=group_name, MaxRecords=1
            )
    except (Denied, Gone, OutcomeUnknown, Unusable):
        return None
    return any(each.get("Status") not in REFRESH_OVER for each in answer["InstanceRefreshes"])


def _group(answer: dict[str, Any], hooks: tuple[LifecycleHook, ...] | None, is_active: bool | None) -> Group:
    return Group(
        name=answer["AutoScalingGroupName"],
        arn=answer["AutoScalingGroupARN"],
        desired=answer["DesiredCapacity"],
        min_size=answer["MinSize"],
        max_size=answer["MaxSize"],
        created_at=answer.get("CreatedTime"),
        members=tuple(_member(each) for each in answer.get("Instances") or ()),
        launch_template=_launch_template(answer.get("LaunchTemplate")),
        launch_configuration=answer.get("LaunchConfigurationName"),
        mixed_policy=_mixed_policy(answer.get("MixedInstancesPolicy")),
        suspended_processes=tuple(each["ProcessName"] for each in answer.get("SuspendedProcesses") or ()),
        hooks=hooks,
        tags=tags_of(answer),
        zones=tuple(answer.get("AvailabilityZones") or ()),
        subnet_ids=tuple(each for each in (answer.get("VPCZoneIdentifier") or "").split(",") if each),
        target_group_arns=tuple(answer.get("TargetGroupARNs") or ()),
        classic_balancers=tuple(answer.get("LoadBalancerNames") or ()),
        traffic_sources=tuple(each["Identifier"] for each in answer.get("TrafficSources") or ()),
        health_check_type=answer.get("HealthCheckType"),
        health_grace_seconds=answer.get("HealthCheckGracePeriod") or 0,
        warm_pool=_warm_pool(answer),
        is_refresh_active=is_active,
        is_new_instance_protected=bool(answer.get("NewInstancesProtectedFromScaleIn")),
        is_capacity_rebalance=bool(answer.get("CapacityRebalance")),
        max_instance_lifetime_seconds=answer.get("MaxInstanceLifetime") or None,
        placement_group=answer.get("PlacementGroup") or None,
        status=answer.get("Status"),
        operator=(answer.get("Operator") or {}).get("Principal"),
        service_linked_role_arn=answer.get("ServiceLinkedRoleARN"),
    )


def _member(answer: dict[str, Any]) -> Member:
    return Member(
        instance_id=answer["InstanceId"],
        instance_type=answer.get("InstanceType"),
        zone=answer.get("AvailabilityZone"),
        zone_id=answer.get("AvailabilityZoneId"),
        lifecycle_state=answer["LifecycleState"],
        health=answer.get("HealthStatus"),
        is_protected_from_scale_in=bool(answer.get("ProtectedFromScaleIn")),
        weighted_capacity=answer.get("WeightedCapacity"),
        launch_template=_launch_template(answer.get("LaunchTemplate")),
        launch_configuration=answer.get("LaunchConfigurationName"),
        image_id=answer.get("ImageId"),
    )


def _launch_template(answer: dict[str, Any] | None) -> LaunchTemplate | None:
    if not answer:
        return None
    return LaunchTemplate(answer.get("LaunchTemplateId"), answer.get("LaunchTemplateName"), answer.get("Version"))


def _mixed_policy(answer: dict[str, Any] | None) -> MixedPolicy | None:
    if not answer:
        return None
    template, distribution = answer.get("LaunchTemplate") or {}, answer.get("InstancesDistribution") or {}
    return MixedPolicy(
        launch_template=_launch_template(template.get("LaunchTemplateSpecification")),
        overrides=tuple(
            Override(
                each.get("InstanceType"),
                each.get("WeightedCapacity"),
                _launch_template(each.get("LaunchTemplateSpecification")),
                "InstanceRequirements" in each,
            )
            for each in template.get("Overrides") or ()
        ),
        on_demand_base=distribution.get("OnDemandBaseCapacity"),
        on_demand_percent_above_base=distribution.get("OnDemandPercentageAboveBaseCapacity"),
        spot_allocation_strategy=distribution.get("SpotAllocationStrategy"),
        spot_max_price=distribution.get("SpotMaxPrice") or None,
    )


def _warm_pool(answer: dict[str, Any]) -> WarmPool | None:
    configuration = answer.get("WarmPoolConfiguration")
    if not configuration:
        return None
    return WarmPool(
        min_size=configuration.get("MinSize"),
        size=answer.get("WarmPoolSize"),
        state=configuration.get("PoolState"),
        status=configuration.get("Status"),
    )
