"""What does CreateFleet of the type `instant` start? CreateFleet reference; EC2 guide, "Instant fleets"."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from spotopt.local.launch_rules import spot_price
from spotopt.local.launching import is_true, launch, with_template

from moto.ec2.exceptions import EC2ClientError  # isort: skip
from moto.ec2.utils import random_fleet_id  # isort: skip

Pool = tuple[Mapping[str, Any], Mapping[str, Any]]  # the launch template, the override


def start(backend: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Answers 200 with errors where pools refused; the fleet itself keeps nothing running."""
    if request.get("Type") != "instant":
        raise EC2ClientError("InvalidParameterValue", "This cloud has fleets of the type 'instant' only")
    target = request.get("TargetCapacitySpecification", {})
    wanted = int(target.get("TotalTargetCapacity", 0))
    if wanted < 1:
        raise EC2ClientError("InvalidParameterValue", "TotalTargetCapacity must be at least 1")
    is_spot = target.get("DefaultTargetCapacityType", "on-demand") == "spot" or int(target.get("SpotTargetCapacity", 0))
    fleet_id = random_fleet_id()
    pools = ordered(backend, request, pools_of(request), is_spot=bool(is_spot))
    started, errors = fill(backend, request, pools, wanted, fleet_id, is_spot=bool(is_spot))
    return {"FleetId": fleet_id, "Instances": started, "Errors": errors}


def fill(
    backend: Any, request: Mapping[str, Any], pools: list[Pool], wanted: int, fleet_id: str, *, is_spot: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One instance after another from the first pool that has one: (instances, errors), an error for each refusal."""
    lifecycle = "spot" if is_spot else "on-demand"
    started: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for named, override in pools:
        where = {"LaunchTemplateAndOverrides": {"LaunchTemplateSpecification": named, "Overrides": override}}
        while len(started) < wanted:
            try:
                reservation = launch(backend, asked(request, named, override, fleet_id, is_spot=is_spot))
            except EC2ClientError as error:
                has_none = is_spot and error.code == "InsufficientInstanceCapacity"
                code = "UnfulfillableCapacity" if has_none else error.code
                errors.append(where | {"Lifecycle": lifecycle, "ErrorCode": code, "ErrorMessage": error.message})
                break
            instance = reservation.instances[0]
            started.append(
                where | {"Lifecycle": lifecycle, "InstanceIds": [instance.id], "InstanceType": instance.instance_type}
            )
    return started, errors


def pools_of(request: Mapping[str, Any]) -> list[Pool]:
    configs = request.get("LaunchTemplateConfigs", [])
    if not configs:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter LaunchTemplateConfigs")
    return [
        (config["LaunchTemplateSpecification"], override)
        for config in configs
        for override in config.get("Overrides") or [{}]
    ]


def ordered(backend: Any, request: Mapping[str, Any], pools: list[Pool], *, is_spot: bool) -> list[Pool]:
    """Spot: the cheapest first, as far as prices are known; by `Priority` where the strategy says so. Else as given."""
    strategy = request.get("SpotOptions", {}).get("AllocationStrategy", "lowest-price")
    if not is_spot:
        return pools
    if strategy == "capacity-optimized-prioritized":
        return sorted(pools, key=lambda pool: float(pool[1].get("Priority", "inf")))

    def price(pool: Pool) -> Decimal:
        merged = with_template(backend, {"LaunchTemplate": pool[0], **pool[1]})
        found = spot_price(backend.get_subnet(merged["SubnetId"]), merged["InstanceType"])
        return Decimal("Infinity") if found is None else found

    return sorted(pools, key=price) if all("SubnetId" in override for _, override in pools) else pools


def asked(
    request: Mapping[str, Any], named: Mapping[str, Any], override: Mapping[str, Any], fleet_id: str, *, is_spot: bool
) -> dict[str, Any]:
    """The launch as RunInstances would ask for it."""
    launched: dict[str, Any] = {"LaunchTemplate": named, "_group_tags": {"aws:ec2:fleet-id": fleet_id}}
    for member in ("InstanceType", "SubnetId", "Placement", "ImageId", "BlockDeviceMappings"):
        if member in override:
            launched[member] = override[member]
    if "AvailabilityZone" in override:
        launched["Placement"] = {"AvailabilityZone": override["AvailabilityZone"]}
    tags = [one for one in request.get("TagSpecifications", []) if one.get("ResourceType") != "fleet"]
    launched["TagSpecifications"] = tags
    if is_spot:
        options = {"SpotInstanceType": "one-time"}
        if "MaxPrice" in override:
            options["MaxPrice"] = override["MaxPrice"]
        behavior = request.get("SpotOptions", {}).get("InstanceInterruptionBehavior")
        if behavior:
            options["InstanceInterruptionBehavior"] = behavior
        launched["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": options}
    if is_true(request.get("TerminateInstancesWithExpiration")):
        raise EC2ClientError("InvalidParameterCombination", "An instant fleet has no expiration")
    return launched
