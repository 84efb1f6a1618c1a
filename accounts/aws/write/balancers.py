"""The calls that change who gets traffic, one target each. Only pipelines.actuator may make them."""

from __future__ import annotations

from typing import Any

from accounts.aws.client import Access, AwsSession
from accounts.aws.errors import translated_errors

ACTIONS: tuple[str, ...] = (
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:RegisterTargets",
)


def register_target(session: AwsSession, group_arn: str, instance_id: str, port: int | None) -> None:
    """Send an instance traffic; harmless when repeated."""
    with translated_errors("RegisterTargets"):
        _elbv2(session).register_targets(TargetGroupArn=group_arn, Targets=[_target(group_arn, instance_id, port)])


def deregister_target(session: AwsSession, group_arn: str, instance_id: str, port: int | None) -> None:
    """Let an instance's connections drain and send it no more; harmless when repeated."""
    with translated_errors("DeregisterTargets"):
        _elbv2(session).deregister_targets(TargetGroupArn=group_arn, Targets=[_target(group_arn, instance_id, port)])


def _target(group_arn: str, instance_id: str, port: int | None) -> dict[str, Any]:
    if not group_arn or not instance_id:
        raise ValueError("a target group and one instance are needed")
    return {"Id": instance_id} if port is None else {"Id": instance_id, "Port": port}


def _elbv2(session: AwsSession) -> Any:
    if session.access is not Access.ACT:
        raise ValueError(f"{session} may only read")
    return session.client("elbv2")
