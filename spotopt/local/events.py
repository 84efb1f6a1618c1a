"""What does EventBridge say of an instance, and into which queue? EC2 guide, "Spot Instance interruption notices" and
"EC2 instance rebalance recommendations".
"""

from __future__ import annotations

import json
from typing import Any

from spotopt.local.estate import ACCOUNTS, INSTALLATION
from spotopt.local.world import World

import moto.sqs.models  # isort: skip
from moto.moto_api._internal import mock_random  # isort: skip
from moto.sqs.models import sqs_backends  # isort: skip

QUEUE = "spotopt-events"  # ours, in each region in which a customer has machines
WARNING, RECOMMENDATION = "EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"
CHANGE = "EC2 Instance State-change Notification"


def install() -> None:
    """Queues hide and forget by the cloud's own clock."""
    moto.sqs.models.unix_time = lambda dt=None: (dt or World.clock.now()).timestamp()
    moto.sqs.models.unix_time_millis = lambda dt=None: (dt or World.clock.now()).timestamp() * 1000


def open_queues() -> None:
    """Nothing is in them after a start: what was not taken is lost, as after a retention period."""
    for region in sorted({region for account in ACCOUNTS for region in account.regions}):
        backend = sqs_backends[INSTALLATION.account_id][region]
        if QUEUE in backend.queues:
            continue
        dead = backend.create_queue(f"{QUEUE}-dead")
        redrive = json.dumps({"deadLetterTargetArn": dead.queue_arn, "maxReceiveCount": 5})
        backend.create_queue(QUEUE, None, VisibilityTimeout="60", RedrivePolicy=redrive)


def event(kind: str, instance: Any, detail: dict[str, str]) -> dict[str, Any]:
    """As EventBridge wraps it; `time` is when it happened, not when it arrives."""
    backend = instance.ec2_backend
    arn = f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:instance/{instance.id}"
    if kind == WARNING:  # this one names the zone, not the region's instance (EC2 guide, the example)
        arn = f"arn:aws:ec2:{instance.availability_zone}:instance/{instance.id}"
    return {
        "version": "0",
        "id": str(mock_random.uuid4()),
        "detail-type": kind,
        "source": "aws.ec2",
        "account": backend.account_id,
        "time": World.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": backend.region_name,
        "resources": [arn],
        "detail": {"instance-id": instance.id} | detail,
    }


def send(kind: str, instance: Any, detail: dict[str, str], *, copies: int = 1, after: float = 0) -> None:
    """At least once, in any order: `copies` and `after` make it so on demand (EventBridge guide, "Event delivery")."""
    body, region = json.dumps(event(kind, instance, detail)), instance.ec2_backend.region_name
    for _ in range(copies):
        World.agenda.add(after, lambda: put(region, body))


def put(region: str, body: str) -> None:
    """Any text: what is malformed or forged arrives too. Nothing arrives twice because the past is made again."""
    if not World.is_replaying:
        sqs_backends[INSTALLATION.account_id][region].send_message(QUEUE, body)
