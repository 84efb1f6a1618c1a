"""What must be so before an Operation ends, and what goes on after it?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pipelines.actuator.hands import Hands
from pipelines.actuator.steps.capacity import IMAGE_PREFIX, end_made_by
from pipelines.actuator.steps.contract import Wait
from pipelines.domain.lifecycle import OperationState, StepState
from pipelines.domain.plan import Plan, PlannedStep
from pipelines.models import Operation, Step

ROLLBACK_WINDOW = timedelta(days=7)  # safety.md 2: the image is kept that long
# What speaks against us or against the account's state; no capacity, a quarantine and a person's word do not
COUNTED = frozenset({"changed", "deadline", "denied", "image", "interrupted", "order", "refused"})


def end_leftovers(hands: Hands, operation_id: str, *, keep: str) -> Wait | None:
    """List all that carries the Operation's tag; end every living instance but `keep`. None once none is left.

    The calls belong to the launch steps: each of them made, or may have made, an instance.
    """
    return end_made_by(hands, operation_id, keep=keep)


def followers(operation: Operation, steps: Sequence[Step], then: OperationState) -> list[tuple[Plan, timedelta]]:
    """Plans that begin after a while: nothing that is left behind is without an open Operation."""
    image = next((s for s in steps if s.kind == "image" and s.state == StepState.DONE), None)
    if then is not OperationState.DONE or image is None or operation.is_shadow:
        return []
    image_id = str((image.result or {})["image_id"])
    args = {"name": IMAGE_PREFIX + str(operation.pk), "made_by": str(operation.pk)}
    plan = Plan(
        kind="sweep_image",
        region=operation.region,
        target=f"image/{image_id}",
        subject={},
        steps=(PlannedStep("remove_image", args),),
        breaker_failures=int(operation.plan["breaker_failures"]),
    )
    return [(plan, ROLLBACK_WINDOW)]
