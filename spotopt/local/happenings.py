"""What can happen to a customer's cloud that no call of ours asked for?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spotopt.local import events
from spotopt.local.census import every
from spotopt.local.group_life import StrictGroup
from spotopt.local.instance_life import StrictInstance
from spotopt.local.machines import SpotRequest
from spotopt.local.wire import Refusal
from spotopt.local.world import World

from moto.autoscaling.models import autoscaling_backends  # isort: skip
from moto.ec2.models import ec2_backends  # isort: skip

Words = Mapping[str, Any]
NOTICE = 120  # seconds; EC2 guide, "Spot Instance interruption notices"


def is_yes(words: Words, name: str) -> bool:
    return str(words.get(name, "")).lower() in ("1", "true", "yes", "on")


def instance_of(instance_id: Any) -> StrictInstance:
    for backend in every(ec2_backends):
        found = backend.get_instance_by_id(str(instance_id))
        if isinstance(found, StrictInstance):
            return found
    raise Refusal("InvalidInstanceID.NotFound", f"{instance_id} is no instance of this cloud")


def spot_request_of(instance_id: Any) -> SpotRequest:
    """Refuses an instance that is not there, or not Spot."""
    for backend in every(ec2_backends):
        for request in backend.spot_instance_requests.values():
            if isinstance(request, SpotRequest) and request.instance_id == instance_id:
                return request
    raise Refusal("InvalidInstanceID.NotFound", f"{instance_id} is no Spot instance of this cloud")


def interrupt(words: Words) -> None:
    """Rebalance recommendation, notice, end two minutes later. `now` skips the notice, `unannounced` every event,
    `recommended` sends the recommendation first; `copies` and `late` (seconds) are the queue's doing.
    """
    request = spot_request_of(words["instance_id"])
    if is_yes(words, "now"):
        _take_back(request)
        return
    first = World.pace.rebalance if is_yes(words, "recommended") else 0
    if first:
        recommend(words)
    World.agenda.add(first, lambda: _give_notice(request, words))


def _give_notice(request: SpotRequest, words: Words) -> None:
    if request.state != "active":
        return
    request.move("active", "marked-for-termination", "Your Spot Instance is marked for termination.", World.clock.now())
    if not is_yes(words, "unannounced"):
        events.send(
            events.WARNING,
            request.instance,
            {"instance-action": "terminate"},
            copies=int(words.get("copies") or 1),
            after=float(words.get("late") or 0),
        )
    World.agenda.add(NOTICE, lambda: _take_back(request))


def _take_back(request: SpotRequest) -> None:
    """EC2 guide, "Spot request status codes"."""
    if request.state != "active":
        return
    message = "Your Spot Instance was terminated because there is no Spot capacity that matches your request."
    request.move("closed", "instance-terminated-no-capacity", message, World.clock.now())
    instance: Any = request.instance
    instance.terminate("Server.SpotInstanceTermination", "Spot instance termination")


def recommend(words: Words) -> None:
    """A rebalance recommendation alone: an interruption may follow, or not."""
    request = spot_request_of(words["instance_id"])
    events.send(
        events.RECOMMENDATION,
        request.instance,
        {},
        copies=int(words.get("copies") or 1),
        after=float(words.get("late") or 0),
    )


def post(words: Words) -> None:
    """Any body into a region's queue: forged, malformed."""
    events.put(str(words["region"]), str(words["body"]))


def sicken(words: Words) -> None:
    """Its pages stop answering; with `checks` its status checks fail too. `well` mends it."""
    instance = instance_of(words["instance_id"])
    instance.answers = is_yes(words, "well")
    instance.is_impaired = is_yes(words, "checks") and not is_yes(words, "well")
    instance.tell()


def crash(words: Words) -> None:
    """The host fails: the instance ends without a call (EC2 guide, "Instance termination": Server.InternalError)."""
    instance_of(words["instance_id"]).terminate("Server.InternalError", "Internal error on launch or host failure")


def change_tag(words: Words) -> None:
    """Somebody else writes a tag; without `value` he takes it away."""
    instance = instance_of(words["instance_id"])
    if "value" in words:
        instance.ec2_backend.create_tags([instance.id], {str(words["key"]): str(words["value"])})
    else:
        instance.ec2_backend.delete_tag_keys([instance.id], [str(words["key"])])


def protect(words: Words) -> None:
    """Somebody else switches termination protection on; `off` takes it away."""
    instance_of(words["instance_id"]).disable_api_termination = not is_yes(words, "off")


def group_of(words: Words) -> StrictGroup:
    """Refuses a name that no group of this cloud has."""
    for backend in every(autoscaling_backends):
        found = backend.autoscaling_groups.get(str(words["group"]))
        if isinstance(found, StrictGroup):
            return found
    raise Refusal("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{words['group']}' not found")


def scale(words: Words) -> None:
    """A scaling policy changes the desired capacity by so many, within the bounds (guide, "Dynamic scaling")."""
    group = group_of(words)
    if group.runs("AlarmNotification"):
        wanted = int(group.desired_capacity or 0) + int(words["by"])
        group.set_desired_capacity(min(max(wanted, int(group.min_size or 0)), int(group.max_size or 0)))


def resize(words: Words) -> None:
    """Somebody else changes the bounds."""
    group = group_of(words)
    group.min_size = int(words.get("minimum") or group.min_size)
    group.max_size = int(words.get("maximum") or group.max_size)
    group.set_desired_capacity(min(max(int(group.desired_capacity or 0), group.min_size), group.max_size))


def balance(words: Words) -> None:
    """The group looks at its zones now instead of later."""
    group_of(words).balance()


def new_template_version(words: Words) -> None:
    """Somebody else makes a new version of the group's launch template the default, with another type."""
    template = group_of(words).ec2_launch_template
    if template is None:
        raise Refusal("ValidationError", "the group has no launch template")
    data = {**template.latest_version().data, "InstanceType": str(words["instance_type"])}
    template.default_version_number = template.create_version(data, "changed by somebody else").number


VERBS: dict[str, Callable[[Words], None]] = {
    "interrupt": interrupt,
    "recommend": recommend,
    "post": post,
    "sicken": sicken,
    "crash": crash,
    "change-tag": change_tag,
    "protect": protect,
    "scale": scale,
    "resize": resize,
    "balance": balance,
    "new-template-version": new_template_version,
}


def carry_out(verb: str, words: Words) -> None:
    """Raises Refusal for what is not there, KeyError for a word that is missing."""
    VERBS[verb](words)
