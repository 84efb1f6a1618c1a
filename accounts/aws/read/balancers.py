"""Which balancers send an instance traffic, and do they think it well?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts.aws.client import AwsSession
from accounts.aws.errors import Gone, translated_errors

ACTIONS: tuple[str, ...] = (
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
)
DEFAULT_DRAIN_SECONDS = 300  # ELBv2 guide, "Target group attributes": deregistration_delay.timeout_seconds
UNREGISTERED = "Target.NotRegistered"


@dataclass(frozen=True, slots=True)
class Membership:
    """One registration of an instance; a group may hold it once for each port."""

    group_arn: str
    group_name: str
    port: int | None
    health: str
    drain_seconds: int


def memberships(session: AwsSession, instance_id: str, vpc_id: str) -> list[Membership]:
    """Every registration of the instance in a target group of its VPC. One call for each such group."""
    if not instance_id or not vpc_id:
        raise ValueError("an instance and its VPC are needed")
    found: list[Membership] = []
    for group in _groups(session):
        if group.get("TargetType", "instance") != "instance" or group.get("VpcId") != vpc_id:
            continue
        for port, health in _targets(session, group["TargetGroupArn"], instance_id):
            drain = _drain_seconds(session, group["TargetGroupArn"])
            name = group.get("TargetGroupName", "")
            found.append(Membership(group["TargetGroupArn"], name, port, health, drain))
    return found


def target_health(session: AwsSession, group_arn: str, instance_id: str, port: int | None) -> str | None:
    """ "healthy", "initial", "unhealthy", "draining" …; None when that registration is not there."""
    for found, health in _targets(session, group_arn, instance_id):
        if port is None or found == port:
            return health
    return None


def classic_balancers(session: AwsSession, instance_id: str) -> list[str]:
    """The names of the Classic balancers that the instance is registered in."""
    found: list[str] = []
    marker: dict[str, str] = {}
    while True:
        with translated_errors("DescribeLoadBalancers"):
            answer = session.client("elb").describe_load_balancers(**marker)
        found.extend(
            each["LoadBalancerName"]
            for each in answer["LoadBalancerDescriptions"]
            if instance_id in {member["InstanceId"] for member in each.get("Instances") or ()}
        )
        if not answer.get("NextMarker"):
            return found
        marker = {"Marker": answer["NextMarker"]}


def _groups(session: AwsSession) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    marker: dict[str, str] = {}
    while True:
        with translated_errors("DescribeTargetGroups"):
            answer = session.client("elbv2").describe_target_groups(**marker)
        found += answer["TargetGroups"]
        if not answer.get("NextMarker"):
            return found
        marker = {"Marker": answer["NextMarker"]}


def _targets(session: AwsSession, group_arn: str, instance_id: str) -> list[tuple[int | None, str]]:
    """(port, health) of each registration of the instance; asked for the whole group: it has no paginator."""
    try:
        with translated_errors("DescribeTargetHealth"):
            answer = session.client("elbv2").describe_target_health(TargetGroupArn=group_arn)
    except Gone:
        return []
    return [
        (each["Target"].get("Port"), each["TargetHealth"].get("State", "unknown"))
        for each in answer["TargetHealthDescriptions"]
        if each["Target"]["Id"] == instance_id and each["TargetHealth"].get("Reason") != UNREGISTERED
    ]


def _drain_seconds(session: AwsSession, group_arn: str) -> int:
    with translated_errors("DescribeTargetGroupAttributes"):
        answer = session.client("elbv2").describe_target_group_attributes(TargetGroupArn=group_arn)
    values = {each["Key"]: each.get("Value") for each in answer["Attributes"]}
    return int(values.get("deregistration_delay.timeout_seconds") or DEFAULT_DRAIN_SECONDS)
