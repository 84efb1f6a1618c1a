"""Every kind of step, one explicit table. Deadlines: safety.md 1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pipelines.actuator.steps import capacity, cleanup, traffic
from pipelines.actuator.steps.contract import StepKind

MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
DRAIN_LONGEST = 65 * MINUTES  # a deregistration delay is an hour at most (ELBv2 guide, target group attributes)

_ALL = (
    StepKind(
        name="image",
        title="Make an image of the old instance",
        deadline=15 * MINUTES,
        prepare=capacity.image_request,
        observe=capacity.see_image,
        act=capacity.make_image,
        undo=capacity.unmake_image,
    ),
    StepKind(
        name="image_ready",
        title="Wait for the image",
        deadline=6 * HOURS,
        observe=capacity.see_image_ready,
    ),
    StepKind(
        name="launch",
        title="Launch the replacement on Spot",
        deadline=5 * MINUTES,
        prepare=capacity.replacement_request,
        observe=capacity.see_replacement,
        act=capacity.launch_replacement,
        undo=capacity.end_replacement,
        is_alternative=True,
    ),
    StepKind(
        name="checks",
        title="Wait for its status checks",
        deadline=15 * MINUTES,
        observe=capacity.see_checks,
    ),
    StepKind(
        name="register",
        title="Let a balancer send it traffic",
        deadline=5 * MINUTES,
        observe=traffic.see_registered,
        act=traffic.register_new,
        undo=traffic.unregister_new,
    ),
    StepKind(
        name="healthy",
        title="Wait until the balancer calls it healthy",
        deadline=15 * MINUTES,
        observe=traffic.see_healthy,
    ),
    StepKind(
        name="deregister",
        title="Take the old instance from the balancer",
        deadline=5 * MINUTES,
        observe=traffic.see_leaving,
        last_look=traffic.new_serves,
        act=traffic.unregister_old,
        undo=traffic.register_old,
    ),
    StepKind(
        name="drained",
        title="Wait until the old instance's connections have ended",
        deadline=DRAIN_LONGEST,
        observe=traffic.see_drained,
    ),
    StepKind(
        name="release_address",
        title="Take the Elastic IP from the old instance",
        deadline=5 * MINUTES,
        observe=traffic.see_released,
        act=traffic.release_address,
        undo=traffic.give_address_back,
    ),
    StepKind(
        name="move_address",
        title="Give the Elastic IP to the replacement",
        deadline=5 * MINUTES,
        observe=traffic.see_moved,
        act=traffic.move_address,
        undo=traffic.take_address_off,
    ),
    StepKind(
        name="terminate",
        title="End the old instance",
        deadline=15 * MINUTES,
        observe=capacity.see_ended,
        last_look=capacity.still_replaced,
        act=capacity.end_old,
        is_irreversible=True,
    ),
    StepKind(
        name="ended",
        title="Wait until the old instance has ended",
        deadline=1 * HOURS,
        observe=capacity.see_terminated,
    ),
    StepKind(
        name="remove_image",
        title="Remove the image and its snapshots",
        deadline=1 * HOURS,
        observe=cleanup.see_image_gone,
        last_look=cleanup.image_is_ours,
        act=cleanup.remove_image,
        is_irreversible=True,
    ),
    StepKind(
        name="end_orphan",
        title="End an instance that nothing answers for",
        deadline=1 * HOURS,
        observe=cleanup.see_orphan_gone,
        last_look=cleanup.orphan_is_ours,
        act=cleanup.end_orphan,
        is_irreversible=True,
    ),
)
KINDS: Mapping[str, StepKind] = {kind.name: kind for kind in _ALL}
