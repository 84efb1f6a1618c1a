"""Which machines do the demo's customers run, and what is wrong with moving each?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PARIS, VIRGINIA = "eu-west-3", "us-east-1"
NORTHWIND_PROD, NORTHWIND_LAB, CONTOSO_PROD = "410938271665", "528410367719", "660291847531"


class Trap(StrEnum):
    """Why a machine must not be switched; each a row of the refusals for replacing one instance."""

    TERMINATION_PROTECTED = "termination protection"
    STOP_PROTECTED = "stop protection"
    INSTANCE_STORE = "data on the host's own disk"
    DEDICATED = "dedicated tenancy"
    WINDOWS = "Windows"
    DATA_VOLUME = "a data volume beside the root"
    KEEPS_ROOT = "root volume outlives the instance"
    TWO_INTERFACES = "two network interfaces"
    FORWARDS = "source/destination check off"
    ROUTE_TARGET = "a route leads to it"
    IGNORED = "tag spotopt:ignore"
    MARKETPLACE = "Marketplace product code"
    BILLED_SOFTWARE = "software billed with the instance"
    CLOUDFORMATION = "owned by CloudFormation"
    HIBERNATES = "hibernation configured"
    LICENSED = "license configuration"
    STOPPED = "not running"
    RESERVED_CAPACITY = "targeted capacity reservation"
    PLACEMENT_GROUP = "cluster placement group"
    ENCLAVE = "Nitro Enclave"
    MANAGED = "run by an AWS service"
    COMMITTED = "covered by a Reserved Instance"


@dataclass(frozen=True, slots=True)
class Machine:
    """`zone` is the letter in the account's own zone name. `age_days`: launched so long before the estate began."""

    account_id: str
    region: str
    name: str
    instance_type: str
    zone: str
    team: str
    age_days: int
    image: str = "linux"
    is_spot: bool = False
    trap: Trap | None = None
    group: str | None = None  # Auto Scaling group
    cluster: str | None = None  # EKS cluster

    @property
    def env(self) -> str:
        return "lab" if self.account_id == NORTHWIND_LAB else "prod"


@dataclass(frozen=True, slots=True)
class Group:
    """An Auto Scaling group; its members are the machines that name it."""

    account_id: str
    region: str
    name: str
    instance_type: str
    max_size: int
    image: str = "linux"
    cluster: str | None = None
    launch_hook: str | None = None


GROUPS = (
    Group(NORTHWIND_PROD, PARIS, "nw-web", "m5.large", 6),
    Group(NORTHWIND_PROD, PARIS, "eks-nw-prod-workers", "c5.2xlarge", 6, image="eks", cluster="nw-prod"),
    Group(NORTHWIND_PROD, VIRGINIA, "nw-ci", "c5a.2xlarge", 4),
    Group(CONTOSO_PROD, VIRGINIA, "contoso-render", "c5a.2xlarge", 4, launch_hook="warm-cache"),
)


def _series(
    account_id: str,
    region: str,
    name: str,
    instance_type: str,
    zones: str,
    team: str,
    age_days: int,
    *,
    image: str = "linux",
    is_spot: bool = False,
    group: str | None = None,
    cluster: str | None = None,
) -> tuple[Machine, ...]:
    """One machine per letter of `zones`, a week apart in age."""
    return tuple(
        Machine(
            account_id,
            region,
            f"{name}-{number}",
            instance_type,
            zone,
            team,
            age_days + 7 * number,
            image,
            is_spot,
            None,
            group,
            cluster,
        )
        for number, zone in enumerate(zones, start=1)
    )


def _trapped(
    account_id: str, region: str, name: str, instance_type: str, zone: str, trap: Trap, image: str = "linux"
) -> Machine:
    return Machine(account_id, region, name, instance_type, zone, "platform", 60 + len(name), image, trap=trap)


NORTHWIND_PARIS = (
    *_series(NORTHWIND_PROD, PARIS, "api", "m5.large", "abc", "shop", 90),
    *_series(NORTHWIND_PROD, PARIS, "search", "c5.2xlarge", "abc", "search", 41),
    *_series(NORTHWIND_PROD, PARIS, "metrics", "t3.large", "a", "platform", 200),
    *_series(NORTHWIND_PROD, PARIS, "mailer", "t3a.medium", "b", "shop", 150),
    *_series(NORTHWIND_PROD, PARIS, "reports", "r6i.large", "c", "finance", 75),
    *_series(NORTHWIND_PROD, PARIS, "thumbs", "c5.2xlarge", "ab", "shop", 12, is_spot=True),
    *_series(NORTHWIND_PROD, PARIS, "nw-web", "m5.large", "abc", "shop", 30, group="nw-web"),
    *_series(
        NORTHWIND_PROD,
        PARIS,
        "nw-prod-worker",
        "c5.2xlarge",
        "abc",
        "platform",
        21,
        image="eks",
        group="eks-nw-prod-workers",
        cluster="nw-prod",
    ),
    _trapped(NORTHWIND_PROD, PARIS, "ledger-db-1", "m5.large", "a", Trap.TERMINATION_PROTECTED),
    _trapped(NORTHWIND_PROD, PARIS, "scratch-1", "c5d.xlarge", "a", Trap.INSTANCE_STORE, "scratch"),
    _trapped(NORTHWIND_PROD, PARIS, "licence-host-1", "m5.large", "b", Trap.DEDICATED),
    _trapped(NORTHWIND_PROD, PARIS, "print-1", "t3.large", "c", Trap.WINDOWS, "windows"),
    _trapped(NORTHWIND_PROD, PARIS, "files-1", "t3.large", "a", Trap.DATA_VOLUME),
    _trapped(NORTHWIND_PROD, PARIS, "archive-1", "t2.large", "b", Trap.KEEPS_ROOT),
    _trapped(NORTHWIND_PROD, PARIS, "router-1", "c5.2xlarge", "c", Trap.TWO_INTERFACES),
    _trapped(NORTHWIND_PROD, PARIS, "golden-1", "t3a.medium", "a", Trap.IGNORED),
)
NORTHWIND_VIRGINIA = (
    *_series(NORTHWIND_PROD, VIRGINIA, "pricing", "c5a.2xlarge", "abc", "shop", 60),
    *_series(NORTHWIND_PROD, VIRGINIA, "feed", "c5.2xlarge", "bd", "shop", 33),
    *_series(NORTHWIND_PROD, VIRGINIA, "train", "p3.2xlarge", "c", "research", 9),
    *_series(NORTHWIND_PROD, VIRGINIA, "nw-ci", "c5a.2xlarge", "ab", "platform", 5, is_spot=True, group="nw-ci"),
    _trapped(NORTHWIND_PROD, VIRGINIA, "firewall-1", "c5.2xlarge", "a", Trap.MARKETPLACE, "firewall"),
    _trapped(NORTHWIND_PROD, VIRGINIA, "nat-1", "t3.large", "b", Trap.FORWARDS),
    _trapped(NORTHWIND_PROD, VIRGINIA, "vpn-1", "t3.large", "c", Trap.ROUTE_TARGET),
    _trapped(NORTHWIND_PROD, VIRGINIA, "reports-sql-1", "c5a.2xlarge", "d", Trap.BILLED_SOFTWARE, "sql"),
)
NORTHWIND_TEST = (
    *_series(NORTHWIND_LAB, PARIS, "try", "t3.large", "abc", "research", 15),
    *_series(NORTHWIND_LAB, PARIS, "bench", "c5.2xlarge", "bc", "research", 8),
    *_series(NORTHWIND_LAB, PARIS, "tune", "t3a.small", "a", "research", 4, is_spot=True),
    _trapped(NORTHWIND_LAB, PARIS, "stack-api-1", "m5.large", "a", Trap.CLOUDFORMATION),
    _trapped(NORTHWIND_LAB, PARIS, "notebook-1", "m5.large", "b", Trap.HIBERNATES),
    _trapped(NORTHWIND_LAB, PARIS, "old-batch-1", "t2.large", "c", Trap.STOPPED),
)
CONTOSO = (
    *_series(CONTOSO_PROD, PARIS, "orders", "m5.large", "abc", "orders", 100),
    *_series(CONTOSO_PROD, PARIS, "geo", "c5.2xlarge", "c", "maps", 44),
    *_series(CONTOSO_PROD, PARIS, "tiles", "t3.large", "b", "maps", 18, is_spot=True),
    _trapped(CONTOSO_PROD, PARIS, "sas-1", "m5.large", "a", Trap.LICENSED),
    _trapped(CONTOSO_PROD, PARIS, "steady-1", "r5.large", "b", Trap.COMMITTED),
    *_series(CONTOSO_PROD, VIRGINIA, "encode", "c5a.2xlarge", "abd", "media", 25),
    *_series(CONTOSO_PROD, VIRGINIA, "vision", "p2.xlarge", "c", "media", 70),
    *_series(CONTOSO_PROD, VIRGINIA, "contoso-render", "c5a.2xlarge", "bc", "media", 11, group="contoso-render"),
    _trapped(CONTOSO_PROD, VIRGINIA, "quota-1", "c5.2xlarge", "a", Trap.RESERVED_CAPACITY),
    _trapped(CONTOSO_PROD, VIRGINIA, "mpi-1", "c5.2xlarge", "b", Trap.PLACEMENT_GROUP),
    _trapped(CONTOSO_PROD, VIRGINIA, "keys-1", "c5.2xlarge", "c", Trap.ENCLAVE),
    _trapped(CONTOSO_PROD, VIRGINIA, "ecs-managed-1", "c5.2xlarge", "d", Trap.MANAGED),
    _trapped(CONTOSO_PROD, VIRGINIA, "vault-1", "m5.large", "e", Trap.STOP_PROTECTED),
)
MACHINES = (*NORTHWIND_PARIS, *NORTHWIND_VIRGINIA, *NORTHWIND_TEST, *CONTOSO)
