"""What did a crash leave? Found by the journal and by our tags, and finished: adopted by its Operation, or ended.

Only what an Operation of ours made is ever touched: anybody can write our tags, nobody else our journal. Its row was
committed before anything was made, so what names no row is not ours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from accounts.aws.read.looks import Described, OwnImage
from accounts.aws.timestamps import parse_timestamp
from accounts.models import AwsAccount
from pipelines.actuator import clock, journal
from pipelines.actuator.hands import Eyes
from pipelines.domain.lifecycle import DRIVEN, OPEN, OperationState, StepState
from pipelines.domain.plan import MANAGED_TAG, MANAGED_VALUE, OPERATION_TAG, Plan, PlannedStep
from pipelines.models import Operation, Step

YOUNGEST = timedelta(seconds=30)  # safety.md 1: younger ones may still be on their way into the journal
LOST = timedelta(minutes=2)
JOB = "the reconciler"
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Found:
    """What a sweep opened Operations for, and what carries our tags without being ours."""

    orphans: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


def wake_lost() -> int:
    """Operations that should go on and have no due time, or whose worker died long ago: due now. How many."""
    now = clock.now()
    is_lost = Q(due_at=None) & (Q(lease_until=None) | Q(lease_until__lte=now - LOST))
    return Operation.objects.filter(is_lost, state__in=sorted(DRIVEN)).update(due_at=now)


def sweep(account: AwsAccount, region: str, eyes: Eyes) -> Found:
    """Open an Operation for everything in the region that we made and that no open Operation answers for."""
    found = Found()
    instances = [each for each in eyes.made_by_us() if each.is_alive and _carries_our_name(each.facts.tags)]
    images = [each for each in eyes.images_made_by_us() if _carries_our_name(each.tags)]
    operations = _operations(account, [*(each.facts.tags for each in instances), *(each.tags for each in images)])
    now = clock.now()
    for instance in instances:
        operation = operations.get(instance.facts.tags[OPERATION_TAG])
        if operation is None:
            found.strangers.append(f"instance/{instance.id}")
        elif _is_old(instance.facts.launched_at, now) and not _answers_for(operation, instance):
            _open(account, region, operation, "sweep_instance", f"instance/{instance.id}", "end_orphan", {}, found)
    for image in images:
        operation = operations.get(image.tags[OPERATION_TAG])
        if operation is None:
            found.strangers.append(f"image/{image.id}")
        elif _is_old(_made_at(image), now) and not _keeps(operation, image):
            args = {"name": image.name}
            _open(account, region, operation, "sweep_image", f"image/{image.id}", "remove_image", args, found)
    if found.strangers:
        logger.warning("tagged as ours, and is not", extra={"account": account.account_id, "what": found.strangers})
    return found


def _carries_our_name(tags: object) -> bool:
    return isinstance(tags, dict) and tags.get(MANAGED_TAG) == MANAGED_VALUE and OPERATION_TAG in tags


def _operations(account: AwsAccount, tags: Iterable[object]) -> dict[str, Operation]:
    """The account's real Operations that the tags name, by id."""
    ids = set()
    for each in tags:
        try:
            ids.add(UUID(each[OPERATION_TAG]))  # type: ignore[index]
        except ValueError:
            continue
    rows = Operation.objects.filter(account=account, is_shadow=False, pk__in=ids).prefetch_related("steps", "followers")
    return {str(row.pk): row for row in rows}


def _answers_for(operation: Operation, instance: Described) -> bool:
    """It is still open, or it ended well and this is the machine it put in the old one's place."""
    if OperationState(operation.state) in OPEN:
        return True
    return operation.state == OperationState.DONE and _launched(operation) == instance.id


def _launched(operation: Operation) -> str:
    done: list[Step] = [s for s in operation.steps.all() if s.kind == "launch" and s.state == StepState.DONE]
    return str((done[0].result or {}).get("instance_id", "")) if done else ""


def _keeps(operation: Operation, image: OwnImage) -> bool:
    if OperationState(operation.state) in OPEN:
        return True
    target = f"image/{image.id}"
    return any(each.target == target and OperationState(each.state) in OPEN for each in operation.followers.all())


def _open(
    account: AwsAccount,
    region: str,
    made_by: Operation,
    kind: str,
    target: str,
    step: str,
    args: dict[str, str],
    found: Found,
) -> None:
    plan = Plan(
        kind=kind,
        region=region,
        target=target,
        subject={},
        steps=(PlannedStep(step, {**args, "made_by": str(made_by.pk)}),),
    )
    try:
        opened = journal.open_operation(account, plan, by=JOB, is_shadow=False, parent=made_by)
    except journal.TargetBusy:
        return
    journal.begin(opened, by=JOB)
    found.orphans.append(target)


def _is_old(made_at: datetime | None, now: datetime) -> bool:
    return made_at is not None and now - made_at > YOUNGEST


def _made_at(image: OwnImage) -> datetime | None:
    return parse_timestamp(image.created_at) if image.created_at else None
