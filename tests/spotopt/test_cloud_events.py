"""Do events arrive as EventBridge sends them: at least once, in any order, some never?"""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.fakes.cloud import NORTHWIND
from tests.spotopt.cloud_things import look, named


@pytest.fixture
def ec2(inner_cloud):
    return inner_cloud.root(NORTHWIND, "ec2")


@pytest.fixture
def spot(ec2):
    return named(ec2, "thumbs-1")


def messages(cloud) -> list[dict]:
    """Everything in the queue of Paris, taken out."""
    sqs = cloud.installation("sqs", "eu-west-3")
    url = sqs.get_queue_url(QueueName="spotopt-events")["QueueUrl"]
    found = []
    while rows := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20).get("Messages", []):
        for row in rows:
            found.append(json.loads(row["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=row["ReceiptHandle"])
    return found


def request_of(ec2, spot) -> tuple[str, str]:
    (found,) = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[spot["SpotInstanceRequestId"]])[
        "SpotInstanceRequests"
    ]
    return found["State"], found["Status"]["Code"]


def test_a_warning_comes_two_minutes_before_the_end(inner_cloud, ec2, spot):
    """EC2 guide, "Spot Instance interruption notices": the event, the status code, the end two minutes later."""
    inner_cloud.control("interrupt", instance_id=spot["InstanceId"])
    (event,) = messages(inner_cloud)
    assert event["detail-type"] == "EC2 Spot Instance Interruption Warning"
    assert event["source"] == "aws.ec2"
    assert event["detail"] == {"instance-id": spot["InstanceId"], "instance-action": "terminate"}
    assert (event["account"], event["region"]) == (NORTHWIND.account_id, "eu-west-3")
    assert datetime.fromisoformat(event["time"].replace("Z", "+00:00")).tzinfo is not None
    assert request_of(ec2, spot) == ("active", "marked-for-termination")
    inner_cloud.advance(119)
    assert look(ec2, spot["InstanceId"])["State"]["Name"] == "running"
    inner_cloud.advance(10)
    assert request_of(ec2, spot) == ("closed", "instance-terminated-no-capacity")
    gone = look(ec2, spot["InstanceId"])
    assert gone["State"]["Name"] == "terminated"
    assert gone["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_a_recommendation_comes_earlier_and_alone(inner_cloud, ec2, spot):
    """EC2 guide, "EC2 instance rebalance recommendations": it may come before the notice, or with no interruption."""
    inner_cloud.control("recommend", instance_id=spot["InstanceId"])
    (event,) = messages(inner_cloud)
    assert event["detail-type"] == "EC2 Instance Rebalance Recommendation"
    assert event["detail"] == {"instance-id": spot["InstanceId"]}
    inner_cloud.advance(600)
    assert look(ec2, spot["InstanceId"])["State"]["Name"] == "running"
    inner_cloud.control("interrupt", instance_id=spot["InstanceId"], recommended=True)
    inner_cloud.advance(61)
    assert [one["detail-type"].split()[-1] for one in messages(inner_cloud)] == ["Recommendation", "Warning"]


def test_events_come_more_than_once_and_late(inner_cloud, spot):
    """EventBridge guide, "Event delivery": at least once, retried for up to 24 hours; `time` stays the first moment."""
    inner_cloud.control("interrupt", instance_id=spot["InstanceId"], copies=3, late=3600)
    at = inner_cloud.clock.now()
    assert messages(inner_cloud) == []
    inner_cloud.advance(3601)
    found = messages(inner_cloud)
    assert len(found) == 3
    assert len({one["id"] for one in found}) == 1
    assert found[0]["time"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_interruption_may_come_without_any_event(inner_cloud, ec2, spot):
    """EC2 guide: notices are best effort; the status code of the request is the second source."""
    inner_cloud.control("interrupt", instance_id=spot["InstanceId"], unannounced=True)
    assert messages(inner_cloud) == []
    assert request_of(ec2, spot)[1] == "marked-for-termination"


def test_anything_can_be_posted(inner_cloud):
    """SQS takes any text from whoever may send."""
    inner_cloud.control("post", region="eu-west-3", body='{"forged": true}')
    assert messages(inner_cloud) == [{"forged": True}]


def test_a_message_that_is_not_deleted_returns_and_ends_in_the_dead_letter_queue(inner_cloud, spot):
    """SQS guide, "Visibility timeout" and "Dead-letter queues": after five receives."""
    inner_cloud.control("post", region="eu-west-3", body="{}")
    sqs = inner_cloud.installation("sqs", "eu-west-3")
    url = sqs.get_queue_url(QueueName="spotopt-events")["QueueUrl"]
    taken = 0
    for _ in range(7):
        taken += len(sqs.receive_message(QueueUrl=url).get("Messages", []))
        assert sqs.receive_message(QueueUrl=url).get("Messages", []) == []
        inner_cloud.advance(61)
    assert taken == 5
    dead = sqs.get_queue_url(QueueName="spotopt-events-dead")["QueueUrl"]
    assert len(sqs.receive_message(QueueUrl=dead)["Messages"]) == 1


def test_an_interrupted_member_is_replaced_by_its_group(inner_cloud):
    """Auto Scaling guide, "Health checks": an instance that Spot takes back is unhealthy."""
    group = next(iter(inner_cloud.census().groups["nw-ci"].members))
    inner_cloud.control("interrupt", instance_id=group, now=True)
    inner_cloud.advance(60)
    after = inner_cloud.census().groups["nw-ci"]
    assert group not in after.members
    assert after.in_service == 2
