"""Who and what the tests speak of: Alice, her colleague Bob, the stranger Charlie, and what they run.

Plain functions that make rows through the code that makes them in life; every argument has a default that works.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.test import Client

from accounts import keys
from accounts.domain import Environment, Role, Scope
from accounts.models import AwsAccount, IdempotencyKey, Membership, Organization, User
from instances.domain.money import micro
from instances.domain.pool import Product
from instances.models import (
    AdvisorFile,
    AutoScalingGroup,
    FetchOutcome,
    FetchSource,
    Instance,
    InstanceType,
    InventorySync,
    MarketFetch,
    OnDemandPrice,
    Pool,
    SpotAdvisorRating,
    ZoneName,
)
from mlregistry.models import ModelFile, ModelType, ModelVersion
from pipelines.models import ExperimentLog, PipelineRun, RunState

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)  # a Wednesday
PASSWORD = "correct horse battery staple"

_numbers = itertools.count(1)


# --- People -------------------------------------------------------------------------------------------------------
def an_organization(name: str = "") -> Organization:
    return Organization.objects.create(name=name or f"Organization {next(_numbers)}")


def a_person(
    name: str = "", *, organization: Organization | None = None, role: Role = Role.OWNER, **fields: Any
) -> User:
    """A user with PASSWORD; a member of `organization` where one is given."""
    name = name or f"person-{next(_numbers)}"
    person = User.objects.create_user(name, f"{name}@example.org", PASSWORD, **fields)
    if organization is not None:
        Membership.objects.create(organization=organization, user=person, role=role.value)
    return person


def northwind() -> Organization:
    """Where Alice and Bob work."""
    return Organization.objects.get_or_create(name="Northwind")[0]


def southwind() -> Organization:
    """Where Charlie works; it must never see anything of Northwind's."""
    return Organization.objects.get_or_create(name="Southwind")[0]


def alice() -> User:
    """An owner of Northwind."""
    return _known("alice", northwind, Role.OWNER)


def bob() -> User:
    """Alice's colleague, who may only look."""
    return _known("bob", northwind, Role.VIEWER)


def charlie() -> User:
    """The stranger: an owner too, of another organization."""
    return _known("charlie", southwind, Role.OWNER)


def _known(name: str, organization: Any, role: Role) -> User:
    return User.objects.filter(username=name).first() or a_person(name, organization=organization(), role=role)


def an_api_key(organization: Organization | None, *scopes: Scope, **fields: Any) -> str:
    """The text of a new key; `organization` None = the platform's own. Without scopes: all of them."""
    return keys.issue(organization, fields.pop("name", "a program"), scopes or tuple(Scope), by=None, **fields)[1]


def a_program(organization: Organization | None, *scopes: Scope, **fields: Any) -> Client:
    """A client that calls with a key of its own."""
    return Client(headers={"Authorization": f"Api-Key {an_api_key(organization, *scopes, **fields)}"})


def a_browser(person: User, *, csrf: bool = False) -> Client:
    """A client in which that person has signed in."""
    client = Client(enforce_csrf_checks=csrf)
    client.force_login(person)
    return client


def said(refusal: Any) -> dict[str, Any]:
    """What a refusal says, but for the number of the request, which no two share."""
    body: dict[str, Any] = refusal.json()
    assert body.pop("request_id")
    return body


def an_idempotency_key(organization: Organization | None = None, **fields: Any) -> IdempotencyKey:
    """A request that was answered just now, and the answer."""
    return IdempotencyKey.objects.create(
        **{
            "organization": organization or northwind(),
            "key": f"key-{next(_numbers)}",
            "fingerprint": "0" * 64,
            "began_at": NOW,
            "lease_until": NOW + timedelta(minutes=5),
            "expires_at": NOW + timedelta(days=1),
            "ended_at": NOW,
            "status": 200,
            "body": "{}",
        }
        | fields
    )


# --- Clouds -------------------------------------------------------------------------------------------------------
def an_account(organization: Organization | None = None, **fields: Any) -> AwsAccount:
    """A validated PROD account of Northwind's in us-east-1."""
    account_id = fields.pop("account_id", f"{100_000_000_000 + next(_numbers)}")
    return AwsAccount.objects.create(
        organization=organization or northwind(),
        account_id=account_id,
        **{
            "name": f"account {account_id[-3:]}",
            "environment": Environment.PROD.value,
            "read_role_arn": f"arn:aws:iam::{account_id}:role/spotopt-read",
            "regions": ["us-east-1"],
            "is_valid": True,
            "validated_at": NOW,
        }
        | fields,
    )


def a_sync(account: AwsAccount | None = None, **fields: Any) -> InventorySync:
    """An inventory that waits for a worker."""
    return InventorySync.objects.create(account=account or an_account(), **{"requested_at": NOW} | fields)


def a_group(account: AwsAccount | None = None, **fields: Any) -> AutoScalingGroup:
    return AutoScalingGroup.objects.create(
        account=account or an_account(),
        **{
            "region": "us-east-1",
            "name": f"group-{next(_numbers)}",
            "desired": 3,
            "minimum": 1,
            "maximum": 6,
            "seen_at": NOW,
        }
        | fields,
    )


def an_instance(account: AwsAccount | None = None, **fields: Any) -> Instance:
    """A running On-Demand Linux m5.large in use1-az1, seen just now; nobody has said anything about it."""
    account = account or an_account()
    number = next(_numbers)
    return Instance.objects.create(
        account=account,
        **{
            "instance_id": f"i-{number:017x}",
            "name": f"web-{number}",
            "region": "us-east-1",
            "zone_name": "us-east-1a",
            "zone_id": "use1-az1",
            "instance_type": "m5.large",
            "product": Product.LINUX.value,
            "state": "running",
            "launched_at": NOW - timedelta(days=30),
            "seen_at": NOW,
        }
        | fields,
    )


# --- The market ---------------------------------------------------------------------------------------------------
def a_type(name: str = "m5.large", **fields: Any) -> InstanceType:
    """Catalogue facts of a Nitro x86 type with 2 vCPU and 8 GiB, EBS only."""
    return InstanceType.objects.update_or_create(
        name=name,
        defaults={
            "vcpus": 2,
            "memory_mib": 8192,
            "architectures": ["x86_64"],
            "virtualization": ["hvm"],
            "hypervisor": "nitro",
            "ena": "required",
            "nvme": "required",
            "boot_modes": ["legacy-bios", "uefi"],
            "ebs_baseline_mbps": 650.0,
            "max_interfaces": 3,
            "is_current_generation": True,
            "is_spot_supported": True,
            "network_gbps": 0.75,
            "fetched_at": NOW,
        }
        | fields,
    )[0]


def a_pool(
    instance_type: str = "m5.large",
    zone_id: str = "use1-az1",
    product: Product = Product.LINUX,
    region: str = "us-east-1",
) -> Pool:
    return Pool.objects.get_or_create(
        instance_type=instance_type, zone_id=zone_id, product=product.value, defaults={"region": region}
    )[0]


def prices_for(pool: Pool, changes: Iterable[tuple[float, str]], *, now: datetime = NOW) -> None:
    """Write price changes given as (days ago, dollars an hour), e.g. [(8, "0.04"), (0.5, "0.05")]."""
    from instances.market.copying import write_changes

    rows = list(changes)
    write_changes(
        np.full(len(rows), pool.pk, dtype=np.int32),
        np.array([(now - timedelta(days=days)).timestamp() for days, _ in rows], dtype=np.float64),
        np.array([micro(usd) for _, usd in rows], dtype=np.int32),
    )


def an_on_demand_price(
    instance_type: str = "m5.large", usd: str = "0.096", *, region: str = "us-east-1", **fields: Any
) -> OnDemandPrice:
    return OnDemandPrice.objects.create(
        instance_type=instance_type,
        region=region,
        usd_micro=micro(Decimal(usd)),
        **{"effective_at": NOW - timedelta(days=100), "fetched_at": NOW} | fields,
    )


def an_advisor_file(**fields: Any) -> AdvisorFile:
    return AdvisorFile.objects.create(
        **{"sha256": f"{next(_numbers):064x}", "raw": b"{}", "fetched_at": NOW, "entries": 1} | fields
    )


def a_rating(
    instance_type: str = "m5.large",
    band: int = 0,
    savings_percent: int = 60,
    *,
    region: str = "us-east-1",
    **fields: Any,
) -> SpotAdvisorRating:
    """The current rating of a type, out of one Advisor file that all ratings of a test share."""
    file = fields.pop("file", None) or AdvisorFile.objects.order_by("-fetched_at").first() or an_advisor_file()
    return SpotAdvisorRating.objects.create(
        instance_type=instance_type,
        region=region,
        band=band,
        savings_percent=savings_percent,
        file=file,
        **{"observed_at": NOW} | fields,
    )


def a_fetch(source: FetchSource, region: str = "", *, through: datetime = NOW, **fields: Any) -> MarketFetch:
    """A fetch that ended well."""
    return MarketFetch.objects.create(
        source=source.value,
        region=region,
        through=through,
        **{"outcome": FetchOutcome.FILLED.value, "started_at": through, "ended_at": through, "rows": 1} | fields,
    )


def a_fresh_market(region: str = "us-east-1", *, now: datetime = NOW) -> None:
    """Every source of the region fetched whole, through `now`."""
    a_fetch(FetchSource.SPOT, region, through=now)
    a_fetch(FetchSource.ON_DEMAND, region, through=now)
    a_fetch(FetchSource.ADVISOR, through=now)
    a_fetch(FetchSource.CATALOGUE, through=now)


def zones_of(account: AwsAccount | None, region: str = "us-east-1", **ids_by_name: str) -> None:
    """Zone names of an account (None: the installation's), e.g. zones_of(account, us_east_1a="use1-az4")."""
    names = ids_by_name or {f"{region}{letter}": f"use1-az{n}" for n, letter in enumerate("abc", start=1)}
    ZoneName.objects.bulk_create(
        ZoneName(account=account, region=region, name=name.replace("_", "-"), zone_id=zone_id, fetched_at=NOW)
        for name, zone_id in names.items()
    )


# --- Decisions ----------------------------------------------------------------------------------------------------
def a_model(name: str = "", **fields: Any) -> ModelVersion:
    """A registry row; its file holds no model."""
    digest = f"{next(_numbers):064x}"
    return ModelVersion.objects.create(
        name=name or f"model-{next(_numbers)}",
        file=ModelFile.objects.create(sha256=digest, content=b"none", size=4),
        **{
            "version": "1",
            "model_type": ModelType.SPOT_PREDICTOR.value,
            "format": "lightgbm-text",
            "metadata": {},
            "metadata_sha256": digest,
            "feature_version": "1",
            "feature_hash": digest,
            "horizon_seconds": 3600,
            "trained_until": NOW.date(),
        }
        | fields,
    )


def a_run(
    instance: Instance | None = None, *, steps: Iterable[str] = ("target", "candidates"), **fields: Any
) -> PipelineRun:
    """A finished run of `steps`, a second each."""
    instance = instance or an_instance()
    run = PipelineRun.objects.create(
        organization=instance.account.organization,
        account=instance.account,
        instance=instance,
        **{
            "pipeline": "LINEAR",
            "trigger": "person",
            "state": RunState.DONE.value,
            "started_at": NOW,
            "ended_at": NOW + timedelta(seconds=3),
        }
        | fields,
    )
    for position, name in enumerate(steps):
        run.steps.create(
            position=position,
            name=name,
            state="done",
            inputs={"instance": instance.instance_id},
            outputs={},
            count_in=4,
            count_out=3,
            started_at=NOW,
            duration_ms=1000.0,
        )
    return run


def an_experiment(instance: Instance | None = None, **fields: Any) -> ExperimentLog:
    """A decision of a run of its own: SWITCH to c5.large, and the latest on its instance unless told otherwise."""
    instance = instance or an_instance()
    if fields.get("is_latest", True):
        ExperimentLog.objects.filter(instance=instance).update(is_latest=False)
    return ExperimentLog.objects.create(
        organization=instance.account.organization,
        run=fields.pop("run", None) or a_run(instance),
        instance=instance,
        **{
            "decision": "SWITCH",
            "reason": "cheaper and safe",
            "instance_type": instance.instance_type,
            "target_instance_type": "c5.large",
            "target_zone_id": "use1-az2",
            "interruption_probability": 0.04,
            "safety_score": 0.9,
            "evidence": "trace",
            "current_usd_per_month": Decimal("70.08"),
            "expected_savings_usd_per_month": Decimal("41.25"),
            "receipt": {"instance": instance.instance_id},
            "receipt_sha256": f"{next(_numbers):064x}",
            "decided_at": NOW,
            "is_latest": True,
        }
        | fields,
    )
