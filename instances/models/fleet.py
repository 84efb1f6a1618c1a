"""What hardware is there, and what runs?"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import AwsAccount
from instances.domain.spec import InstanceSpec


class InstanceType(models.Model):
    """The hardware of a type, as DescribeInstanceTypes states it; None = AWS does not say."""

    name = models.CharField(max_length=32, primary_key=True)
    vcpus = models.IntegerField()
    memory_mib = models.IntegerField()
    architectures = ArrayField(models.CharField(max_length=16), default=list)
    virtualization = ArrayField(models.CharField(max_length=16), default=list)
    hypervisor = models.CharField(max_length=8, null=True)
    ena = models.CharField(max_length=12, null=True)
    nvme = models.CharField(max_length=12, null=True)
    boot_modes = ArrayField(models.CharField(max_length=16), default=list)
    gpu_count = models.IntegerField(default=0)
    gpu_name = models.CharField(max_length=64, null=True)
    gpu_memory_mib = models.IntegerField(default=0)
    accelerator_count = models.IntegerField(default=0)
    local_disk_gb = models.IntegerField(default=0)
    ebs_baseline_mbps = models.FloatField(null=True)
    max_interfaces = models.IntegerField(null=True)
    is_burstable = models.BooleanField(default=False)
    is_bare_metal = models.BooleanField(default=False)
    is_current_generation = models.BooleanField(default=False)
    is_spot_supported = models.BooleanField(default=False)
    network_gbps = models.FloatField(null=True)
    efa = models.BooleanField(default=False)
    fetched_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def spec(self) -> InstanceSpec:
        return InstanceSpec(
            instance_type=self.name,
            vcpus=self.vcpus,
            memory_mib=self.memory_mib,
            architectures=tuple(self.architectures),
            virtualization=tuple(self.virtualization),
            hypervisor=self.hypervisor,
            ena=self.ena,
            nvme=self.nvme,
            boot_modes=tuple(self.boot_modes),
            gpu_count=self.gpu_count,
            gpu_name=self.gpu_name,
            gpu_memory_mib=self.gpu_memory_mib,
            accelerator_count=self.accelerator_count,
            local_disk_gb=self.local_disk_gb,
            ebs_baseline_mbps=self.ebs_baseline_mbps,
            max_interfaces=self.max_interfaces,
            is_burstable=self.is_burstable,
            is_bare_metal=self.is_bare_metal,
            is_current_generation=self.is_current_generation,
            is_spot_supported=self.is_spot_supported,
            network_gbps=self.network_gbps,
            efa=self.efa,
        )


class PipelineMode(StrEnum):
    LINEAR = "LINEAR"
    CLUSTER = "CLUSTER"
    KUBERNETES = "KUBERNETES"


class AutoScalingGroup(models.Model):
    """A group as the last inventory saw it."""

    account = models.ForeignKey(AwsAccount, on_delete=models.CASCADE, related_name="groups")
    region = models.CharField(max_length=24)
    name = models.CharField(max_length=255)
    desired = models.IntegerField()
    minimum = models.IntegerField()
    maximum = models.IntegerField()
    facts = models.JSONField(default=dict)  # as accounts.aws.read.autoscaling states them
    seen_at = models.DateTimeField()
    vanished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["account", "region", "name"], name="group_once")]

    def __str__(self) -> str:
        return self.name


class InstanceQuerySet(models.QuerySet["Instance"]):
    def present(self) -> InstanceQuerySet:
        return self.filter(vanished_at=None)


class Instance(models.Model):
    """An EC2 instance as the last inventory saw it, and what its people said about it."""

    account = models.ForeignKey(AwsAccount, on_delete=models.CASCADE, related_name="instances")
    instance_id = models.CharField(max_length=32)
    name = models.CharField(max_length=255, blank=True)  # the Name tag
    region = models.CharField(max_length=24)
    zone_name = models.CharField(max_length=32)
    zone_id = models.CharField(max_length=24, blank=True)  # empty: the account's zone map does not know the name
    instance_type = models.CharField(max_length=32)
    product = models.CharField(max_length=32, blank=True)  # a domain Product; empty: a platform we do not price
    state = models.CharField(max_length=16)
    is_spot = models.BooleanField(default=False)
    launched_at = models.DateTimeField()
    group = models.ForeignKey(
        AutoScalingGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="instances"
    )
    cluster_name = models.CharField(max_length=120, blank=True)  # from kubernetes.io/cluster/… or eks tags
    tags = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)  # accounts.aws.read.ec2.InstanceFacts and what was asked beside it
    seen_at = models.DateTimeField()
    vanished_at = models.DateTimeField(null=True, blank=True)

    # What people said
    pipeline_mode = models.CharField(
        max_length=12, choices={m.value: m.name.title() for m in PipelineMode}, default=PipelineMode.LINEAR.value
    )
    is_shadow_mode = models.BooleanField(default=True)
    stateless_said_by = models.CharField(max_length=160, blank=True)  # a signed statement; empty = nobody said so
    stateless_said_at = models.DateTimeField(null=True, blank=True)
    health_port = models.IntegerField(null=True, blank=True)
    health_path = models.CharField(max_length=200, blank=True)
    policy_overrides = models.JSONField(default=dict, blank=True)
    last_switched_at = models.DateTimeField(null=True, blank=True)
    settings_version = models.PositiveIntegerField(default=0)  # whoever changes them says which one was looked at
    settings_changed_at = models.DateTimeField(null=True, blank=True)
    settings_changed_by = models.CharField(max_length=160, blank=True)

    objects = InstanceQuerySet.as_manager()

    class Meta:
        ordering = ["instance_id"]
        constraints = [
            models.UniqueConstraint(fields=["account", "instance_id"], name="instance_once_per_account"),
            models.CheckConstraint(
                condition=Q(stateless_said_by="") | Q(stateless_said_at__isnull=False), name="statement_has_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "region", "state"], name="instance_fleet"),
            models.Index(fields=["instance_type"], name="instance_by_type"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.instance_id} ({self.instance_type})"

    @property
    def tag_list(self) -> list[tuple[str, Any]]:
        return sorted(self.tags.items())
