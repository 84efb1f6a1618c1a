"""A target that may move, a pool that may host it, and the strategies that vary them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from governance.domain.policy import Policy
from instances.domain.spec import InstanceSpec
from pipelines.domain.proposal import Candidate, Facts, Fleet, Question
from pipelines.domain.target import Disk, Subnet, Target

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


def a_subnet(subnet_id: str = "subnet-1", zone_id: str = "use1-az1", **fields: Any) -> Subnet:
    known: dict[str, Any] = {
        "subnet_id": subnet_id,
        "zone_id": zone_id,
        "free_addresses": 200,
        "route_table_id": "rtb-1",
        "network_acl_id": "acl-1",
        "is_public_ip_mapped": False,
    }
    return Subnet(**known | fields)


def a_target(**fields: Any) -> Target:
    """A plain running On-Demand Linux m5.large, about which everything is known and nothing objects."""
    known: dict[str, Any] = {
        "instance_id": "i-0123456789abcdef0",
        "instance_type": "m5.large",
        "region": "us-east-1",
        "zone_id": "use1-az1",
        "product": "Linux/UNIX",
        "architecture": "x86_64",
        "state": "running",
        "is_spot": False,
        "seen_at": NOW - timedelta(minutes=5),
        "tags": {"Name": "web-1"},
        "root_device_type": "ebs",
        "root_device": "/dev/xvda",
        "disks": (Disk("vol-1", "/dev/xvda", True, False),),
        "has_local_disk_in_use": False,
        "vpc_id": "vpc-1",
        "subnet_id": "subnet-1",
        "subnets": tuple(a_subnet(f"subnet-{n}", f"use1-az{n}") for n in (1, 2, 3)),
        "n_interfaces": 1,
        "n_private_ips": 1,
        "has_efa": False,
        "is_source_dest_check": True,
        "is_route_target": False,
        "is_termination_protected": False,
        "is_stop_protected": False,
        "is_scale_in_protected": False,
        "is_hibernation_configured": False,
        "tenancy": "default",
        "is_capacity_reservation_targeted": False,
        "is_enclave": False,
        "platform_details": "Linux/UNIX",
        "usage_operation": "RunInstances",
        "reservations": (),
        "stateless_said_by": "alice",
        "stateless_said_at": NOW - timedelta(days=3),
    }
    return Target(**known | fields)


def a_candidate(**fields: Any) -> Candidate:
    """A pool that passes every gate: fresh, safe, and at 4 of 10 cents."""
    known: dict[str, Any] = {
        "instance_type": "m5.large",
        "zone_id": "use1-az2",
        "product": "Linux/UNIX",
        "subnet_id": "subnet-2",
        "spot_usd_micro": 40_000,
        "interruption_probability": 0.05,
        "evidence": "trace",
        "safety_score": 0.9,
        "prices_as_of": NOW - timedelta(minutes=10),
        "advisor_as_of": NOW - timedelta(hours=1),
        "scored_at": NOW - timedelta(minutes=8),
    }
    return Candidate(**known | fields)


def a_fleet(**fields: Any) -> Fleet:
    known: dict[str, Any] = {
        "name": "account 111111111111 in us-east-1",
        "size": 9,
        "n_on_demand": 8,
        "members_by_zone": {"use1-az1": 3, "use1-az2": 3, "use1-az3": 3},
        "spot_members_by_pool": {},
    }
    return Fleet(**known | fields)


def some_facts(**fields: Any) -> Facts:
    """`policy` and `target` take dicts of what differs."""
    policy = Policy().merge(("instance", fields.pop("policy", {})))
    known: dict[str, Any] = {
        "now": NOW,
        "target": a_target(**fields.pop("target", {})),
        "policy": policy,
        "fleet": a_fleet(),
        "is_shadow_instance": True,
        "on_demand_usd_micro": 100_000,
        "on_demand_as_of": NOW - timedelta(hours=3),
        "ignore_tags": ("spotopt:ignore",),
    }
    return Facts(**known | fields)


def a_question(*candidates: Candidate, **fields: Any) -> Question:
    return Question(some_facts(**fields), candidates or (a_candidate(),), considered=max(len(candidates), 1))


def a_spec(instance_type: str = "m5.large", **fields: Any) -> InstanceSpec:
    """A Nitro x86 type with 2 vCPU and 8 GiB, EBS only."""
    known: dict[str, Any] = {
        "instance_type": instance_type,
        "vcpus": 2,
        "memory_mib": 8192,
        "architectures": ("x86_64",),
        "virtualization": ("hvm",),
        "hypervisor": "nitro",
        "ena": "required",
        "nvme": "required",
        "boot_modes": ("legacy-bios", "uefi"),
        "gpu_count": 0,
        "gpu_name": None,
        "gpu_memory_mib": 0,
        "accelerator_count": 0,
        "local_disk_gb": 0,
        "ebs_baseline_mbps": 650.0,
        "max_interfaces": 3,
        "is_burstable": False,
        "is_bare_metal": False,
        "is_current_generation": True,
        "is_spot_supported": True,
        "network_gbps": 0.75,
        "efa": False,
    }
    return InstanceSpec(**known | fields)


def an_age(hours: float) -> st.SearchStrategy[datetime | None]:
    return st.none() | st.floats(0, hours).map(lambda age: NOW - timedelta(hours=age))


def _named(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """Each in a pool of its own."""
    return tuple(
        replace(each, instance_type=f"m5.{position + 1}xlarge", zone_id=f"use1-az{position % 3 + 1}")
        for position, each in enumerate(candidates)
    )


candidates = st.lists(
    st.builds(
        a_candidate,
        spot_usd_micro=st.none() | st.integers(1, 150_000),
        interruption_probability=st.none() | st.floats(0, 1),
        evidence=st.sampled_from(["trace", "advisor", "none"]),
        safety_score=st.none() | st.floats(0, 1),
        prices_as_of=an_age(3),
        advisor_as_of=an_age(30),
        scored_at=an_age(3),
        quarantined_until=st.none() | st.integers(-48, 48).map(lambda hours: NOW + timedelta(hours=hours)),
    ),
    max_size=6,
).map(_named)

# likely to pass, so that many decisions are SWITCH or one figure away from it
good_candidates = st.lists(
    st.builds(
        a_candidate,
        spot_usd_micro=st.integers(1_000, 120_000),
        interruption_probability=st.floats(0.001, 0.4),
        safety_score=st.floats(0.5, 1),
        quarantined_until=st.sampled_from([None, None, NOW + timedelta(hours=5)]),
    ),
    min_size=1,
    max_size=5,
).map(_named)

facts = st.builds(
    some_facts,
    on_demand_usd_micro=st.none() | st.integers(1, 200_000),
    target=st.fixed_dictionaries(
        {},
        optional={
            "is_spot": st.booleans(),
            "is_termination_protected": st.sampled_from([None, False, True]),
            "stateless_said_by": st.sampled_from(["", "alice"]),
            "last_switched_at": st.integers(0, 24).map(lambda hours: NOW - timedelta(hours=hours)),
        },
    ),
    is_shadow_instance=st.booleans(),
)

free_facts = st.builds(
    some_facts,
    on_demand_usd_micro=st.integers(60_000, 200_000),
    target=st.fixed_dictionaries(
        {}, optional={"last_switched_at": st.integers(0, 24).map(lambda hours: NOW - timedelta(hours=hours))}
    ),
    policy=st.fixed_dictionaries(
        {},
        optional={
            "min_savings_percent": st.decimals(0, 50, places=2).map(str),
            "min_savings_usd_per_month": st.decimals(0, 20, places=2).map(str),
            "overlap_hours": st.decimals(0, 12, places=1).map(str),
            "max_interruption_probability": st.floats(0.1, 0.9),
            "min_safety_score": st.floats(0.1, 0.8),
            "cool_down_hours": st.floats(0, 48),
            "change_window": st.sampled_from(
                [None, {"begins": "22:00", "ends": "06:00", "time_zone": "Europe/Paris", "weekdays": ["sat", "sun"]}]
            ),
        },
    ),
)
