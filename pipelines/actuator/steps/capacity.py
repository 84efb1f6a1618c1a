"""Steps that make and end capacity: an image, the replacement, its checks, the end of the old one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from accounts.aws.errors import Unusable
from accounts.aws.read.looks import Described
from pipelines.actuator.hands import Eyes, Hands
from pipelines.actuator.steps.contract import Changed, Failed, Result, Situation, Unsafe, Wait
from pipelines.domain.launch import CannotCopy, Copy, Original, launch_request
from pipelines.domain.plan import MANAGED_TAG, MANAGED_VALUE, OPERATION_TAG, REPLACES_TAG

LOOKS, OVER = 3, timedelta(seconds=60)  # safety.md 1: both checks ok on three looks over a minute
SETTLES = timedelta(seconds=60)  # what was made by a call whose answer was lost shows itself within
IMAGE_PREFIX = "spotopt-"  # names take no colon


# --- The old instance ---------------------------------------------------------------------------------------------
def unchanged(eyes: Eyes, at: Situation) -> Described:
    """The old instance, surely as it was when it was decided on. Raises Changed, naming what is not."""
    found = eyes.described(at.target_id)
    if found is None:
        raise Changed(f"AWS shows no {at.target_id}")
    facts, subject = found.facts, at.subject
    launched = facts.launched_at.isoformat() if facts.launched_at else None
    now = {
        "state": facts.state,
        "instance_type": facts.instance_type,
        "launched_at": launched,
        "lifecycle": facts.lifecycle,
        "image_id": facts.image_id,
        "subnet_id": facts.subnet_id,
        "tags": dict(facts.tags),
    }
    for name, value in now.items():
        if name not in subject or subject[name] != value:
            raise Changed(f"{at.target_id}: {name} was {subject.get(name)!r} and is {value!r}")
    return found


# --- An image -----------------------------------------------------------------------------------------------------
def image_request(eyes: Eyes, at: Situation) -> Result:
    unchanged(eyes, at)
    tags = [
        {"Key": MANAGED_TAG, "Value": MANAGED_VALUE},
        {"Key": OPERATION_TAG, "Value": at.operation_id},
        {"Key": REPLACES_TAG, "Value": at.target_id},
    ]
    return {
        "InstanceId": at.target_id,
        "Name": IMAGE_PREFIX + at.operation_id,
        "NoReboot": True,
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
    }


def see_image(eyes: Eyes, at: Situation) -> Result | Wait | None:
    found = eyes.image_named(IMAGE_PREFIX + at.operation_id)
    return None if found is None else {"image_id": found.id}


def make_image(hands: Hands, at: Situation) -> Result | Wait:
    try:
        return {"image_id": hands.create_image(at.request)}
    except Unusable as refusal:
        if refusal.code != "InvalidAMIName.Duplicate":
            raise
        return Wait(timedelta(seconds=5), "the image exists and is not visible yet")


def see_image_ready(eyes: Eyes, at: Situation) -> Result | Wait | None:
    found = eyes.image_named(IMAGE_PREFIX + at.operation_id)
    if found is None:
        return Wait(timedelta(seconds=15), "the image is not visible yet")
    if found.state == "available":
        return {"image_id": found.id}
    if found.state != "pending":
        raise Failed("image", f"the image {found.id} is {found.state}")
    return Wait(timedelta(seconds=30), "the image is being made")


def unmake_image(hands: Hands, at: Situation) -> Wait | None:
    """The image and its snapshots, which would be billed for ever."""
    found = hands.image_named(IMAGE_PREFIX + at.operation_id)
    if found is None:
        return _settled(at)
    hands.deregister_image(found.id)
    return Wait(timedelta(seconds=5), f"the image {found.id} is being removed")


# --- The replacement ----------------------------------------------------------------------------------------------
def replacement_request(eyes: Eyes, at: Situation) -> Result:
    """The frozen request; read from the old instance as it is now, which is as it was."""
    found = unchanged(eyes, at)
    disks = [disk.volume_id for disk in found.facts.block_devices]
    original = Original(
        instance=found.raw,
        volumes=eyes.volumes(disks) if disks else [],
        user_data=eyes.user_data(at.target_id),
        credit_mode=eyes.credit_mode(at.target_id) if at.subject.get("is_burstable") else None,
        shutdown_behavior=eyes.shutdown_behavior(at.target_id),
        vcpus=at.subject.get("vcpus"),
    )
    copy = Copy(
        operation_id=at.operation_id,
        instance_type=at.args["instance_type"],
        subnet_id=at.args["subnet_id"],
        is_burstable=bool(at.args.get("is_burstable")),
        image_id=at.results.get("image", {}).get("image_id"),
    )
    try:
        return launch_request(original, copy)
    except CannotCopy as refusal:
        raise Failed("refused", f"{at.target_id} cannot be copied: {refusal}") from refusal


def see_replacement(eyes: Eyes, at: Situation) -> Result | Wait | None:
    """Whatever the Operation has launched, by whichever candidate: it is adopted, never doubled."""
    alive = sorted((each for each in eyes.made_by(at.operation_id) if each.is_alive), key=_launched)
    return _made(alive[0]) if alive else None


def launch_replacement(hands: Hands, at: Situation) -> Result | Wait:
    return {"instance_id": hands.launch(at.request, token=at.token), "instance_type": at.args["instance_type"]}


def end_replacement(hands: Hands, at: Situation) -> Wait | None:
    """End all that the Operation launched, unless the old instance is no longer there to serve."""
    if not [each for each in hands.made_by(at.operation_id) if each.is_alive]:
        return end_made_by(hands, at.operation_id, keep="") or _settled(at)
    old = hands.described(at.target_id)
    if old is None or old.facts.state != "running":
        state = "not shown by AWS" if old is None else old.facts.state
        raise Unsafe(f"{at.target_id} is {state}, so its replacement is left running")
    return end_made_by(hands, at.operation_id, keep="")


def end_made_by(hands: Hands, operation_id: str, *, keep: str) -> Wait | None:
    """End every living instance of the Operation but `keep`, and their Spot requests; None once there are none."""
    extra = [each.id for each in hands.made_by(operation_id) if each.is_alive and each.id != keep]
    for instance_id in extra:
        hands.terminate(instance_id)
    # a request that is left open may be filled after we gave up
    requests = [each.id for each in hands.spot_requests_of(operation_id) if not keep or each.instance_id != keep]
    for request_id in requests:
        hands.cancel_spot_request(request_id)
    if not extra and not requests:
        return None
    return Wait(timedelta(seconds=5), f"{len(extra)} instances and {len(requests)} Spot requests are being ended")


def _launched(found: Described) -> tuple[str, str]:
    return (found.facts.launched_at.isoformat() if found.facts.launched_at else "", found.id)


def _made(found: Described) -> dict[str, Any]:
    return {"instance_id": found.id, "instance_type": found.facts.instance_type}


def _settled(at: Situation) -> Wait | None:
    """Nothing is there; where a call's answer was lost it may still come, and is waited for."""
    unknown_at = at.memory.get("unknown_at")
    if at.is_outcome_unknown and unknown_at and at.now - datetime.fromisoformat(unknown_at) < SETTLES:
        return Wait(timedelta(seconds=15), "an answer was lost; what it made may still appear")
    return None


# --- Its checks ---------------------------------------------------------------------------------------------------
def see_checks(eyes: Eyes, at: Situation) -> Result | Wait | None:
    """2/2 on three looks over a minute. Raises Failed when the replacement is gone."""
    hidden = not_visible(eyes, at)
    if hidden is not None:
        return hidden
    if not eyes.checks(at.replacement_id).are_passed:
        return Wait(timedelta(seconds=15), "its status checks have not passed yet")
    return steady(at, "its status checks pass", looks=LOOKS, over=OVER)


def not_visible(eyes: Eyes, at: Situation) -> Wait | None:
    """A Wait while AWS does not show the replacement yet. Raises Failed when it runs no more."""
    found = eyes.described(at.replacement_id)
    if found is None:
        return Wait(timedelta(seconds=5), f"{at.replacement_id} is not visible yet")
    if found.facts.state not in {"pending", "running"}:
        raise Failed("interrupted", f"the replacement {found.id} is {found.facts.state}")
    return None


def steady(at: Situation, what: str, *, looks: int, over: timedelta) -> Result | Wait:
    """So many good looks in a row over so long; a bad one in between begins anew (its Wait keeps no memory)."""
    since = datetime.fromisoformat(at.memory["good_since"]) if "good_since" in at.memory else at.now
    seen = int(at.memory.get("good_looks", 0)) + 1
    if seen >= looks and at.now - since >= over:
        return {"good_looks": seen}
    memory = {"good_since": since.isoformat(), "good_looks": seen}
    return Wait(over / max(1, looks - 1), what, memory)


# --- The end of the old instance ----------------------------------------------------------------------------------
def see_ended(eyes: Eyes, at: Situation) -> Result | Wait | None:
    """Only AWS's word that it ends, or has ended, counts: an id that is not found may be not shown."""
    found = eyes.described(at.target_id)
    if found is None:
        return Wait(timedelta(seconds=30), f"AWS does not show {at.target_id}")
    return None if found.is_alive else {"state": found.facts.state}


def still_replaced(eyes: Eyes, at: Situation) -> None:
    """The last look: the old one is as it was, and the new one is well, now."""
    unchanged(eyes, at)
    if eyes.is_termination_protected(at.target_id) is not False:
        raise Changed(f"{at.target_id} is protected from termination, or AWS does not say")
    found = eyes.described(at.replacement_id)
    if found is None or found.facts.state != "running" or not eyes.checks(at.replacement_id).are_passed:
        raise Changed(f"the replacement {at.replacement_id} is not well")
    for group in at.args.get("groups", ()):
        if eyes.target_health(group["group_arn"], at.replacement_id, group["port"]) != "healthy":
            raise Changed(f"the replacement {at.replacement_id} is not healthy in {group['group_name']}")
    for allocation_id in at.args.get("addresses", ()):
        address = eyes.address(allocation_id)
        if address is None or address.instance_id != at.replacement_id:
            raise Changed(f"the address {allocation_id} is not at the replacement")


def end_old(hands: Hands, at: Situation) -> Result | Wait:
    hands.terminate(at.target_id)
    return {"state": "shutting-down"}


def see_terminated(eyes: Eyes, at: Situation) -> Result | Wait | None:
    found = eyes.described(at.target_id)
    if found is not None and found.facts.state == "terminated":
        hidden = not_visible(eyes, at)  # taken back by AWS in the meantime: a person is told that both are gone
        return hidden or {"state": "terminated"}
    return Wait(timedelta(seconds=30), f"{at.target_id} is {found.facts.state if found else 'not shown'}")
