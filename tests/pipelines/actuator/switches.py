"""A linear switch on the local cloud, in process, on one virtual time for the cloud, the database and the credentials.

`judge` stands at the cloud's own ledger and looks after every call, not only at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from accounts.aws import policy
from accounts.aws.limiter import Limiter
from accounts.aws.session import Door
from pipelines.actuator import clock, journal, runner
from pipelines.actuator.hands import hands_for
from pipelines.domain.lifecycle import CLOSED
from pipelines.domain.plan import MANAGED_TAG, OPERATION_TAG
from pipelines.domain.switching import Destination, Registration, Switch, linear_switch
from pipelines.models import Operation
from spotopt.local.estate import INSTALLATION
from tests.factories import a_pool, an_account
from tests.fakes.cloud import NORTHWIND

PARIS = "eu-west-3"
ENDED = {*CLOSED, "stuck"}
SECOND = timedelta(seconds=1)


class Killed(BaseException):
    """The worker is gone: nothing after this line ran, not even its own error handling."""


def kill() -> None:
    raise Killed


@dataclass
class Stage:
    """One target on one cloud; `violations` is what the judge saw."""

    cloud: Any
    name: str = "api-1"
    has_traffic: bool = False  # a balancer and an Elastic IP
    account: Any = None
    ec2: Any = None
    target: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    allocation_id: str = ""
    turns: int = 0
    _began: datetime | None = None

    def __post_init__(self) -> None:
        self.ec2 = self.cloud.root(NORTHWIND, "ec2", PARIS)
        found = self.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [self.name]}])
        self.target = found["Reservations"][0]["Instances"][0]
        self.account = an_account(account_id=NORTHWIND.account_id, regions=[PARIS])
        self.account.read_role_arn = self._deploy("SpotOptimizerRead", policy.read_policy())
        self.account.act_role_arn = self._deploy("SpotOptimizerAct", policy.act_policy())
        self.account.save()
        # a person's word: without it the act role may not end this instance
        self.ec2.create_tags(Resources=[self.target_id], Tags=[{"Key": policy.GIVEN_TAG, "Value": "replace"}])
        if self.has_traffic:
            self._bring_traffic()
        self.target = self.look(self.target_id)
        self._began = self.cloud.clock.now()
        limiter = Limiter(clock=self._seconds, sleep=self.advance)
        self.door = Door(clock=self.cloud.clock.now, limiter=limiter)
        self.before = self.cloud.census()
        self.cloud.watch(self._judge)

    def _deploy(self, name: str, grants: dict[str, Any]) -> str:
        """Play the customer who deploys a role of ours."""
        iam = self.cloud.root(NORTHWIND, "iam", "us-east-1")
        trust = policy.trust_policy(INSTALLATION.account_id, self.account.external_id)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=name, PolicyName="spotopt", PolicyDocument=json.dumps(grants))
        return f"arn:aws:iam::{NORTHWIND.account_id}:role/{name}"

    def _bring_traffic(self) -> None:
        """An Elastic IP beside the balancers that it has, which drain in half a minute."""
        elb = self.cloud.root(NORTHWIND, "elbv2", PARIS)
        for each in self.registrations():
            delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "30"}
            elb.modify_target_group_attributes(TargetGroupArn=each.group_arn, Attributes=[delay])
        self.allocation_id = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.ec2.associate_address(AllocationId=self.allocation_id, InstanceId=self.target_id)
        self.cloud.advance(60)

    def look(self, instance_id: str) -> dict[str, Any]:
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def _seconds(self) -> float:
        return (self.cloud.clock.now() - self._began).total_seconds()

    @property
    def target_id(self) -> str:
        return self.target["InstanceId"]

    def advance(self, seconds: float) -> None:
        self.cloud.advance(seconds)

    # --- The plan -------------------------------------------------------------------------------------------------
    def subject(self) -> dict[str, Any]:
        it = self.target
        return {
            "state": "running",
            "instance_type": it["InstanceType"],
            "launched_at": it["LaunchTime"].isoformat(),
            "lifecycle": None,
            "image_id": it["ImageId"],
            "subnet_id": it["SubnetId"],
            "tags": {tag["Key"]: tag["Value"] for tag in it.get("Tags", ())},
            "vcpus": 2,
            "is_burstable": False,
        }

    def destinations(self, *types: str) -> list[Destination]:
        zone = self.target["Placement"]["AvailabilityZoneId"]
        for instance_type in types:
            a_pool(instance_type, zone, region=PARIS)
        return [Destination(each, zone, self.target["SubnetId"], False) for each in types]

    def open(self, *types: str, **fields: Any) -> Operation:
        options = {"is_shadow": fields.pop("is_shadow", False), "by": "a test"}
        if self.has_traffic:
            traffic = {"registrations": self.registrations(), "addresses": [self.allocation_id]}
            fields = {**traffic, "probes": 2, "probe_seconds": 20.0} | fields
        plan = linear_switch(
            Switch(
                target_id=self.target_id,
                region=PARIS,
                subject=self.subject(),
                destinations=self.destinations(*(types or ("m5.large", "c5.large"))),
                **fields,
            )
        )
        operation = journal.open_operation(self.account, plan, **options)
        journal.begin(operation, by="a test")
        return operation

    # --- The drive ------------------------------------------------------------------------------------------------
    def turn(self, operation: Operation, holder: str = "one") -> bool:
        self.turns += 1
        return runner.turn(operation.pk, holder=holder, make_hands=partial(hands_for, door=self.door))

    def drive(self, operation: Operation, *, most: int = 400, until: Callable[[], bool] | None = None) -> Operation:
        """Turn after turn, each when it is due; a killed worker is followed by another once its lease is out."""
        for number in range(most):
            operation.refresh_from_db()
            if operation.state in ENDED or (until and until()):
                return operation
            wait = (operation.due_at - clock.now()).total_seconds() if operation.due_at else 60
            if wait > 0:
                self.advance(wait + 0.001)
            try:
                self.turn(operation, f"worker {number}")
            except Killed:
                self.advance(journal.LEASE.total_seconds() + 1)
        operation.refresh_from_db()
        last = operation.steps.exclude(state__in=("waiting", "skipped")).last()
        raise AssertionError(f"{operation} has not ended after {most} turns; {last}: {last and last.error}")

    # --- What was made --------------------------------------------------------------------------------------------
    def ours(self) -> dict[str, Any]:
        return self.cloud.census().tagged(OPERATION_TAG)

    def registrations(self) -> list[Registration]:
        """The target's places in target groups, as the customer's own keys show them."""
        elb = self.cloud.root(NORTHWIND, "elbv2", PARIS)
        found = []
        for group in elb.describe_target_groups()["TargetGroups"]:
            for each in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]:
                if each["Target"]["Id"] == self.target_id:
                    port = each["Target"].get("Port")
                    found.append(Registration(group["TargetGroupArn"], group["TargetGroupName"], port))
        return found

    # --- The judge ------------------------------------------------------------------------------------------------
    def _judge(self, change: Any, now: Any) -> None:
        """The invariants of safety.md 9 that one instance can break."""
        own = [one for one in now.tagged(OPERATION_TAG).values() if MANAGED_TAG in one.tags]
        old = now.instances.get(self.target_id)
        name = change.name if change else "by itself"
        serving = now.serving()[self.name]
        if serving < 1 and self.expects_service:
            self._broken(f"after {name}: nobody serves {self.name}")
        if len(own) > 1:
            self._broken(f"after {name}: {len(own)} replacements")
        if (old is None or old.state not in {"running"}) and not [one for one in own if one.is_up]:
            self._broken(f"after {name}: old is {old and old.state}, and no replacement serves")
        if self.has_traffic and not self._balancers_have_one_of_them(now, own):
            self._broken(f"after {name}: the balancer has no healthy target")
        if change is None or change.outcome != "done" or "SpotOptimizer" not in change.who:
            return
        if not Operation.objects.filter(pk=change.session_name.removeprefix("spotopt-")).exists():
            self._broken(f"{name} by {change.session_name}, which is no operation")
        for touched in (*change.effect.changed, *change.effect.gone):
            kind, _, thing = touched.partition("/")
            if kind == "instance" and thing != self.target_id and thing in self.before.instances:
                self._broken(f"{name} touched {touched}, which is nobody's business")

    expects_service: bool = True

    def _balancers_have_one_of_them(self, now: Any, own: list[Any]) -> bool:
        """In every group that the old one was in, the old or a new one is healthy."""
        ids = {self.target_id, *(one.id for one in own)}
        groups = {group for group, instance, *_ in self.before.registrations if instance == self.target_id}
        healthy = {key[0] for key, health in now.registrations.items() if key[1] in ids and health == "healthy"}
        return groups <= healthy

    def is_as_before(self) -> list[str]:
        """What is not as it was, after an operation that was undone."""
        now, target = self.cloud.census(), self.target_id
        wrong = self.leftovers()
        if now.instances[target].state != "running" or not now.instances[target].is_up:
            wrong.append(f"the old instance is {now.instances[target].state}")
        if now.addresses != self.before.addresses:
            wrong.append(f"addresses: {now.addresses}")
        if now.registrations != self.before.registrations:
            wrong.append(f"registrations: {now.registrations}")
        return wrong

    def _broken(self, what: str) -> None:
        if what not in self.violations:
            self.violations.append(what)

    def leftovers(self) -> list[str]:
        """What is there after an operation that was not there before, but for the replacement."""
        now = self.cloud.census()
        alive = [f"instance/{one.id}" for one in now.tagged(OPERATION_TAG).values()]
        images = [f"image/{one}" for one in now.images if one not in self.before.images]
        snapshots = [f"snapshot/{one}" for one in now.snapshots if one not in self.before.snapshots]
        requests = [f"request/{one}" for one in now.open_spot_requests - self.before.open_spot_requests]
        loose = [f"volume/{one}" for one, of in now.volumes.items() if not of and one not in self.before.volumes]
        return [*alive, *images, *snapshots, *requests, *loose]
