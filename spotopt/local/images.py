"""Which machine images are there to start from?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spotopt.local import zones  # noqa: F401  (sets what moto reads at import)

from moto.ec2.models.amis import Ami  # isort: skip
from moto.ec2.utils import random_ami_id  # isort: skip

AMAZON, MARKETPLACE = "137112412989", "679593333241"  # the owners of Amazon Linux and of the Marketplace's images


@dataclass(frozen=True, slots=True)
class Recipe:
    """A public image. Usage operations: EC2 guide, "AMI billing information fields"."""

    key: str
    ami_id: str
    name: str
    architecture: str = "x86_64"
    platform: str | None = None
    platform_details: str = "Linux/UNIX"
    usage_operation: str = "RunInstances"
    root: str = "/dev/xvda"
    root_gib: int = 8
    boot_mode: str = "uefi-preferred"
    owner_id: str = AMAZON
    product_code: str | None = None
    has_instance_store: bool = False


RECIPES = (
    Recipe("linux", "ami-0a11ce00000000001", "al2023-ami-2023.6.20241031.0-kernel-6.1-x86_64"),
    Recipe("arm", "ami-0a11ce00000000002", "al2023-ami-2023.6.20241031.0-kernel-6.1-arm64", architecture="arm64"),
    Recipe("eks", "ami-0a11ce00000000003", "amazon-eks-node-al2023-x86_64-standard-1.31-v20241109", root_gib=20),
    Recipe(
        "scratch", "ami-0a11ce00000000004", "al2023-with-scratch-disk-2024.11", root_gib=16, has_instance_store=True
    ),
    Recipe(
        "windows",
        "ami-0a11ce00000000005",
        "Windows_Server-2022-English-Full-Base-2024.10.09",
        platform="windows",
        platform_details="Windows",
        usage_operation="RunInstances:0002",
        root="/dev/sda1",
        root_gib=30,
    ),
    Recipe(
        "rhel",
        "ami-0a11ce00000000006",
        "RHEL-9.4.0_HVM-20240923-x86_64-0-Hourly2-GP3",
        platform_details="Red Hat Enterprise Linux",
        usage_operation="RunInstances:0010",
        root="/dev/sda1",
        root_gib=10,
        owner_id="309956199498",
    ),
    Recipe(
        "sql",
        "ami-0a11ce00000000007",
        "amzn2-x86_64-SQL_2022_Standard-2024.08.16",
        platform_details="SQL Server Standard",
        usage_operation="RunInstances:0004",
        root_gib=20,
    ),
    Recipe(
        "firewall",
        "ami-0a11ce00000000008",
        "PA-VM-AWS-11.1.4-7064e142-marketplace",
        boot_mode="legacy-bios",
        owner_id=MARKETPLACE,
        product_code="6njl1pau431dv1qxipg63mvah",
    ),
)
BY_KEY = {recipe.key: recipe for recipe in RECIPES}


class Image(Ami):
    """An image with the fields of EC2's Image that moto leaves out."""

    def __init__(self, backend: Any, recipe: Recipe) -> None:
        super().__init__(
            backend,
            recipe.ami_id,
            name=recipe.name,
            description=recipe.name,
            owner_id=recipe.owner_id,
            owner_alias="amazon" if recipe.owner_id == AMAZON else "aws-marketplace",
            public=True,
            virtualization_type="hvm",
            architecture=recipe.architecture,
            creation_date=datetime(2024, 11, 9, tzinfo=UTC),
            platform=recipe.platform,
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name=recipe.root,
            region_name=f"{backend.region_name}a",
            product_codes={recipe.product_code} if recipe.product_code else set(),
            boot_mode=recipe.boot_mode,
        )
        self.recipe = recipe
        self.platform_details = recipe.platform_details
        self.usage_operation = recipe.usage_operation
        self.ena_support = True
        self.imds_support = "v2.0"

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        root = {
            "SnapshotId": self.ebs_snapshot.id,
            "VolumeSize": self.recipe.root_gib,
            "DeleteOnTermination": True,
            "VolumeType": "gp3",
            "Encrypted": False,
        }
        mappings: list[dict[str, Any]] = [{"DeviceName": self.root_device_name, "Ebs": root}]
        if self.recipe.has_instance_store:
            mappings.append({"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"})
        return mappings

    def launch_mappings(self) -> list[dict[str, Any]]:
        """What RunInstances attaches when it is told nothing else."""
        root = {"VolumeSize": self.recipe.root_gib, "VolumeType": "gp3", "DeleteOnTermination": True}
        return [{"DeviceName": self.root_device_name, "Ebs": root}]


class CreatedImage(Ami):
    """What CreateImage made of an instance: its disks as snapshots, pending until they are complete."""

    def __init__(self, backend: Any, instance: Any, name: str, description: str, created_at: datetime) -> None:
        super().__init__(
            backend,
            random_ami_id(),
            instance=instance,
            name=name,
            description=description,
            state="pending",
            creation_date=created_at,
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name=instance.root_device_name,
            region_name=str(instance.availability_zone),
            boot_mode=instance.boot_mode,
        )
        backend.snapshots.pop(self.ebs_snapshot.id)  # moto's own, of a disk that never was
        self.visible_at = created_at
        self.platform_details = instance.platform_details
        self.usage_operation = instance.usage_operation
        self.ena_support = instance.ena_support
        self.imds_support = getattr(backend.amis.get(instance.image_id), "imds_support", None)
        self.product_codes = {one["ProductCodeId"] for one in instance.product_codes}
        self.disks: list[dict[str, Any]] = []
        self.no_reboot = True

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return self.disks

    def launch_mappings(self) -> list[dict[str, Any]]:
        return self.disks

    @property
    def snapshot_ids(self) -> list[str]:
        return [disk["Ebs"]["SnapshotId"] for disk in self.disks]


AnyImage = Image | CreatedImage


def register_images(backend: Any) -> None:
    for recipe in RECIPES:
        backend.amis[recipe.ami_id] = Image(backend, recipe)
