"""Does the cloud break as it is told, and mend again?"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.fakes.cloud import NORTHWIND, NORTHWIND_LAB


def code_of(call, **params) -> str:
    with pytest.raises(ClientError) as refused:
        call(**params)
    return refused.value.response["Error"]["Code"]


def fetch(url: str, **headers: str):
    """(status, headers, body)"""
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


def volumes(ec2) -> int:
    return len(ec2.describe_volumes()["Volumes"])


def test_throttling_hits_as_often_as_told_in_each_services_own_words(local_cloud):
    """EC2 guide, "Request throttling": RequestLimitExceeded, 503; Auto Scaling "Common errors": Throttling."""
    ec2, groups = local_cloud.root(NORTHWIND, "ec2"), local_cloud.root(NORTHWIND, "autoscaling")
    prices = local_cloud.installation("pricing")
    local_cloud.control("throttle", action="DescribeInstances", count=2)
    assert code_of(ec2.describe_instances) == "RequestLimitExceeded"
    assert ec2.describe_volumes()["Volumes"]
    assert code_of(ec2.describe_instances) == "RequestLimitExceeded"
    assert ec2.describe_instances()["Reservations"]
    local_cloud.control("throttle", action="autoscaling:*")
    assert code_of(groups.describe_auto_scaling_groups) == "Throttling"
    local_cloud.control("throttle", action="GetProducts")
    assert code_of(prices.get_products, ServiceCode="AmazonEC2") == "ThrottlingException"


def test_a_call_can_fail_with_any_code(local_cloud):
    """EC2 "Error codes", server errors: 5xx."""
    local_cloud.control("fail", action="DescribeInstances", code="InternalError")
    with pytest.raises(ClientError) as failed:
        local_cloud.root(NORTHWIND, "ec2").describe_instances()
    assert failed.value.response["Error"]["Code"] == "InternalError"
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


@pytest.mark.parametrize(("effect", "made"), [("with", 1), ("without", 0)])
def test_an_answer_can_be_lost_with_and_without_effect(local_cloud, effect, made):
    """EC2 guide, "Ensuring idempotency": a caller without an answer does not know whether it was done."""
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    before = volumes(ec2)
    local_cloud.control("lose-answer", action="CreateVolume", effect=effect)
    with pytest.raises(BotoCoreError):
        ec2.create_volume(AvailabilityZone="eu-west-3a", Size=8)
    assert volumes(ec2) == before + made


def test_latency_is_felt_by_every_call(local_cloud):
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    ec2.describe_regions()
    local_cloud.control("latency", ms=300)
    began = time.monotonic()
    ec2.describe_regions()
    assert time.monotonic() - began >= 0.3


def test_every_call_is_counted_and_changes_apart(local_cloud):
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    ec2.describe_instances()
    ec2.describe_instances()
    assert local_cloud.calls("ec2:DescribeInstances") == 2
    assert local_cloud.mutating_calls() == 0
    ec2.create_volume(AvailabilityZone="eu-west-3a", Size=8)
    assert local_cloud.mutating_calls() == 1


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("empty", lambda rows, good: rows == []), ("duplicates", lambda rows, good: len(rows) == 2 * len(good))],
)
def test_prices_can_be_empty_or_doubled(local_cloud, mode, expected):
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    only = {"InstanceTypes": ["t3.large"], "ProductDescriptions": ["Linux/UNIX"]}
    good = ec2.describe_spot_price_history(**only)["SpotPriceHistory"]
    local_cloud.control("prices", mode=mode)
    assert expected(ec2.describe_spot_price_history(**only)["SpotPriceHistory"], good)


def test_prices_can_be_absurd_or_far_too_many(local_cloud):
    ec2 = local_cloud.root(NORTHWIND, "ec2")
    local_cloud.control("prices", mode="absurd")
    entries = ec2.describe_spot_price_history(InstanceTypes=["t3.large"])["SpotPriceHistory"]
    assert {"0.000000", "-0.010000", "999999.000000", "NaN"} <= {entry["SpotPrice"] for entry in entries}
    assert "zz9.plural" in {entry["InstanceType"] for entry in entries}
    assert "nowh1-az1" in {entry["AvailabilityZoneId"] for entry in entries}
    local_cloud.control("prices", mode="huge")
    assert len(ec2.describe_spot_price_history()["SpotPriceHistory"]) > 1000


def test_the_advisor_file_is_as_published_with_its_tag(local_cloud):
    """S3 reference, GetObject: ETag, Last-Modified, 304 for If-None-Match."""
    url = f"{local_cloud.endpoint}/spot-advisor-data.json"
    status, headers, body = fetch(url)
    assert status == 200
    assert len(json.loads(body)["spot_advisor"]) == 29
    assert headers["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    assert headers["Last-Modified"].startswith("Wed, 28 Feb 2024")
    assert fetch(url, **{"If-None-Match": headers["ETag"]})[0] == 304


def test_the_advisor_file_can_be_broken_in_four_ways(local_cloud):
    url = f"{local_cloud.endpoint}/spot-advisor-data.json"
    good = json.loads(fetch(url)[2])
    for mode in ("malformed", "truncated"):
        local_cloud.control("advisor", mode=mode)
        with pytest.raises(ValueError, match=r"."):
            json.loads(fetch(url)[2])
    local_cloud.control("advisor", mode="different")
    turned = json.loads(fetch(url)[2])
    types = good["spot_advisor"]["eu-west-3"]["Linux"]
    changed = [name for name in types if types[name]["r"] != turned["spot_advisor"]["eu-west-3"]["Linux"][name]["r"]]
    assert len(changed) > 0.3 * len(types)
    local_cloud.control("advisor", mode="gone")
    assert fetch(url)[0] == 404
    local_cloud.control("advisor", mode="good")
    assert json.loads(fetch(url)[2]) == good


def a_spot_instance(ec2) -> dict:
    lifecycle = [{"Name": "instance-lifecycle", "Values": ["spot"]}]
    return ec2.describe_instances(Filters=lifecycle)["Reservations"][0]["Instances"][0]


def status_code(ec2, instance) -> str:
    found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[instance["SpotInstanceRequestId"]])
    return found["SpotInstanceRequests"][0]["Status"]["Code"]


def test_an_interrupted_instance_is_marked_and_runs_for_two_more_minutes(local_cloud):
    """EC2 guide, "Spot Instance interruption notices" and "Spot request status codes"."""
    ec2 = local_cloud.root(NORTHWIND_LAB, "ec2")
    spot = a_spot_instance(ec2)
    local_cloud.control("interrupt", instance_id=spot["InstanceId"])
    assert status_code(ec2, spot) == "marked-for-termination"
    assert a_spot_instance(ec2)["State"]["Name"] == "running"


def test_an_instance_interrupted_now_is_gone_with_the_reason(local_cloud):
    """EC2 guide, "Spot request status codes": instance-terminated-no-capacity; request state closed."""
    ec2 = local_cloud.root(NORTHWIND_LAB, "ec2")
    spot = a_spot_instance(ec2)
    local_cloud.control("interrupt", instance_id=spot["InstanceId"], now=True)
    local_cloud.advance(30)
    assert status_code(ec2, spot) == "instance-terminated-no-capacity"
    gone = a_spot_instance(ec2)
    assert gone["State"]["Name"] == "terminated"
    assert gone["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_an_on_demand_instance_cannot_be_interrupted(local_cloud):
    instance = local_cloud.root(NORTHWIND_LAB, "ec2").describe_instances()["Reservations"][0]["Instances"][0]
    with pytest.raises(ValueError, match="no Spot instance"):
        local_cloud.control("interrupt", instance_id=instance["InstanceId"])


def test_a_wrong_verb_or_word_is_explained(local_cloud):
    with pytest.raises(ValueError, match="no verb"):
        local_cloud.control("explode")
    with pytest.raises(ValueError, match="action is missing"):
        local_cloud.control("throttle")
    with pytest.raises(ValueError, match="mode"):
        local_cloud.control("advisor", mode="")


def test_the_page_has_a_form_for_every_verb_and_no_script(local_cloud):
    status, _, body = fetch(f"{local_cloud.endpoint}/_control/")
    assert status == 200
    page = body.decode()
    for verb in ("throttle", "fail", "lose-answer", "interrupt", "reset"):
        assert f'action="/_control/api/{verb}"' in page
    assert "<script" not in page
    form = Request(f"{local_cloud.endpoint}/_control/api/latency", b"ms=5", method="POST")
    assert urlopen(form, timeout=10).status == 200
    assert local_cloud.control("status")["latency_ms"] == 5


def test_a_page_of_another_site_cannot_post(local_cloud):
    """OWASP, "Cross-site request forgery": the browser names the page's origin."""
    headers = {"Origin": "https://evil.example", "Content-Type": "application/json"}
    url = f"{local_cloud.endpoint}/_control/api/reset"
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(url, b"{}", headers, method="POST"), timeout=10)
    assert refused.value.code == 403


def test_the_command_tells_and_asks(local_cloud):
    command = [sys.executable, "-m", "spotopt.local.control", "--endpoint", local_cloud.endpoint]
    told = subprocess.run([*command, "throttle", "DescribeInstances", "3"], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["faults"][0]["left"] == 3
    wrong = subprocess.run([*command, "interrupt", "i-0"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "no Spot instance" in wrong.stderr
