"""How are the demo's networks, groups and machines put into the cloud?"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from spotopt.local.ec2 import ec2_backends
from spotopt.local.estate import ACCOUNTS, launch_time
from spotopt.local.fleet import GROUPS, MACHINES, Group, Machine, Trap
from spotopt.local.images import BY_KEY
from spotopt.local.traffic import direct
from spotopt.local.world import World

from moto.autoscaling.models import autoscaling_backends  # isort: skip
from moto.core.types import Base64EncodedString  # isort: skip
from moto.ec2.models.instances import Instance  # isort: skip
from moto.moto_api._internal import mock_random  # isort: skip


class Network:
    """One VPC of an account in a region: a subnet per zone, all on one route table."""

    def __init__(self, backend: Any, number: int) -> None:
        self.backend = backend
        self.vpc = backend.create_vpc(f"10.{number}.0.0/16", tags=[{"Key": "Name", "Value": "main"}])
        self.group = backend.create_security_group("app", "application", vpc_id=self.vpc.id)
        self.subnets = {
            zone.name[-1]: backend.create_subnet(
                self.vpc.id, f"10.{number}.{index * 16}.0/20", availability_zone=zone.name
            )
            for index, zone in enumerate(backend.describe_availability_zones())
        }
        self.routes = backend.create_route_table(self.vpc.id, tags=[{"Key": "Name", "Value": "private"}])
        for letter, subnet in self.subnets.items():
            subnet.add_tag("Name", f"private-{letter}")
            backend.associate_route_table(route_table_id=self.routes.id, subnet_id=subnet.id)


def build(began_at: datetime, seed: int) -> None:
    """Create the whole estate in moto's backends; the same seed and time give the same ids and launch times."""
    backends = empty_backends(seed)
    networks = {place: Network(backend, number) for number, (place, backend) in enumerate(backends.items(), start=20)}
    groups = {group.name: create_group(networks[(group.account_id, group.region)], group) for group in GROUPS}
    machines = {}
    for machine in MACHINES:
        network = networks[(machine.account_id, machine.region)]
        instance = launch(network, machine)
        date(instance, launch_time(machine, began_at))
        instance.settle(instance.launch_time)
        machines[machine.name] = instance
        if machine.group:
            groups[machine.group].adopt(instance)
            groups[machine.group].min_size = groups[machine.group].desired_capacity
        if machine.trap:
            SPRING[machine.trap](network, instance, began_at)
            instance.settle(instance.launch_time)
    direct(networks, machines)
    World.agenda.clear()  # all of that was over long ago


def empty_backends(seed: int) -> dict[tuple[str, str], Any]:
    """(account, region) → EC2 without machines. All are made before the seed is set, or ids would depend on which were
    there already: moto keeps some over a reset, and making one draws from the same random numbers.
    """
    places = [(account.account_id, region) for account in ACCOUNTS for region in account.regions]
    found = {(account_id, region): ec2_backends[account_id][region] for account_id, region in places}
    groups = [autoscaling_backends[account_id][region] for account_id, region in places]
    mock_random.seed(seed)
    random.seed(seed)
    for backend in (*found.values(), *groups):
        backend.reset()
    return dict(found)


def launch(network: Network, machine: Machine) -> Any:
    recipe = BY_KEY[machine.image]
    user_data = base64.b64encode(f"#!/bin/sh\nsystemctl start {machine.team}\n".encode()).decode()
    root = {"VolumeSize": recipe.root_gib, "VolumeType": "gp3", "DeleteOnTermination": True}
    reservation = network.backend.run_instances(
        recipe.ami_id,
        1,
        Base64EncodedString(user_data),
        [],
        instance_type=machine.instance_type,
        is_instance_type_default=False,
        region_name=machine.region,
        subnet_id=network.subnets[machine.zone].id,
        security_group_ids=[network.group.id],
        tags={"instance": tags(machine), "volume": {"Name": machine.name}},
        block_device_mappings=[{"DeviceName": recipe.root, "Ebs": root}],
        instance_market_options="spot" if machine.is_spot else None,
        metadata_options={"HttpTokens": "required", "HttpPutResponseHopLimit": "2"},
        client_token=f"estate-{machine.name}",
        is_there=True,
    )
    return reservation.instances[0]


def tags(machine: Machine) -> dict[str, str]:
    known = {"Name": machine.name, "team": machine.team, "env": machine.env}
    if machine.cluster:
        known |= {
            f"kubernetes.io/cluster/{machine.cluster}": "owned",
            "eks:cluster-name": machine.cluster,
            "eks:nodegroup-name": str(machine.group),
            f"k8s.io/cluster-autoscaler/{machine.cluster}": "owned",
        }
    return known


def date(instance: Any, launched_at: datetime) -> None:
    """Let the instance and what belongs to it begin in the past."""
    instance.launch_time = launched_at
    instance.usage_operation_update_time = launched_at
    for interface in instance.nics.values():
        interface.attach_time = launched_at
    for device in instance.block_device_mapping.values():
        device.attach_time = launched_at
        volume = instance.ec2_backend.volumes[device.volume_id]
        volume.create_time = launched_at
        volume.attachment.attach_time = launched_at
    request_id = getattr(instance, "spot_instance_request_id", None)
    if request_id:
        instance.ec2_backend.spot_instance_requests[request_id].changed_at = launched_at


def create_group(network: Network, group: Group) -> Any:
    """The group, still empty: moto would put all members into one subnet."""
    backend = autoscaling_backends[group.account_id][group.region]
    data = {
        "ImageId": BY_KEY[group.image].ami_id,
        "InstanceType": group.instance_type,
        "SecurityGroupIds": [network.group.id],
    }
    template = network.backend.create_launch_template(f"{group.name}-template", "first", data, {})
    created = backend.create_auto_scaling_group(
        name=group.name,
        availability_zones=[],
        desired_capacity=0,
        max_size=group.max_size,
        min_size=0,
        launch_config_name="",
        launch_template={"LaunchTemplateId": template.id, "Version": "1"},
        vpc_zone_identifier=",".join(network.subnets[letter].id for letter in "abc"),
        default_cooldown=300,
        health_check_period=300,
        health_check_type="EC2",
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=["Default"],
        tags=group_tags(group),
    )
    if group.launch_hook:
        backend.create_lifecycle_hook(
            group.launch_hook, group.name, "autoscaling:EC2_INSTANCE_LAUNCHING", timeout=300, result="CONTINUE"
        )
    return created


def group_tags(group: Group) -> list[dict[str, Any]]:
    known = {"Name": group.name}
    if group.cluster:
        known |= {"eks:cluster-name": group.cluster, f"kubernetes.io/cluster/{group.cluster}": "owned"}
    return [
        {
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": True,
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
        }
        for key, value in known.items()
    ]


Spring = Callable[[Network, Instance, datetime], None]


def _set(**attributes: Any) -> Spring:
    def spring(network: Network, instance: Instance, began_at: datetime) -> None:
        for name, value in attributes.items():
            setattr(instance, name, value)

    return spring


def _place(**attributes: Any) -> Spring:
    def spring(network: Network, instance: Instance, began_at: datetime) -> None:
        for name, value in attributes.items():
            setattr(instance.placement, name, value)

    return spring


def _tag(**tags_set: str) -> Spring:
    return lambda network, instance, began_at: instance.add_tags(
        {key.replace("__", ":").replace("_", "-"): value for key, value in tags_set.items()}
    )


def _by_image(network: Network, instance: Instance, began_at: datetime) -> None:
    """The trap lies in the image the machine was started from."""


def _add_data_volume(network: Network, instance: Instance, began_at: datetime) -> None:
    volume = network.backend.create_volume(size=200, zone_name=str(instance.availability_zone), volume_type="gp3")
    network.backend.attach_volume(volume.id, instance.id, "/dev/sdf", False)
    date(instance, instance.launch_time)


def _keep_root(network: Network, instance: Instance, began_at: datetime) -> None:
    for device in instance.block_device_mapping.values():
        device.delete_on_termination = False


def _add_interface(network: Network, instance: Instance, began_at: datetime) -> None:
    subnet = network.backend.get_subnet(str(instance.subnet_id))
    interface = network.backend.create_network_interface(subnet, "", group_ids=[network.group.id])
    network.backend.attach_network_interface(interface.id, instance.id, 1)
    date(instance, instance.launch_time)


def _stop_forwarding_check(network: Network, instance: Instance, began_at: datetime) -> None:
    instance.source_dest_check = False
    for interface in instance.nics.values():
        interface.source_dest_check = False


def _route_through(network: Network, instance: Instance, began_at: datetime) -> None:
    network.backend.create_route(network.routes.id, "192.168.0.0/16", instance_id=instance.id)


def _stop(network: Network, instance: Instance, began_at: datetime) -> None:
    network.backend.stop_instances([instance.id])


def _reserve(network: Network, instance: Instance, began_at: datetime) -> None:
    """An active Reserved Instance that covers the machine (DescribeReservedInstances reference)."""
    network.backend.reserved_instances.append(
        {
            "ReservedInstancesId": str(mock_random.uuid4()),
            "InstanceType": instance.instance_type,
            "InstanceCount": 1,
            "ProductDescription": "Linux/UNIX",
            "InstanceTenancy": "default",
            "OfferingClass": "standard",
            "OfferingType": "No Upfront",
            "Scope": "Region",
            "State": "active",
            "CurrencyCode": "USD",
            "Duration": 365 * 86_400,
            "Start": began_at - timedelta(days=60),
            "End": began_at + timedelta(days=305),
        }
    )


SPRING: dict[Trap, Spring] = {
    Trap.TERMINATION_PROTECTED: _set(disable_api_termination=True),
    Trap.STOP_PROTECTED: _set(disable_api_stop=True),
    Trap.INSTANCE_STORE: _by_image,
    Trap.DEDICATED: _place(tenancy="dedicated"),
    Trap.WINDOWS: _by_image,
    Trap.DATA_VOLUME: _add_data_volume,
    Trap.KEEPS_ROOT: _keep_root,
    Trap.TWO_INTERFACES: _add_interface,
    Trap.FORWARDS: _stop_forwarding_check,
    Trap.ROUTE_TARGET: _route_through,
    Trap.IGNORED: _tag(spotopt__ignore="true"),
    Trap.MARKETPLACE: _by_image,
    Trap.BILLED_SOFTWARE: _by_image,
    Trap.CLOUDFORMATION: _tag(
        aws__cloudformation__stack_name="lab-stack", aws__cloudformation__logical_id="ApiInstance"
    ),
    Trap.HIBERNATES: _set(hibernation_options={"Configured": True}),
    Trap.LICENSED: _set(
        licenses=[
            {
                "LicenseConfigurationArn": "arn:aws:license-manager:eu-west-3:660291847531:license-configuration:"
                "lic-0a1b2c3d4e5f60718293a4b5c6d7e8f9"
            }
        ]
    ),
    Trap.STOPPED: _stop,
    Trap.RESERVED_CAPACITY: _set(
        capacity_reservation_id="cr-0b1c2d3e4f5061728",
        capacity_reservation_specification={
            "CapacityReservationTarget": {"CapacityReservationId": "cr-0b1c2d3e4f5061728"}
        },
    ),
    Trap.PLACEMENT_GROUP: _place(group_name="mpi-cluster"),
    Trap.ENCLAVE: _set(enclave_options={"Enabled": True}),
    Trap.MANAGED: _set(operator={"Managed": True, "Principal": "ecs.amazonaws.com"}),
    Trap.COMMITTED: _reserve,
}
