"""An organization as large as the largest that pages are made for: its instances, decisions, people and records.

Invented; one instance is evaluated by the product's own code, so that a receipt and a run are real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from accounts import keys, sealing
from accounts.domain import Role, Scope
from accounts.models import AuditEntry, AwsAccount, Membership, Organization, User
from governance.models import ComponentRun
from instances.domain.pool import Product
from instances.models import Instance
from mlregistry.models import ModelFile, ModelType, ModelVersion
from pipelines import history, linear
from pipelines.models import ExperimentLog, PipelineRun, RunState
from spotopt.local.benches import filled
from spotopt.local.benches.invented import TYPES, ZONES

ACCOUNTS, TYPES_IN_USE = 8, 60
BATCH = 2_000
BACKEND = "django.contrib.auth.backends.ModelBackend"
# what an evaluation wants to know of an EBS-backed Linux machine to which nothing objects
FACTS: dict[str, Any] = {
    "architecture": "x86_64",
    "root_device_type": "ebs",
    "root_device_name": "/dev/xvda",
    "block_devices": [{"device": "/dev/xvda", "volume_id": "vol-1", "delete_on_termination": True}],
    "volumes": [{"id": "vol-1", "is_multi_attach": False}],
    "vpc_id": "vpc-1",
    "subnet_id": "subnet-1",
    "interfaces": [{"type": "interface", "private_ips": ["10.0.0.4"]}],
    "tenancy": "default",
    "platform_details": "Linux/UNIX",
    "usage_operation": "RunInstances",
}


@dataclass(frozen=True, slots=True)
class Inhabited:
    organization: Organization
    people: list[User]
    account: AwsAccount
    instance: Instance
    run: PipelineRun
    experiment: ExperimentLog
    models: tuple[ModelVersion, ModelVersion]


def inhabit(region: str, *, instances: int, people: int, now: datetime) -> Inhabited:
    """`instances` machines with two decisions each, as many audit entries and jobs as decisions; `people` owners."""
    organization = Organization.objects.create(name="Inhabited")
    accounts = [_account(organization, n, region, now) for n in range(ACCOUNTS)]
    rows = Instance.objects.bulk_create(
        (_instance(accounts[n % ACCOUNTS], n, region, now) for n in range(instances)), batch_size=BATCH
    )
    models = (_model("one", now), _model("other", now))
    for age, model in ((timedelta(hours=2), models[0]), (timedelta(minutes=20), models[1])):
        _decide(organization, rows, model, now - age, is_latest=model is models[1])
    _record(organization, accounts, 2 * instances, now)
    run = linear.evaluate(rows[0], now=now)
    if run.state != RunState.DONE:
        raise RuntimeError(f"the evaluation failed: {run.error}")
    history.keep_all(now=now)
    for n in range(people):
        keys.issue(organization, f"key {n}", (Scope.READ,), by=None)
    users = [_owner(organization, n) for n in range(people)]
    return Inhabited(organization, users, accounts[0], rows[0], run, run.experiment, models)


def session_of(user: User) -> str:
    """The key of a session in which that person is signed in."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def _account(organization: Organization, n: int, region: str, now: datetime) -> AwsAccount:
    return AwsAccount.objects.create(
        organization=organization,
        account_id=f"{n:012}",
        name=f"account {n}",
        environment="LAB" if n else "PROD",
        regions=[region],
        is_valid=True,
        validated_at=now,
        synced_at=now,
    )


def _instance(account: AwsAccount, n: int, region: str, now: datetime) -> Instance:
    zone = n % ZONES
    return Instance(
        account=account,
        instance_id=f"i-{n:017x}",
        name=f"web-{n}",
        region=region,
        zone_name=f"{region}{'abcdefgh'[zone]}",
        zone_id=filled.zone_id(region, zone),
        instance_type=TYPES[n % TYPES_IN_USE],
        product=Product.LINUX.value,
        state="running",
        is_spot=n % 5 == 4,
        launched_at=now - timedelta(days=30),
        tags={"Name": f"web-{n}", "team": f"team {n % 40}"},
        facts=FACTS,
        seen_at=now,
    )


def _model(name: str, now: datetime) -> ModelVersion:
    file, _ = ModelFile.objects.get_or_create(sha256=name.rjust(64, "0"), defaults={"content": b"-", "size": 1})
    return ModelVersion.objects.create(
        name=name,
        version="1",
        model_type=ModelType.SPOT_PREDICTOR.value,
        format="lightgbm-text",
        file=file,
        metadata={},
        metadata_sha256=file.sha256,
        feature_version="1",
        feature_hash=file.sha256,
        horizon_seconds=3600,
        trained_until=now.date(),
    )


def _decide(
    organization: Organization, rows: list[Instance], model: ModelVersion, at: datetime, *, is_latest: bool
) -> None:
    done = {"pipeline": "LINEAR", "trigger": "beat", "state": RunState.DONE.value, "started_at": at, "ended_at": at}
    runs = PipelineRun.objects.bulk_create(
        (PipelineRun(organization=organization, account_id=row.account_id, instance=row, **done) for row in rows),
        batch_size=BATCH,
    )
    ExperimentLog.objects.bulk_create(
        (
            ExperimentLog(
                organization=organization,
                run=run,
                instance=row,
                model=model,
                decision="SWITCH" if (n + is_latest) % 3 else "STAY",
                reason="Invented, and as long as a reason is: the tightest gate is zone_spread, 1 of 5 in the zone.",
                instance_type=row.instance_type,
                target_instance_type=TYPES[(n + 1) % TYPES_IN_USE],
                target_zone_id=row.zone_id,
                interruption_probability=n % 100 / 1000,
                safety_score=0.8,
                evidence="trace",
                current_usd_per_month=Decimal(7000),
                expected_savings_usd_per_month=Decimal(n % 900) if (n + is_latest) % 3 else None,
                receipt={"invented": True},
                receipt_sha256="0" * 64,
                decided_at=at + timedelta(milliseconds=n),
                is_latest=is_latest,
            )
            for n, (row, run) in enumerate(zip(rows, runs, strict=True))
        ),
        batch_size=BATCH,
    )


def _record(organization: Organization, accounts: list[AwsAccount], count: int, now: datetime) -> None:
    AuditEntry.objects.bulk_create(
        (
            AuditEntry(organization=organization, actor="beat", deed="instance.evaluated", subject=f"instance/{n}")
            for n in range(count)
        ),
        batch_size=BATCH,
    )
    while sealing.seal(whole=True):
        pass
    ComponentRun.objects.bulk_create(
        (
            ComponentRun(
                component="inventory",
                task="sync_account",
                subject=str(accounts[n % ACCOUNTS].pk),
                started_at=now - timedelta(seconds=4 * n),
                ended_at=now - timedelta(seconds=4 * n - 2),
                is_success=n % 50 > 0,
            )
            for n in range(count)
        ),
        batch_size=BATCH,
    )


def _owner(organization: Organization, n: int) -> User:
    user = User(username=f"bench-{n}", email=f"bench-{n}@example.org")
    user.set_unusable_password()
    user.save()
    Membership.objects.create(organization=organization, user=user, role=Role.OWNER.value)
    return user
