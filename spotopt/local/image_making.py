"""How do images and snapshots come to be and go? EC2 guide, "Create an Amazon EBS-backed AMI"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from spotopt.local.images import CreatedImage
from spotopt.local.launching import tags_of
from spotopt.local.world import World

from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError  # isort: skip
from moto.ec2.models.amis import Ami  # isort: skip
from moto.ec2.models.elastic_block_store import Snapshot  # isort: skip

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend as Backend
else:
    Backend = object  # moto's backends have an order of inheritance of their own

NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}$")  # CreateImage reference, Name


class StrictImages(Backend):
    """The part of EC2's backend that makes images and snapshots."""

    def image(self, instance_id: str, name: str, description: str, specs: list[Any], *, no_reboot: bool) -> Ami:
        """CreateImage: pending first; it reboots a running instance unless told not to."""
        if not NAME.match(name):
            raise EC2ClientError(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', "
                "'.', '-', '/' and '_'",
            )
        taken = next((one for one in self.amis.values() if one.name == name and self._is_own(one)), None)
        if taken is not None:
            raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {taken.id}")
        (instance,) = self.get_multi_instances_by_id([instance_id])
        if instance.state not in ("running", "stopping", "stopped"):
            raise EC2ClientError(
                "IncorrectInstanceState",
                f"Instance {instance_id} is not 'running' or 'stopped'; it is {instance.state}.",
            )
        tags = tags_of({"TagSpecifications": specs})
        if others := sorted(set(tags) - {"image", "snapshot", "instance"}) or tags["instance"]:
            raise EC2ClientError("InvalidParameterValue", f"{others} is not taggable by this request")
        made = CreatedImage(self, instance, name, description, World.clock.now())
        made.visible_at += timedelta(seconds=World.pace.unseen)
        made.no_reboot = no_reboot
        made.disks = [self._copied(made, device, block, tags) for device, block in instance.get_block_device_mapping]
        made.add_tags(tags.get("image", {}))
        self.amis[made.id] = made
        if instance.state == "running" and not no_reboot:
            self.reboot(instance)  # type: ignore[attr-defined]
        World.agenda.add(World.pace.image, lambda: self._has_copied(made))
        return made

    def _is_own(self, image: Ami) -> bool:
        return bool(image.owner_id == self.account_id)

    def _copied(self, image: CreatedImage, device: str, block: Any, tags: dict[str, dict[str, str]]) -> dict[str, Any]:
        volume = self.volumes[block.volume_id]
        snapshot = self.create_snapshot(volume.id, f"Created by CreateImage({image.instance_id}) for {image.id}")
        snapshot.from_ami = image.id
        snapshot.add_tags(tags.get("snapshot", {}))
        ebs = {
            "SnapshotId": snapshot.id,
            "VolumeSize": volume.size,
            "VolumeType": volume.volume_type,
            "DeleteOnTermination": block.delete_on_termination,
            "Encrypted": volume.encrypted,
        }
        if volume.volume_type in ("gp3", "io1", "io2"):
            ebs["Iops"] = volume.iops
        if volume.volume_type == "gp3" and volume.throughput:
            ebs["Throughput"] = volume.throughput
        return {"DeviceName": device, "Ebs": ebs}

    def _has_copied(self, image: CreatedImage) -> None:
        if image.state == "pending" and image.id in self.amis:
            for snapshot_id in image.snapshot_ids:
                self._complete(snapshot_id)
            image.state = "available"

    def create_snapshot(
        self, volume_id: str, description: str, owner_id: str | None = None, from_ami: str | None = None
    ) -> Snapshot:
        """Pending first. Those of public images were there before."""
        snapshot = super().create_snapshot(volume_id, description, owner_id, from_ami)
        snapshot.start_time = World.clock.now()
        if from_ami is None:
            snapshot.status = "pending"
            World.agenda.add(World.pace.snapshot, lambda: self._complete(snapshot.id))
        return snapshot

    def _complete(self, snapshot_id: str) -> None:
        if snapshot_id in self.snapshots:
            self.snapshots[snapshot_id].status = "completed"

    def unseen_images(self) -> set[str]:
        return {one.id for one in self.amis.values() if self.is_unseen(one)}  # type: ignore[attr-defined]

    def describe_images(
        self,
        ami_ids: list[str] | None = None,
        filters: dict[str, Any] | None = None,
        exec_users: list[str] | None = None,
        owners: list[str] | None = None,
    ) -> list[Ami]:
        """An id that is gone or not yet visible is not found; moto answers an empty list for what was deregistered."""
        unseen = self.unseen_images()
        if missing := [
            one for one in ami_ids or [] if one.startswith("ami-") and (one not in self.amis or one in unseen)
        ]:
            raise InvalidAMIIdError(missing)
        found = super().describe_images(ami_ids, filters, exec_users, owners)
        return [one for one in found if one.id not in unseen]

    def deregister(self, image_id: str, *, with_snapshots: bool) -> list[dict[str, str]]:
        """What became of each snapshot (DeregisterImage reference, DeleteAssociatedSnapshots); [] if not asked for."""
        image = self.amis.get(image_id)
        if image is not None and not self._is_own(image):
            raise EC2ClientError("AuthFailure", f"Not authorized for image:{image_id}")
        self.deregister_image(image_id)
        if not with_snapshots or not isinstance(image, CreatedImage):
            return []
        return [self._delete_unused(snapshot_id, image_id) for snapshot_id in image.snapshot_ids]

    def _delete_unused(self, snapshot_id: str, image_id: str) -> dict[str, str]:
        if snapshot_id not in self.snapshots:
            return {"SnapshotId": snapshot_id, "ReturnCode": "skipped"}
        if snapshot_id in _used_by(self.amis.values()):
            return {"SnapshotId": snapshot_id, "ReturnCode": "in-use"}
        self.snapshots.pop(snapshot_id)
        return {"SnapshotId": snapshot_id, "ReturnCode": "success"}


def _used_by(images: Sequence[Ami] | Any) -> set[str]:
    return {
        str(disk["Ebs"]["SnapshotId"])
        for image in images
        for disk in image.block_device_mappings
        if "SnapshotId" in disk.get("Ebs", {})
    }
