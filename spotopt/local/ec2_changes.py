"""How does EC2 answer the calls that change something?"""

from __future__ import annotations

from typing import Any

from spotopt.local import instant_fleet
from spotopt.local.launching import is_true, launch, refuse_reserved, with_template

from moto.core.responses import ActionResult, EmptyResult  # isort: skip
from moto.ec2.exceptions import EC2ClientError  # isort: skip
from moto.ec2.models import validate_resource_ids  # isort: skip
from moto.ec2.models.instances import Reservation  # isort: skip
from moto.ec2.responses import EC2Response  # isort: skip

STATUS_FILTERS = frozenset({"instance-state-name", "instance-state-code"})


class Changes(EC2Response):
    """Launch, end, image, tag and address calls, with their refusals."""

    def run_instances(self) -> ActionResult:
        params = self._get_params()
        least, most = int(params.get("MinCount", 1)), int(params.get("MaxCount", 1))
        if not 1 <= least <= most:
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{most}' for maxCount.")
        if "ImageId" not in with_template(self.ec2_backend, params):
            raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
        reservation: Reservation = self.ec2_backend.tokens.once(
            "RunInstances", params, lambda: launch(self.ec2_backend, params, most)
        )
        if all(instance.state == "terminated" for instance in reservation.instances):
            raise EC2ClientError(
                "IdempotentInstanceTerminated",
                "The request to launch an instance uses a previously-used client token for which the original "
                "instance has been terminated.",
            )
        return ActionResult(reservation)

    def create_fleet(self) -> ActionResult:
        params = self._get_params()
        return ActionResult(
            self.ec2_backend.tokens.once("CreateFleet", params, lambda: instant_fleet.start(self.ec2_backend, params))
        )

    def create_launch_template(self) -> ActionResult:
        params = self._get_params()
        made: ActionResult = self.ec2_backend.tokens.once(
            "CreateLaunchTemplate", params, super().create_launch_template
        )
        return made

    def create_volume(self) -> ActionResult:
        params = self._get_params()
        made: ActionResult = self.ec2_backend.tokens.once("CreateVolume", params, super().create_volume)
        return made

    def terminate_instances(self) -> ActionResult:
        """moto tells groups and balancers from here; ours listen to the instance itself."""
        ended = self.ec2_backend.terminate_instances(self._wanted_instances())
        return ActionResult({"TerminatingInstances": [_moved(one, before) for one, before in ended]})

    def stop_instances(self) -> ActionResult:
        stopped = self.ec2_backend.stop_instances(self._wanted_instances())
        return ActionResult({"StoppingInstances": [_moved(one, before) for one, before in stopped]})

    def start_instances(self) -> ActionResult:
        started = self.ec2_backend.start_instances(self._wanted_instances())
        return ActionResult({"StartingInstances": [_moved(one, before) for one, before in started]})

    def _wanted_instances(self) -> list[str]:
        wanted = self._get_param("InstanceIds", [])
        if not wanted:
            raise EC2ClientError("MissingParameter", "The request must contain the parameter InstanceId")
        return list(wanted)

    def describe_instance_status(self) -> ActionResult:
        """Running ones unless IncludeAllInstances; a filter this cloud does not know is refused, not ignored."""
        filters = [{"name": name, "values": values} for name, values in self._filters_from_querystring().items()]
        if unknown := sorted({str(one["name"]) for one in filters} - STATUS_FILTERS):
            raise EC2ClientError("InvalidParameterValue", f"The filter '{unknown[0]}' is invalid")
        found = self.ec2_backend.describe_instance_status(
            self._get_param("InstanceIds", []), self._get_bool_param("IncludeAllInstances", False), filters
        )
        return ActionResult({"InstanceStatuses": [one for one in found if not self.ec2_backend.is_unseen(one)]})

    def describe_instance_credit_specifications(self) -> ActionResult:
        found = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", []))
        rows = [{"InstanceId": one.id, "CpuCredits": one.cpu_credits} for one in found if one.cpu_credits]
        return ActionResult({"InstanceCreditSpecifications": rows})

    def create_image(self) -> ActionResult:
        image = self.ec2_backend.image(
            self._get_param("InstanceId"),
            self._get_param("Name"),
            self._get_param("Description", ""),
            self._get_param("TagSpecifications", []),
            no_reboot=is_true(self._get_param("NoReboot", False)),
        )
        return ActionResult({"ImageId": image.id})

    def deregister_image(self) -> ActionResult:
        deleted = self.ec2_backend.deregister(
            self._get_param("ImageId"), with_snapshots=is_true(self._get_param("DeleteAssociatedSnapshots", False))
        )
        return ActionResult({"Return": True, "DeleteSnapshotResults": deleted})

    def associate_address(self) -> ActionResult:
        """An address is taken from whoever has it unless AllowReassociation is false; with moto it is not."""
        backend: Any = self.ec2_backend
        instance_id, interface_id = self._get_param("InstanceId"), self._get_param("NetworkInterfaceId")
        if not instance_id and not interface_id:
            raise EC2ClientError("MissingParameter", "Either instance ID or network interface id must be specified")
        instance = backend.get_multi_instances_by_id([instance_id])[0] if instance_id else None
        if instance is not None and len(instance.nics) > 1:
            raise EC2ClientError(
                "InvalidInstanceID", f"There are multiple interfaces attached to instance '{instance_id}'."
            )
        found = backend.associate_address(
            instance=instance,
            eni=None if instance_id else backend.get_network_interface(interface_id),
            address=self._get_param("PublicIp"),
            allocation_id=self._get_param("AllocationId"),
            reassociate=is_true(self._get_param("AllowReassociation", True)),
        )
        return ActionResult({"AssociationId": found.association_id})

    def create_tags(self) -> ActionResult:
        resources = self._get_param("Resources", [])
        validate_resource_ids(resources)
        self.ec2_backend.do_resources_exist(resources)
        tags = {tag["Key"]: tag.get("Value", "") for tag in self._get_param("Tags", [])}
        self.ec2_backend.create_tags_asked(resources, tags)
        return EmptyResult()

    def delete_tags(self) -> ActionResult:
        refuse_reserved({tag["Key"]: None for tag in self._get_param("Tags", [])})
        return super().delete_tags()


def _moved(instance: Any, before: Any) -> dict[str, Any]:
    return {"InstanceId": instance.id, "CurrentState": instance.instance_state, "PreviousState": before}
