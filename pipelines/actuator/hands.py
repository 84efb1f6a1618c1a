"""What may the actuator look at, and every verb that changes a cloud.

Shadow is chosen once, in `hands_for`: ShadowHands hold credentials that cannot write, and refuse every verb besides.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accounts.aws.client import Access, AwsSession
from accounts.aws.errors import AwsError
from accounts.aws.read import balancers as balancer_looks
from accounts.aws.read import looks
from accounts.aws.read.balancers import Membership
from accounts.aws.read.looks import Address, Checks, Described, OwnImage, SpotRequest
from accounts.aws.session import DOOR, Door
from accounts.aws.write import balancers, ec2
from accounts.models import AwsAccount
from governance.domain.policy import Acting
from governance.policies import policy_in_force
from pipelines.domain.plan import OPERATION_TAG
from pipelines.models import Operation

BeforeCall = Callable[[], None]


class Withheld(Exception):
    """A shadow run came to a call that would change something: `verb` with `request`, which was not made."""

    def __init__(self, verb: str, request: Mapping[str, Any]) -> None:
        super().__init__(verb)
        self.verb = verb
        self.request = dict(request)


class ShadowOnly(Exception):
    """The policy has gone back to shadow: what was begun may not go on."""


class Eyes:
    """Every look, with credentials that can only read."""

    def __init__(self, session: AwsSession) -> None:
        if session.access is not Access.READ:
            raise ValueError(f"{session} could write: looks are made with read credentials")
        self._read = session

    def described(self, instance_id: str) -> Described | None:
        """The instance with every field; None when AWS shows none of that id."""
        return looks.described(self._read, instance_id)

    def made_by(self, operation_id: str) -> list[Described]:
        """Every instance that carries the Operation's tag, ended ones too while AWS shows them."""
        return looks.tagged(self._read, OPERATION_TAG, operation_id)

    def made_by_us(self) -> list[Described]:
        return looks.tagged(self._read, OPERATION_TAG)

    def spot_requests_of(self, operation_id: str) -> list[SpotRequest]:
        """Those of the Operation that AWS may still fill, or holds active."""
        return looks.open_spot_requests(self._read, OPERATION_TAG, operation_id)

    def images_made_by_us(self) -> list[OwnImage]:
        return looks.tagged_images(self._read, OPERATION_TAG)

    def image_named(self, name: str) -> OwnImage | None:
        return looks.image_named(self._read, name)

    def checks(self, instance_id: str) -> Checks:
        return looks.checks(self._read, instance_id)

    def user_data(self, instance_id: str) -> str:
        """In base64."""
        return looks.user_data(self._read, instance_id)

    def shutdown_behavior(self, instance_id: str) -> str:
        return looks.shutdown_behavior(self._read, instance_id)

    def credit_mode(self, instance_id: str) -> str | None:
        return looks.credit_mode(self._read, instance_id)

    def volumes(self, volume_ids: Sequence[str]) -> list[dict[str, Any]]:
        return looks.volumes(self._read, volume_ids)

    def is_termination_protected(self, instance_id: str) -> bool | None:
        return looks.is_termination_protected(self._read, instance_id)

    def addresses(self, instance_id: str) -> list[Address]:
        return looks.addresses(self._read, instance_id)

    def address(self, allocation_id: str) -> Address | None:
        return looks.address(self._read, allocation_id)

    def memberships(self, instance_id: str, vpc_id: str) -> list[Membership]:
        return balancer_looks.memberships(self._read, instance_id, vpc_id)

    def classic_balancers(self, instance_id: str) -> list[str]:
        return balancer_looks.classic_balancers(self._read, instance_id)

    def target_health(self, group_arn: str, instance_id: str, port: int | None) -> str | None:
        """None when the instance is not registered."""
        return balancer_looks.target_health(self._read, group_arn, instance_id, port)


class Hands(Eyes, ABC):
    """Eyes, and the verbs: each touches one resource. `request` is the Step's frozen one."""

    @abstractmethod
    def launch(self, request: Mapping[str, Any], *, token: str) -> str: ...

    @abstractmethod
    def create_image(self, request: Mapping[str, Any]) -> str: ...

    @abstractmethod
    def terminate(self, instance_id: str) -> None: ...

    @abstractmethod
    def cancel_spot_request(self, request_id: str) -> None: ...

    @abstractmethod
    def deregister_image(self, image_id: str) -> None: ...

    @abstractmethod
    def register_target(self, group_arn: str, instance_id: str, port: int | None) -> None: ...

    @abstractmethod
    def deregister_target(self, group_arn: str, instance_id: str, port: int | None) -> None: ...

    @abstractmethod
    def associate_address(self, allocation_id: str, instance_id: str) -> str: ...

    @abstractmethod
    def disassociate_address(self, association_id: str) -> None: ...

    @abstractmethod
    def may(self, operation: str, request: Mapping[str, Any]) -> AwsError | None:
        """What EC2 would answer to the call, asked by a dry run; None = it would take it."""


class CloudHands(Hands):
    """Really does it. `before_call` runs before every verb: it raises where nothing may be changed any more."""

    def __init__(self, read: AwsSession, act: AwsSession, before_call: BeforeCall) -> None:
        super().__init__(read)
        if act.access is not Access.ACT:
            raise ValueError(f"{act} cannot write")
        self._act = act
        self._before_call = before_call

    def launch(self, request: Mapping[str, Any], *, token: str) -> str:
        self._before_call()
        return ec2.launch_spot(self._act, as_sent(request), token=token)

    def create_image(self, request: Mapping[str, Any]) -> str:
        self._before_call()
        return ec2.create_image(self._act, request)

    def terminate(self, instance_id: str) -> None:
        self._before_call()
        ec2.terminate(self._act, instance_id)

    def cancel_spot_request(self, request_id: str) -> None:
        self._before_call()
        ec2.cancel_spot_request(self._act, request_id)

    def deregister_image(self, image_id: str) -> None:
        self._before_call()
        ec2.deregister_image(self._act, image_id)

    def register_target(self, group_arn: str, instance_id: str, port: int | None) -> None:
        self._before_call()
        balancers.register_target(self._act, group_arn, instance_id, port)

    def deregister_target(self, group_arn: str, instance_id: str, port: int | None) -> None:
        self._before_call()
        balancers.deregister_target(self._act, group_arn, instance_id, port)

    def associate_address(self, allocation_id: str, instance_id: str) -> str:
        self._before_call()
        return ec2.associate_address(self._act, allocation_id, instance_id)

    def disassociate_address(self, association_id: str) -> None:
        self._before_call()
        ec2.disassociate_address(self._act, association_id)

    def may(self, operation: str, request: Mapping[str, Any]) -> AwsError | None:
        return ec2.may(self._act, operation, as_sent(request))


class ShadowHands(Hands):
    """Does nothing, and could not: it holds no session that may write."""

    def launch(self, request: Mapping[str, Any], *, token: str) -> str:
        raise Withheld("RunInstances", request)

    def create_image(self, request: Mapping[str, Any]) -> str:
        raise Withheld("CreateImage", request)

    def terminate(self, instance_id: str) -> None:
        raise Withheld("TerminateInstances", {"InstanceIds": [instance_id]})

    def cancel_spot_request(self, request_id: str) -> None:
        raise Withheld("CancelSpotInstanceRequests", {"SpotInstanceRequestIds": [request_id]})

    def deregister_image(self, image_id: str) -> None:
        raise Withheld("DeregisterImage", {"ImageId": image_id})

    def register_target(self, group_arn: str, instance_id: str, port: int | None) -> None:
        raise Withheld("RegisterTargets", {"TargetGroupArn": group_arn, "Id": instance_id, "Port": port})

    def deregister_target(self, group_arn: str, instance_id: str, port: int | None) -> None:
        raise Withheld("DeregisterTargets", {"TargetGroupArn": group_arn, "Id": instance_id, "Port": port})

    def associate_address(self, allocation_id: str, instance_id: str) -> str:
        raise Withheld("AssociateAddress", {"AllocationId": allocation_id, "InstanceId": instance_id})

    def disassociate_address(self, association_id: str) -> None:
        raise Withheld("DisassociateAddress", {"AssociationId": association_id})

    def may(self, operation: str, request: Mapping[str, Any]) -> AwsError | None:
        raise Withheld(f"{operation} (dry run)", request)


def as_sent(request: Mapping[str, Any]) -> dict[str, Any]:
    """The frozen request as botocore wants it: user data is kept in base64, and botocore encodes what it is given."""
    sent = dict(request)
    if "UserData" in sent:
        sent["UserData"] = base64.b64decode(sent["UserData"])
    return sent


def hands_for(operation: Operation, before_call: BeforeCall, *, door: Door = DOOR) -> Hands:
    """The one place where shadow is chosen.

    Raises ShadowOnly when the account's policy no longer lets anything act, and Denied when a role does not open.
    """
    account = operation.account
    read = door.session_for(account, operation.region, run=str(operation.pk))
    if operation.is_shadow:
        return ShadowHands(read)
    if policy_in_force(account).acting is Acting.SHADOW:
        raise ShadowOnly(f"the policy of account {account.account_id} says shadow")
    act = door.session_for(account, operation.region, Access.ACT, run=str(operation.pk))
    return CloudHands(read, act, before_call)


def eyes_for(account: AwsAccount, region: str, *, door: Door = DOOR) -> Eyes:
    """Looks alone, for whoever searches what a crash has left."""
    return Eyes(door.session_for(account, region, run="reconcile"))
