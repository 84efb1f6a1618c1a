"""The calls that change EC2, one resource each. Only pipelines.actuator may make them (import contracts).

Never repeated here, nor by botocore: the runner repeats, after observing. Every function needs an act session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from accounts.aws.client import Access, AwsSession
from accounts.aws.errors import AwsError, Unusable, translated_errors

ACTIONS: tuple[str, ...] = (
    "ec2:AssociateAddress",
    "ec2:CancelSpotInstanceRequests",
    "ec2:CreateImage",
    "ec2:DeregisterImage",
    "ec2:DisassociateAddress",
    "ec2:RunInstances",
    "ec2:TerminateInstances",
)
# What those calls need beside their own permission: tags on what they make (EC2 guide, "Grant permission to tag on
# creation"), the snapshots of a deregistered image, the instance's role, the key of an encrypted disk [E7]
BESIDE_ACTIONS: tuple[str, ...] = ("ec2:CreateTags", "ec2:DeleteSnapshot", "iam:PassRole", "kms:CreateGrant")
TAGGED = ("instance", "network-interface", "spot-instances-request", "volume")
MOST_TOKEN = 64  # EC2 guide, "Ensuring idempotency": at most 64 ASCII characters


def launch_spot(session: AwsSession, request: Mapping[str, Any], *, token: str) -> str:
    """Start one Spot instance; return its id.

    `token` is EC2's ClientToken: a repeat with the same request starts nothing new, so a caller that lost the answer
    asks again. ValueError for a request that is not one tagged, one-time Spot instance.
    """
    _check_launch(request, token)
    with translated_errors("RunInstances"):
        answer = _ec2(session).run_instances(**request, ClientToken=token)
    return str(answer["Instances"][0]["InstanceId"])


def _check_launch(request: Mapping[str, Any], token: str) -> None:
    market = request.get("InstanceMarketOptions") or {}
    spot = market.get("SpotOptions") or {}
    tagged = {each["ResourceType"] for each in request.get("TagSpecifications") or () if each.get("Tags")}
    if (request.get("MinCount"), request.get("MaxCount")) != (1, 1):
        raise ValueError("a launch starts one instance")
    if market.get("MarketType") != "spot" or spot.get("SpotInstanceType") != "one-time" or "MaxPrice" in spot:
        raise ValueError("a launch is Spot, one-time, without a price limit: a persistent request starts what we end")
    if set(TAGGED) - tagged:
        raise ValueError(f"a launch tags all it makes; missing: {', '.join(sorted(set(TAGGED) - tagged))}")
    if not token.isascii() or not 0 < len(token) <= MOST_TOKEN or "ClientToken" in request:
        raise ValueError("a launch has a token of its own, of at most 64 ASCII characters")


def create_image(session: AwsSession, request: Mapping[str, Any]) -> str:
    """Copy an instance's disks into an image; return its id. There is no token: find an existing one by its name.

    ValueError for a request that would restart the machine, or makes something without tags.
    """
    if request.get("NoReboot") is not True:
        raise ValueError("CreateImage restarts a running machine unless NoReboot is spelt out")
    if {each["ResourceType"] for each in request.get("TagSpecifications") or ()} != {"image", "snapshot"}:
        raise ValueError("an image and its snapshots are tagged in the call that makes them")
    _named(request.get("Name", ""))
    with translated_errors("CreateImage"):
        answer = _ec2(session).create_image(**request)
    return str(answer["ImageId"])


def terminate(session: AwsSession, instance_id: str) -> None:
    """End one instance; harmless when repeated. One id a call: a protected one would block its whole zone [E3]."""
    _named(instance_id)
    with translated_errors("TerminateInstances"):
        _ec2(session).terminate_instances(InstanceIds=[instance_id])


def cancel_spot_request(session: AwsSession, request_id: str) -> None:
    """Let a Spot request be filled no more; harmless when repeated. It ends no instance."""
    _named(request_id)
    with translated_errors("CancelSpotInstanceRequests"):
        _ec2(session).cancel_spot_instance_requests(SpotInstanceRequestIds=[request_id])


def deregister_image(session: AwsSession, image_id: str) -> None:
    """Remove an image and the snapshots that only it uses, which would be billed for ever."""
    _named(image_id)
    with translated_errors("DeregisterImage"):
        _ec2(session).deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)


def associate_address(session: AwsSession, allocation_id: str, instance_id: str) -> str:
    """Give a free Elastic IP to an instance; return the association. Never takes one that somebody has."""
    _named(allocation_id)
    _named(instance_id)
    with translated_errors("AssociateAddress"):
        answer = _ec2(session).associate_address(
            AllocationId=allocation_id, InstanceId=instance_id, AllowReassociation=False
        )
    return str(answer["AssociationId"])


def disassociate_address(session: AwsSession, association_id: str) -> None:
    """Take an Elastic IP off an instance: that very association, so that nobody else's is touched."""
    _named(association_id)
    with translated_errors("DisassociateAddress"):
        _ec2(session).disassociate_address(AssociationId=association_id)


def may(session: AwsSession, operation: str, request: Mapping[str, Any]) -> AwsError | None:
    """Ask EC2 whether it would take the call, without making it; None = it would.

    It proves permission and form, not capacity and not quota.
    """
    try:
        with translated_errors(operation):
            getattr(_ec2(session), xform_name(operation))(**{**request, "DryRun": True})
    except AwsError as error:
        return None if error.code == "DryRunOperation" else error
    raise Unusable("DryRunIgnored", f"{operation} answered a dry run as if it were none", operation)


def _ec2(session: AwsSession) -> Any:
    if session.access is not Access.ACT:
        raise ValueError(f"{session} may only read")
    return session.client("ec2")


def _named(name: str) -> None:
    if not name:
        raise ValueError("nothing is named; to AWS an empty list may mean all")
