"""Steps that end what was left: an image after its rollback window, an instance that no open Operation answers for."""

from __future__ import annotations

from datetime import timedelta

from pipelines.actuator.hands import Eyes, Hands
from pipelines.actuator.steps.contract import Changed, Result, Situation, Wait
from pipelines.domain.plan import MANAGED_TAG, MANAGED_VALUE, OPERATION_TAG


def see_image_gone(eyes: Eyes, at: Situation) -> Result | Wait | None:
    return {} if eyes.image_named(at.args["name"]) is None else None


def image_is_ours(eyes: Eyes, at: Situation) -> None:
    """The last look: that very image, made by that very Operation."""
    found = eyes.image_named(at.args["name"])
    if found is None or found.id != at.target_id or found.tags.get(OPERATION_TAG) != at.args["made_by"]:
        raise Changed(f"{at.target_id} is not the image that operation {at.args['made_by']} made")


def remove_image(hands: Hands, at: Situation) -> Result | Wait:
    hands.deregister_image(at.target_id)
    return {}


def see_orphan_gone(eyes: Eyes, at: Situation) -> Result | Wait | None:
    found = eyes.described(at.target_id)
    if found is None:
        return Wait(timedelta(seconds=30), f"AWS does not show {at.target_id}")
    return None if found.is_alive else {"state": found.facts.state}


def orphan_is_ours(eyes: Eyes, at: Situation) -> None:
    """The last look: it carries the tags of an Operation that has ended, and was launched for it."""
    found = eyes.described(at.target_id)
    tags = found.facts.tags if found else {}
    if tags.get(MANAGED_TAG) != MANAGED_VALUE or tags.get(OPERATION_TAG) != at.args["made_by"]:
        raise Changed(f"{at.target_id} does not carry the tags of operation {at.args['made_by']}")


def end_orphan(hands: Hands, at: Situation) -> Result | Wait:
    hands.terminate(at.target_id)
    return {}
