"""What does the demo do between an empty database and decisions, in which order?

Imported only once the settings are in the environment.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum
from django.utils import timezone

from accounts import onboarding
from accounts.models import AwsAccount
from governance import health
from instances import inventory
from instances.market import ingest
from instances.market.attempts import is_whole
from instances.models import FetchOutcome, FetchSource, Instance, MarketFetch
from mlregistry import registry, scoring
from mlregistry.models import ModelVersion
from pipelines import history, linear
from pipelines.models import ExperimentLog, RunState
from spotopt import timetable
from spotopt.local import house, supervise, tenants
from spotopt.local.house import Secrets


@dataclass(frozen=True, slots=True)
class Demo:
    """What a step may need to know."""

    state: Path
    environment: dict[str, str]
    cloud_url: str
    secrets: Secrets
    is_once: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """`act` says in a few words what came of it; it raises when it fails. Each is harmless when repeated."""

    name: str
    act: Callable[[Demo], str]


class StepFailed(Exception):
    """A part of the demo failed in its own process; the message is what it said."""


def migrate(demo: Demo) -> str:
    """Bring the tables up to date as `owner`; the process that goes on may not."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not missing:
        return "nothing new"
    done = subprocess.run(
        [supervise.python(), house.ROOT / "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        cwd=house.ROOT,
        env=house.as_owner(demo.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StepFailed(" ".join(done.stderr.split()[-60:]))
    return f"{len(missing)} applied"


def validate_accounts(_: Demo) -> str:
    """Each account must open for us and for nobody else. Those that did so before are not asked again."""
    rows = tenants.begun_with().filter(is_valid=False, is_active=True)
    for account in rows:
        found = onboarding.validate(account, by="demo", now=timezone.now())
        if not found.ok:
            raise StepFailed(f"{account}: {'; '.join(found.problems)}")
    return f"{len(rows)} opened with their ExternalId and not without" if rows else "validated before"


def fetch_zones(_: Demo) -> str:
    """What we and each account call the zones; names differ between accounts."""
    ours: list[tuple[AwsAccount | None, str]] = [(None, region) for region in settings.MARKET_REGIONS]
    theirs = [(account, region) for account in tenants.begun_with() for region in account.regions]
    fetches = [ingest.fetch_zones(account, region, timezone.now()) for account, region in (*ours, *theirs)]
    return _counted(fetches, "names")


def fetch_catalogue(_: Demo) -> str:
    if _is_of_today(FetchSource.CATALOGUE):
        return "of today"
    return _counted([ingest.fetch_catalogue(timezone.now())], "instance types")


def fetch_on_demand(_: Demo) -> str:
    due = [region for region in settings.MARKET_REGIONS if not _is_of_today(FetchSource.ON_DEMAND, region)]
    return _counted([ingest.fetch_on_demand(region, timezone.now()) for region in due], "prices") if due else "of today"


def fetch_advisor(_: Demo) -> str:
    fetch = ingest.fetch_advisor(timezone.now())
    return "unchanged" if fetch.outcome == FetchOutcome.UNCHANGED else _counted([fetch], "ratings")


def fetch_spot(_: Demo) -> str:
    """90 days the first time, then what is new."""
    began = timezone.now()
    _counted([ingest.fetch_spot(region, timezone.now()) for region in settings.MARKET_REGIONS], "price changes")
    slices = MarketFetch.objects.filter(source=FetchSource.SPOT, started_at__gte=began)
    return "{rows:,} price changes, {written:,} new".format(
        **slices.aggregate(rows=Sum("rows"), written=Sum("written"))
    )


def mirror(_: Demo) -> str:
    """What runs in the accounts."""
    results = [inventory.sync(account, now=timezone.now()) for account in tenants.begun_with().filter(is_active=True)]
    wrong = [f"{region.region}: {region.error}" for result in results for region in result.regions if region.error]
    if wrong:
        raise StepFailed("; ".join(wrong))
    return f"{Instance.objects.present().count()} instances"


def activate_model(_: Demo) -> str:
    """The model that ships, unless people have chosen another."""
    shipped = registry.register_shipped(by="demo")
    current = ModelVersion.objects.filter(model_type=shipped.model_type, is_active=True).first()
    if current is None:
        registry.activate(shipped, by="demo", now=timezone.now())
        current = shipped
    return f"{current.name} {current.version}"


def score(_: Demo) -> str:
    """The regions whose scores are older than what they rest on."""
    done = [scoring.score_region(region, now=timezone.now()) for region in scoring.regions_due(now=timezone.now())]
    if not done:
        return "nothing new"
    return f"{sum(one.pools for one in done):,} pools, {sum(one.unknown for one in done):,} of them unknown"


def evaluate(demo: Demo) -> str:
    """A decision for each instance: `--once` makes all of them anew, a later start those that are an hour old."""
    wanted = linear.evaluated_hourly()
    if not demo.is_once:
        recent = ExperimentLog.objects.filter(is_latest=True, decided_at__gt=timezone.now() - timedelta(hours=1))
        wanted = wanted.exclude(pk__in=recent.values("instance"))
    counts: Counter[str] = Counter()
    for instance in wanted:
        with health.run("linear pipeline", "evaluate", f"instance {instance.instance_id}") as report:
            run = linear.evaluate(instance, now=timezone.now())
            report.is_success, report.detail = run.state != RunState.FAILED, run.error
        if run.state == RunState.FAILED:
            raise StepFailed(f"{instance.instance_id}: {run.error}")
        counts[run.experiment.decision] += 1
    history.keep_all(now=timezone.now())
    return f"{counts['SWITCH']} SWITCH, {counts['STAY']} STAY" if counts else "nothing due"


def seed_timetable(_: Demo) -> str:
    added = timetable.seed()
    return f"{added} jobs added" if added else "nothing new"


def _is_of_today(source: FetchSource, region: str = "") -> bool:
    """Lists change slowly: a whole fetch of the last 24 hours will do."""
    recent = MarketFetch.objects.whole().filter(source=source, region=region)
    return recent.filter(ended_at__gt=timezone.now() - timedelta(hours=24)).exists()


def _counted(fetches: Sequence[MarketFetch], what: str) -> str:
    """How much came. Raises StepFailed with the first that ended badly."""
    for fetch in fetches:
        if not is_whole(fetch):
            raise StepFailed(f"{fetch.source} {fetch.region} {fetch.outcome}: {fetch.detail}")
    rejected = sum(fetch.rejected for fetch in fetches)
    told = f"{sum(fetch.rows for fetch in fetches):,} {what}"
    return f"{told}, {rejected} rejected" if rejected else told


STEPS = (
    Step("migrations", migrate),
    Step("organizations and people", lambda demo: tenants.settle(demo.secrets.passwords)),
    Step("roles in the local cloud", lambda demo: tenants.deploy_roles(demo.cloud_url)),
    Step("accounts", validate_accounts),
    Step("zones", fetch_zones),
    Step("instance types", fetch_catalogue),
    Step("On-Demand prices", fetch_on_demand),
    Step("Spot Advisor", fetch_advisor),
    Step("Spot prices", fetch_spot),
    Step("inventory", mirror),
    Step("model", activate_model),
    Step("scores", score),
    Step("decisions", evaluate),
    Step("timetable", seed_timetable),
)
