"""Which zone does an account mean by `us-east-1a`, and which regions has it switched on?"""

from __future__ import annotations

import os
from random import Random

# moto reads these at import: our own images instead of its 500, and AWS's checks of image and type.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_ENABLE_AMI_VALIDATION", "true")
os.environ.setdefault("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true")

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone

# Regions launched after 2019-03-20 are off until a customer opts in (Account Management guide, "Enable or disable
# AWS Regions"); moto has some of them on.
OPT_IN_REGIONS = frozenset(
    [
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "eu-central-2",
        "eu-south-1",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
    ]
)
COMMERCIAL_REGIONS = tuple(
    region.name for region in RegionsAndZonesBackend.regions if not region.name.startswith(("us-gov", "cn-"))
)
ENABLED_REGIONS = tuple(name for name in COMMERCIAL_REGIONS if name not in OPT_IN_REGIONS)


def recorded_zone_ids(region: str) -> dict[str, str]:
    """Zone name → id as the published data sets are read here.

    Their recorders' own mapping was never published; moto's is taken for all of them, so that one pool stays one pool.
    """
    return {zone.name: zone.zone_id for zone in RegionsAndZonesBackend.zones.get(region, [])}


def zone_ids(account_id: str, region: str) -> dict[str, str]:
    """Zone name → id in this account: AWS maps names to places for each account anew (EC2 guide, "AZ IDs")."""
    recorded = recorded_zone_ids(region)
    ids = sorted(recorded.values())
    Random(f"{account_id}/{region}").shuffle(ids)
    return dict(zip(recorded, ids, strict=True))


def account_zones(account_id: str) -> dict[str, list[Zone]]:
    """moto's table of zones, as this account sees it."""
    return {
        region: [Zone(name, region, zone_id) for name, zone_id in zone_ids(account_id, region).items()]
        for region in COMMERCIAL_REGIONS
    }
