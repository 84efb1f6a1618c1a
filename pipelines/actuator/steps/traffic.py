"""Steps that move traffic: new into every target group, old out of it, the Elastic IP across."""

from __future__ import annotations

from datetime import timedelta

from pipelines.actuator.hands import Eyes, Hands
from pipelines.actuator.steps.capacity import not_visible, steady, unchanged
from pipelines.actuator.steps.contract import Changed, Result, Situation, Unsafe, Wait

LEAVING = frozenset({None, "draining"})
SOON = timedelta(seconds=15)


def _health(eyes: Eyes, at: Situation, instance_id: str) -> str | None:
    return eyes.target_health(at.args["group_arn"], instance_id, at.args["port"])


# --- The new one comes in -----------------------------------------------------------------------------------------
def see_registered(eyes: Eyes, at: Situation) -> Result | Wait | None:
    return None if _health(eyes, at, at.replacement_id) in LEAVING else {}


def register_new(hands: Hands, at: Situation) -> Result | Wait:
    hands.register_target(at.args["group_arn"], at.replacement_id, at.args["port"])
    return {}


def unregister_new(hands: Hands, at: Situation) -> Wait | None:
    """Its connections drain before it is ended."""
    health = _health(hands, at, at.replacement_id)
    if health is None:
        return None
    if health != "draining":
        hands.deregister_target(at.args["group_arn"], at.replacement_id, at.args["port"])
    return Wait(SOON, f"the replacement drains from {at.args['group_name']}")


def see_healthy(eyes: Eyes, at: Situation) -> Result | Wait | None:
    """The balancer's own word, on several looks in a row."""
    hidden = not_visible(eyes, at)
    if hidden is not None:
        return hidden
    health = _health(eyes, at, at.replacement_id)
    if health != "healthy":
        return Wait(SOON, f"{at.args['group_name']} says {health}")
    over = timedelta(seconds=float(at.args["probe_seconds"]))
    return steady(at, f"healthy in {at.args['group_name']}", looks=int(at.args["probes"]), over=over)


# --- The old one goes out -----------------------------------------------------------------------------------------
def see_leaving(eyes: Eyes, at: Situation) -> Result | Wait | None:
    return {} if _health(eyes, at, at.target_id) in LEAVING else None


def new_serves(eyes: Eyes, at: Situation) -> None:
    """The last look before the old one gets no more traffic."""
    unchanged(eyes, at)
    health = _health(eyes, at, at.replacement_id)
    if health != "healthy":
        raise Changed(f"the replacement is {health} in {at.args['group_name']}")


def unregister_old(hands: Hands, at: Situation) -> Result | Wait:
    hands.deregister_target(at.args["group_arn"], at.target_id, at.args["port"])
    return {}


def register_old(hands: Hands, at: Situation) -> Wait | None:
    """Back in, and well, before anything of the new one is taken away."""
    found = hands.described(at.target_id)
    if found is None or found.facts.state != "running":
        raise Unsafe(f"{at.target_id} runs no more, so the replacement keeps its place in {at.args['group_name']}")
    health = _health(hands, at, at.target_id)
    if health == "healthy":
        return None
    if health in LEAVING:
        hands.register_target(at.args["group_arn"], at.target_id, at.args["port"])
    return Wait(SOON, f"{at.target_id} is {health} in {at.args['group_name']}")


def see_drained(eyes: Eyes, at: Situation) -> Result | Wait | None:
    """Minutes pass here: a replacement that AWS takes back meanwhile is noticed at once, and the old one comes back."""
    hidden = not_visible(eyes, at)
    if hidden is not None:
        return hidden
    health = _health(eyes, at, at.target_id)
    return {} if health is None else Wait(SOON, f"{at.target_id} is {health} in {at.args['group_name']}")


# --- The Elastic IP -----------------------------------------------------------------------------------------------
def see_released(eyes: Eyes, at: Situation) -> Result | Wait | None:
    """Free, or already at the new one. Raises Changed when somebody else has it."""
    hidden = not_visible(eyes, at)
    if hidden is not None:
        return hidden
    holder = _holder(eyes, at)
    if holder in {None, at.replacement_id}:
        return {}
    if holder != at.target_id:
        raise Changed(f"the address {at.args['allocation_id']} is at {holder}")
    return None


def release_address(hands: Hands, at: Situation) -> Result | Wait:
    found = hands.address(at.args["allocation_id"])
    if found is None or found.instance_id != at.target_id or not found.association_id:
        raise Changed(f"the address {at.args['allocation_id']} is no longer at {at.target_id}")
    hands.disassociate_address(found.association_id)
    return {}


def give_address_back(hands: Hands, at: Situation) -> Wait | None:
    holder = _holder(hands, at)
    if holder == at.target_id:
        return None
    if holder is not None:
        raise Unsafe(f"the address {at.args['allocation_id']} is at {holder}, and was {at.target_id}'s")
    hands.associate_address(at.args["allocation_id"], at.target_id)
    return Wait(timedelta(seconds=2), "the address is being given back")


def see_moved(eyes: Eyes, at: Situation) -> Result | Wait | None:
    holder = _holder(eyes, at)
    if holder == at.replacement_id:
        return {}
    if holder is not None:
        raise Changed(f"the address {at.args['allocation_id']} is at {holder}")
    return None


def move_address(hands: Hands, at: Situation) -> Result | Wait:
    hands.associate_address(at.args["allocation_id"], at.replacement_id)
    return {}


def take_address_off(hands: Hands, at: Situation) -> Wait | None:
    found = hands.address(at.args["allocation_id"])
    if found is None or found.instance_id != at.replacement_id or not found.association_id:
        return None
    hands.disassociate_address(found.association_id)
    return Wait(timedelta(seconds=2), "the address is being freed")


def _holder(eyes: Eyes, at: Situation) -> str | None:
    found = eyes.address(at.args["allocation_id"])
    if found is None:
        raise Changed(f"the address {at.args['allocation_id']} is no longer the account's")
    return found.instance_id
